"""One person in a terminal of theirs tries another's, the hub's and the service's, and fails at each."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import terminal

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give each person a uid of their own")


def attempts(hub, unit: str, owner: str = "ada") -> dict[str, list[str]]:
    """What one tries at a workspace of `owner` and at us: by what it is about, as commands that succeed where they reach it."""
    order = json.loads((hub.home / "work" / unit / "workload.json").read_text())["settings"]
    launcher = json.loads((hub.home / "work" / unit / "process.json").read_text())["pid"]
    ports = json.loads((hub.home / "service/ports.json").read_text())
    home, own, folder = hub.home, order["home"], hub.home / "work" / unit
    server = f"/user/{owner}/{unit.rpartition('-')[2]}"
    with_token = 'curl -sf -o /dev/null -H "Authorization: token $JUPYTERHUB_API_TOKEN"'
    return {
        "files": [f"ls {own}", f"cat {own}/secret", f"ls {own}/.saturn", f"ls {folder}/tmp", f"touch {own}/x", f"ls {home}/homes/workspaces"],
        "log": [f"cat {folder}/log", f"cat {folder}/progress.jsonl"],
        "environment": [f"cat {folder}/workload.json", f"cat {folder}/environment.json", f"cat /proc/{launcher}/environ", f"ls /proc/{launcher}/cwd/"],
        "signals": [f"kill -0 {launcher}", f"kill {launcher}", "pgrep -U ada", "pgrep -f jupyterhub_config"],
        "its server": [
            f"curl -sf -o /dev/null http://127.0.0.1:{order['port']}{server}/api",
            f"{with_token} {hub.url}{server}/api/contents",
        ],
        "sockets": [f"find {folder}/tmp /tmp /dev/shm -mindepth 1 -user {order['uid']} | grep .", f"ls {own}/.local"],
        "databases": [f"cat {home}/hub/jupyterhub.sqlite", f"ls {home}/hub", f"ls {home}/service", f"cat {home}/service/saturn.sqlite"],
        "secrets": [
            f"cat {home}/{each}" for each in ("service/internal.token", "service/service.token", "hub/cookie_secret", f"passwords/{owner}", "people.json")
        ],
        "ours": [
            f"curl -sf -o /dev/null -X POST http://127.0.0.1:{ports['service']}/services/saturn/internal/gateway/decide -d '{{}}'",
            f"{with_token} http://127.0.0.1:{ports['service']}/services/saturn/internal/form?user={owner}",
            f"{with_token} http://127.0.0.1:{ports['hub_api']}/hub/api/users",
            f"{with_token} http://127.0.0.1:{ports['hub_api']}/hub/api/users/{owner}",
            f"curl -sf -o /dev/null http://127.0.0.1:{ports['proxy_api']}/api/routes",
            f"{with_token} http://127.0.0.1:{ports['proxy_api']}/api/routes",
            f"{with_token} {hub.url}/services/saturn/api/v1/recipes/workspace/{owner}/{unit.rpartition('-')[2]}",
        ],
        "shared software": [f"touch {home}/environments/x", f"ls {home}/environments", f"touch {Path(order['image_site'])}/x"],
        "more rights": ["setsid -w timeout 5 su root -c true", "sudo -n true", "chroot / true", "mount -t tmpfs none /mnt", "cat /etc/shadow"],
    }


async def test_another_persons_and_our_own_are_out_of_reach_from_a_terminal(hub, ada, eve, until):
    terminal.start(ada, until, "kept")
    server = terminal.start(eve, until, "tries")
    own = Path(json.loads((hub.home / "work/workspace-ada-kept/workload.json").read_text())["settings"]["home"])
    (own / "secret").write_text("mine")
    tried = attempts(hub, "workspace-ada-kept")
    commands = [(about, each) for about, group in tried.items() for each in group]
    script = "\n".join(f"if ( {each} ) </dev/null >/dev/null 2>&1; then echo reached; else echo refused; fi" for _, each in commands)
    said = await terminal.typed(eve, server, eve.token(), script)
    assert [each for each, word in zip(commands, said.split(), strict=True) if word != "refused"] == []
    assert (own / "secret").read_text() == "mine"
    assert ada.api("GET", "/recipes/workspace/ada/kept").json()["state"] == "running"


async def test_the_same_words_reach_what_is_ones_own(hub, ada, eve, until):
    """Else the refusals above would show nothing."""
    server = terminal.start(eve, until, "reaches")
    unit = "workspace-eve-reaches"
    order = json.loads((hub.home / "work" / unit / "workload.json").read_text())["settings"]
    ports = json.loads((hub.home / "service/ports.json").read_text())
    with_token = 'curl -sf -o /dev/null -H "Authorization: token $JUPYTERHUB_API_TOKEN"'
    commands = [f"ls {order['home']}", f"ls {hub.home}/work/{unit}/tmp", f"cat {hub.home}/work/{unit}/log", "pgrep -U eve", "touch /tmp/x /dev/shm/x"]
    commands += [f"curl -s -o /dev/null http://127.0.0.1:{order['port']}{server}/api", f"{with_token} http://127.0.0.1:{ports['hub_api']}/hub/api/user"]
    script = "\n".join(f"if ( {each} ) </dev/null >/dev/null 2>&1; then echo reached; else echo refused; fi" for each in commands)
    said = await terminal.typed(eve, server, eve.token(), script)
    assert [each for each, word in zip(commands, said.split(), strict=True) if word != "reached"] == []


PYTHON = "import importlib.metadata as m, json; print(json.dumps({d.metadata['Name']: d.version for d in list(m.distributions())[::-1]}))"
R = 'p <- installed.packages(); p <- p[!duplicated(p[, 1]), ]; cat(paste(p[, "Package"], p[, "Version"]), sep = "\\n")'
CHANGE = r"""pip install -q cowsay==6.1
mkdir -p own/R && touch own/NAMESPACE
printf "Package: own\nVersion: 1.0\nTitle: x\nDescription: x.\nAuthor: a\nMaintainer: a <a@a.aa>\nLicense: GPL-2\n" > own/DESCRIPTION
Rscript -e 'install.packages("own", repos = NULL, type = "source", quiet = TRUE)' >/dev/null 2>&1
git init -q code 2>/dev/null; git -C code -c user.name=a -c user.email=a commit -q --allow-empty -m mine; echo x > code/new
"""


async def test_a_workspaces_record_equals_what_the_tools_say_in_its_terminal_after_a_change_by_hand(ada, until):
    server = terminal.start(ada, until, "records")
    path = "/recipes/workspace/ada/records/environment"
    before = ada.api("POST", path)
    assert before.status_code == 201, before.text
    tools = f"echo; echo =python; python -c \"{PYTHON}\"; echo =r; Rscript -e '{R}'; echo =os; dpkg-query -W; echo =commit; git -C code rev-parse HEAD"
    said = await terminal.typed(ada, server, ada.token(), CHANGE + tools)
    parts = dict(part.split("\n", 1) for part in said.split("\n=")[1:])
    taken = ada.api("POST", path).json()["digest"]
    shown = ada.api("GET", f"/environments/{taken}").json()
    record = shown["record"]
    assert record["python"] == json.loads(parts["python"])
    assert record["r"] == dict(line.split(" ") for line in parts["r"].splitlines())
    assert len(record["os"]["packages"]) == len(parts["os"].strip().splitlines())
    assert {each["path"]: (each["commit"], each["dirty"]) for each in shown["uses"][-1]["repositories"]}["code"] == (parts["commit"].strip(), True)
    difference = ada.api("GET", f"/environments/diff?a={before.json()['digest']}&b={taken}").json()["difference"]
    assert (difference["python"]["added"], difference["r"]["added"]) == ({"cowsay": "6.1"}, {"own": "1.0"})


def test_the_environment_of_another_is_not_taken(ada, eve, until):
    terminal.start(ada, until, "shut")
    assert eve.api("POST", "/recipes/workspace/ada/shut/environment").status_code == 404
    ada.make(kind="workspace", name="stopped")
    refused = ada.api("POST", "/recipes/workspace/ada/stopped/environment")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "not_running")
