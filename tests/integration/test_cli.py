"""The installed command `saturn` against a running hub, as a script would call it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SATURN = str(Path(sys.executable).with_name("saturn"))
JOB = "kind: job\nname: {name}\nsize: small\nimage: local\ncommand: {command}\n"


class Terminal:
    """One person's terminal, with a configuration folder of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {each: value for each, value in os.environ.items() if not each.startswith("SATURN")} | {"XDG_CONFIG_HOME": str(home)}

    def __call__(self, *words: str, code: int = 0, **more: Any) -> str:
        done = subprocess.run([SATURN, *words], env=self.environment, capture_output=True, text=True, timeout=120, **more)
        assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        self.error = done.stderr
        return done.stdout

    def json(self, *words: str, code: int = 0, **more: Any) -> Any:
        return json.loads(self(*words, "--json", code=code, **more))


@pytest.fixture
def ada_types(hub, tmp_path) -> Terminal:
    terminal = Terminal(tmp_path)
    terminal("login", "--url", hub.url, "--user", "ada", "--password-file", str(hub.home / "passwords" / "ada"))
    return terminal


def test_signing_in_keeps_a_token_that_is_nobody_elses_to_read(hub, tmp_path, ada, ada_types):
    file = tmp_path / "saturn" / "hubs.json"
    assert file.stat().st_mode & 0o777 == 0o600
    kept = json.loads(file.read_text())["hubs"][hub.url]
    assert kept["name"] == "ada"
    notes = [each["note"] for each in ada.client.get("/hub/api/users/ada/tokens", headers=ada.headers).json()["api_tokens"]]
    assert "saturn CLI" in notes
    other = Terminal(tmp_path / "other")
    said = other("login", "--url", hub.url, "--token-file", "-", input=kept["token"])
    assert "You are ada" in said and kept["token"] not in said + other.error


def test_a_wrong_password_and_a_hub_that_is_not_there_are_said(hub, tmp_path):
    terminal = Terminal(tmp_path)
    terminal("login", "--url", hub.url, "--user", "ada", "--password-file", "-", input="wrong", code=4)
    assert "wrong" in terminal.error
    terminal("login", "--url", "http://127.0.0.1:9", "--user", "ada", "--password-file", "-", input="x", code=3)
    terminal("list", code=4)
    assert "saturn login" in terminal.error
    terminal("list", "--colour", code=2)


def test_recipes_are_applied_once_and_changed_after(tmp_path, ada_types):
    file = tmp_path / "recipes.yaml"
    file.write_text(JOB.format(name="cli-one", command="echo one") + "---\n" + JOB.format(name="cli-two", command="echo two"))
    assert [each["change"] for each in ada_types.json("apply", "-f", str(file), "--dry-run")] == ["created", "created"]
    ada_types("get", "cli-one", code=4)
    assert [each["change"] for each in ada_types.json("apply", "-f", str(file))] == ["created", "created"]
    assert [each["change"] for each in ada_types.json("apply", "-f", str(file))] == ["unchanged", "unchanged"]
    file.write_text(JOB.format(name="cli-one", command="echo other"))
    changed = ada_types.json("apply", "-f", str(file))
    assert changed == [{"resource": "job/ada/cli-one", "change": "updated", "keys": ["command"], "revision": 2}]
    again = ada_types("get", "job/ada/cli-one")
    assert ada_types.json("apply", "-f", "-", input=again)[0]["change"] == "unchanged"


def test_nothing_is_applied_where_one_recipe_of_several_is_wrong(tmp_path, ada_types):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.yaml").write_text(JOB.format(name="cli-good", command="true"))
    (tmp_path / "folder" / "b.yaml").write_text(JOB.format(name="cli-bad", command="true") + "colour: 1\n")
    ada_types("apply", "-f", str(tmp_path / "folder"), code=1)
    assert "colour" in ada_types.error and "b.yaml" in ada_types.error
    ada_types("get", "ada/cli-good", code=4)


def test_a_run_is_waited_for_and_its_end_is_the_exit_code(tmp_path, ada_types):
    file = tmp_path / "job.yaml"
    file.write_text(JOB.format(name="cli-run", command="'echo hello {{ who }}; exit {{ code }}'") + "parameters: {who: {default: world}, code: {default: 0}}\n")
    ada_types("apply", "-f", str(file))
    assert ada_types.json("run", "cli-run", "-p", "who=Ben", "--wait")["state"] == "succeeded"
    assert ada_types("logs", "cli-run") == "hello Ben\n"
    assert ada_types("logs", "cli-run", "-f") == "hello Ben\n"
    failed = ada_types.json("run", "cli-run", "-p", "code=3", "--wait", code=1)
    assert (failed["state"], failed["exit_code"]) == ("failed", 3)
    assert [each["state"] for each in ada_types.json("runs", "cli-run")] == ["failed", "succeeded"]
    ada_types("run", "cli-run", "-p", "colour=1", code=1)
    ada_types("run", "cli-run", "-p", "colour", code=2)
    ada_types("delete", "cli-run", code=2)
    ada_types("delete", "cli-run", "--yes")
    ada_types("get", "cli-run", code=4)


def test_ctrl_c_leaves_the_run_going_and_says_how_to_follow_it(ada, ada_types):
    ada.make(kind="job", name="cli-long", command="sleep 300")
    waiting = subprocess.Popen([SATURN, "run", "cli-long", "--wait"], env=ada_types.environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert waiting.stderr and "Run 1" in waiting.stderr.readline()
    waiting.send_signal(signal.SIGINT)
    _, said = waiting.communicate(timeout=30)
    run = ada.api("GET", "/jobs/ada/cli-long/runs").json()["items"][0]
    assert (waiting.returncode, run["finished_at"]) == (130, None)
    assert f"saturn logs job/ada/cli-long --run {run['id']} -f" in said
    ada.api("POST", f"/runs/{run['id']}/cancel")


def test_an_app_is_deployed_until_it_serves_and_stopped(ada, ada_types):
    ada.make(kind="app", name="cli-app", command="python -m http.server $PORT --bind 127.0.0.1")
    assert ada_types.json("deploy", "cli-app")["state"] == "serving"
    assert "cli-app." in ada_types("open", "cli-app", "--print")
    assert ada_types.json("stop", "app/ada/cli-app")["state"] in ("stopped", "retired")


def test_a_deployment_that_fails_says_why(ada, ada_types):
    ada.make(kind="app", name="cli-broken", command="exit 7")
    assert "7" in ada_types.json("deploy", "cli-broken", code=1)["reason"]


def test_environments_are_shown_and_compared(ada, ada_types, until):
    ada.make(kind="job", name="cli-env", command="true")
    run = ada.run("cli-env")
    until(lambda: ada.api("GET", f"/runs/{run['id']}").json()["environment"])
    assert "pip" in ada_types.json("env", "show", "cli-env")["record"]["python"]
    assert ada_types.json("env", "diff", "cli-env", run["id"])["difference"]["python"] == {"added": {}, "removed": {}, "changed": {}}


def test_a_name_that_may_be_two_things_is_said_with_both(ada, ada_types):
    ada.make(kind="job", name="cli-both", command="true")
    ada.make(kind="app", name="cli-both", command="true")
    ada_types("get", "cli-both", code=2)
    assert "app/ada/cli-both, job/ada/cli-both" in ada_types.error
    assert ada_types.json("get", "job/ada/cli-both")["kind"] == "job"
    ada_types("run", "eve/cli-both", code=4)
