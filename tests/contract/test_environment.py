"""The record of what work ran on equals what each tool says in the same place, also after a change by hand."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from units import Origin, eventually, run, until, work

from saturn_hub.backends.base import Phase
from saturn_hub.model.environment import difference, digest
from saturn_hub.model.workload import Checkout, Kind

PYTHON = "import importlib.metadata as m, json; print(json.dumps({d.metadata['Name']: d.version for d in list(m.distributions())[::-1]}))"
R = 'p <- installed.packages(); p <- p[!duplicated(p[, 1]), ]; cat(paste(p[, "Package"], p[, "Version"]), sep = "\\n")'
# Each tool by itself, where the work runs, after a line that says which one.
TOOLS = f"""echo =python; python -c "{PYTHON}"; echo =r; Rscript -e '{R}'; echo =os; dpkg-query -W
echo =commit; git -C code rev-parse HEAD; echo =dirty; git -C code status --porcelain | wc -l"""


def said(log: str) -> dict[str, str]:
    parts = [part.partition("\n") for part in log.split("\n=")[1:]] if log.startswith("\n=") else [part.partition("\n") for part in f"\n{log}".split("\n=")[1:]]
    return {name: text.strip() for name, _, text in parts}


def assert_equal(record: dict, tools: dict[str, str]) -> None:
    """The record says what the tools said."""
    native = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()
    assert record["python"] == json.loads(tools["python"])
    assert record["r"] == dict(line.split(" ") for line in tools["r"].splitlines())
    packages = dict(line.split("\t") for line in tools["os"].splitlines())
    assert record["os"]["packages"] == {name.removesuffix(f":{native}"): version for name, version in packages.items()}
    code = next(each for each in record["repositories"] if each["path"] == "code")
    assert (code["commit"], code["dirty"]) == (tools["commit"], tools["dirty"] != "0")


@pytest.fixture
def wanted(origin: Origin) -> dict:
    return {"repositories": (Checkout(origin.url, "main", "code"),), "pip": ("cowsay==6.1",), "memory": 2**30}


async def test_the_record_of_a_job_equals_what_the_tools_say(backend, wanted):
    status, log = await run(backend, "a", TOOLS, **wanted)
    record = await backend.environment("a")
    assert status.exit_code == 0
    assert_equal(record, said(log))
    assert record["python"]["cowsay"] == "6.1"
    assert {each["name"] for each in record["interpreters"]} >= {"python", "R"}
    assert record["os"]["id"] == "debian"
    assert record["hardware"]["cores"] == os.cpu_count()


async def test_the_record_of_an_app_taken_after_a_change_by_hand_equals_what_the_tools_say(backend, wanted):
    change = "until [ -e go ]; do sleep 0.05; done; pip install -q --target $HOME/more pyfiglet==1.0.2; echo x > code/new;"
    change += "git -C code -c user.name=a -c user.email=a commit -q --allow-empty -m mine;"
    variables = {"PYTHONPATH": f"{backend.home}/homes/versions/1/home/more"}
    more = wanted | {"kind": Kind.APP, "listens": True, "folder": "versions/1", "environment_variables": variables}
    await backend.start("a", work(f"{change} {TOOLS}; echo =end; sleep 300", **more))
    await until(backend, "a", Phase.RUNNING)
    before = await backend.environment("a")
    (backend.home / "homes/versions/1/files/go").touch()
    await eventually(lambda: _has(backend, "=end"), "the tools do not end")
    record = await backend.environment("a", fresh=True)
    tools = said(b"".join([chunk async for chunk in backend.logs("a")]).decode())
    assert_equal(record, tools)
    assert difference(before, record)["python"] == {"added": {"pyfiglet": "1.0.2"}, "removed": {}, "changed": {}}
    assert digest(before) != digest(record)


async def _has(backend, words: str) -> bool:
    return words in b"".join([chunk async for chunk in backend.logs("a")]).decode()


async def test_a_job_that_ends_at_once_is_recorded_as_it_started(backend, wanted):
    await run(backend, "a", "true", **wanted)
    record = await backend.environment("a")
    assert record["python"]["cowsay"] == "6.1"
    assert record["repositories"][0]["dirty"] is False


async def test_recording_holds_up_neither_the_command_nor_its_end(backend):
    status, _ = await run(backend, "a", "true", environment_variables={"PATH": f"{_slow(backend)}:/usr/bin:/bin"})
    assert not (backend.work / "a/environment.json").exists()
    assert status.exit_code == 0
    record = await backend.environment("a")
    assert record["os"]["packages"]


def _slow(backend) -> str:
    """A folder whose `git` and `Rscript` take a second, as a busy machine's would."""
    folder = backend.home / "slow"
    folder.mkdir()
    (folder / "Rscript").write_text('#!/bin/sh\nsleep 1\nexec /usr/bin/Rscript "$@"\n')
    (folder / "Rscript").chmod(0o755)
    return str(folder)


async def test_a_recorder_that_is_killed_leaves_no_half_record(backend):
    await backend.start("a", work("sleep 300", environment_variables={"PATH": f"{_slow(backend)}:/usr/bin:/bin"}))
    await until(backend, "a", Phase.RUNNING)
    await eventually(_recorder, "no recorder runs")
    subprocess.run(["pkill", "-KILL", "-f", f"record.py {backend.home}"], check=True)
    assert (await backend.statuses(["a"]))["a"].phase is Phase.RUNNING
    record = await backend.environment("a", fresh=True)
    assert record["os"]["packages"]
    assert [each.name for each in (backend.work / "a").iterdir() if each.name.startswith("environment")] == ["environment.json"]


async def _recorder() -> bytes:
    return subprocess.run(["pgrep", "-f", "record.py /var/tmp/saturn-test"], capture_output=True).stdout


async def test_a_record_says_what_the_preparation_said_of_a_repository(backend, wanted, origin):
    place = wanted | {"kind": Kind.WORKSPACE, "folder": "workspaces/1"}
    await run(backend, "a", "echo mine > code/file", **place)
    origin.commit(file="two\n")
    status, _ = await run(backend, "b", "true", **place)
    record = await backend.environment("b")
    assert record["repositories"][0]["message"] == status.repositories[0]["message"] != ""
    assert record["repositories"][0]["dirty"] is True
