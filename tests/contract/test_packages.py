"""Packages are kept by content hash, shared, and built where their code can change nothing that others get."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from units import eventually, run, until, work

from saturn_hub.backends.base import Phase
from saturn_hub.backends.local.owners import BUILDER_UID
from saturn_hub.model.workload import Checkout, Kind

COW = ("cowsay==6.1",)
SHOW = "python -c 'import cowsay; print(cowsay.__file__)'"


def kept(backend) -> list[Path]:
    return [each for each in (backend.home / "environments").iterdir() if (each / "lock.txt").exists()]


async def test_an_environment_is_built_once_for_two_people_who_start_at_once(backend):
    await asyncio.gather(*(backend.start(name, work(SHOW, pip=COW, owner=name, folder=f"runs/{name}")) for name in ("ada", "ben")))
    for name in ("ada", "ben"):
        status = await until(backend, name)
        log = b"".join([chunk async for chunk in backend.logs(name)]).decode()
        assert (status.exit_code, str(kept(backend)[0]) in log) == (0, True)
    assert len(kept(backend)) == 1
    lines = [(backend.work / name / "progress.jsonl").read_text() for name in ("ada", "ben")]
    assert sorted(["Installing cowsay" in each for each in lines]) == [False, True]
    assert (kept(backend)[0] / "lock.txt").read_text() == "cowsay==6.1\n"


async def test_a_package_that_cannot_be_had_is_named_by_its_path(backend):
    status, _ = await run(backend, "a", "true", pip=("six==1.17.0", "no-such-package-of-anyone==1"))
    assert (status.code, status.path) == ("packages_failed", "packages.pip[1]")
    assert kept(backend) == []


async def test_a_build_that_was_killed_is_made_again(backend):
    await backend.start("a", work(SHOW, pip=COW))
    await eventually(lambda: _installs(backend), "nothing is installed")
    os.kill(json.loads((backend.work / "a/process.json").read_text())["pid"], signal.SIGKILL)
    assert (await until(backend, "a")).code == "lost"
    status, _ = await run(backend, "b", SHOW, pip=COW, folder="runs/2")
    assert (status.exit_code, len(kept(backend))) == (0, 1)


async def test_the_packages_of_a_unit_that_is_stopped_meanwhile_are_no_half_environment(backend):
    await backend.start("a", work(SHOW, pip=COW))
    await eventually(lambda: _installs(backend), "nothing is installed")
    await backend.stop("a")
    status = (await backend.statuses(["a"]))["a"]
    assert (status.phase, status.exit_code, status.message) == (Phase.ENDED, 143, "It was stopped while it was being prepared.")
    assert [each for each in (backend.home / "environments").iterdir() if each.is_dir() and not each.name.startswith(".")] == []


async def _installs(backend) -> bool:
    return "Installing" in (await backend.statuses(["a"]))["a"].progress


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a small disk")
async def test_a_full_disk_is_said(backend):
    folder = backend.home / "environments"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k,mode=711", "tmpfs", folder], check=True)
    try:
        status, _ = await run(backend, "a", SHOW, pip=COW)
        assert (status.code, status.path) == ("disk_full", "packages.pip")
        assert "Make room" in status.message
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.fixture
def from_source(backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine's own packages: `evil` runs its own code when it is built, `good` is a wheel that anyone installs."""
    folder = backend.home / "wheels"
    folder.mkdir()
    setup = f"""
import os, pathlib, subprocess, setuptools
tries = ["id -u", "touch {backend.home}/environments/x", "ls {backend.home}/environments/.cache", "cat {backend.home}/work/a/workload.json",
    "ls {backend.home}/homes/runs", "ls /proc | grep -c '^[0-9]*$'"]
said = [subprocess.run(each, shell=True, capture_output=True, text=True).stdout.strip() for each in tries]
subprocess.Popen("exec sleep 304", shell=True, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
pathlib.Path("said.py").write_text(f"said = {{said!r}}")
setuptools.setup(name="evil", version="1", py_modules=["said"])
"""
    source = backend.home / "evil"
    source.mkdir()
    (source / "setup.py").write_text(setup)
    subprocess.run(["tar", "-C", backend.home, "-czf", folder / "evil-1.tar.gz", "--transform=s,^evil,evil-1,", "evil"], check=True)
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a build a uid of its own")
async def test_code_of_a_package_runs_apart_as_nobody_and_leaves_nothing_running(backend, from_source):
    status, log = await run(backend, "a", "python -c 'import said; print(*said.said, sep=chr(10))'", pip=("evil==1",))
    assert status.exit_code == 0, status.message + log
    uid, touched, cache, workload, homes, processes = [*log.split("\n")[:6]]
    assert (uid, touched, cache, workload, homes) == (str(BUILDER_UID), "", "", "", "")
    assert int(processes) < 12
    assert not (backend.home / "environments/x").exists()
    assert subprocess.run(["pgrep", "-f", "^sleep 304$"], capture_output=True).returncode == 1
    assert {each.stat().st_uid for each in kept(backend)[0].rglob("*")} == {0}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give each person a uid of their own")
async def test_nobody_changes_what_others_get(backend):
    """A person's variables decide nothing of what is kept under the shared hash, and its files are read-only for them."""
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:1/", "PIP_CONFIG_FILE": "/tmp/mine", "PYTHONPATH": "/tmp"}
    change = "touch $VIRTUAL_ENV/x $VIRTUAL_ENV/lib/python*/site-packages/cowsay/x; pip uninstall -y cowsay"
    status, log = await run(backend, "a", f"{SHOW}; {change}", pip=COW, environment_variables=nowhere)
    assert log.count("Permission denied") >= 2
    status, _ = await run(backend, "b", SHOW, pip=COW, owner="ben", folder="runs/2")
    assert (status.exit_code, len(kept(backend))) == (0, 1)


async def test_pips_configuration_is_part_of_the_hash(backend, monkeypatch):
    await run(backend, "a", "true", pip=COW)
    monkeypatch.setenv("PIP_DEFAULT_TIMEOUT", "20")
    await run(backend, "b", "true", pip=COW, folder="runs/2")
    assert len(kept(backend)) == 2


async def test_what_a_person_installs_by_hand_survives_a_restart_and_is_theirs_alone(backend):
    place = {"kind": Kind.WORKSPACE, "folder": "workspaces/1", "keeps_packages": True}
    description = "Package: own\\nVersion: 1.0\\nTitle: x\\nDescription: x.\\nAuthor: a\\nMaintainer: a <a@a.aa>\\nLicense: GPL-2\\n"
    make = f'mkdir -p own/R && printf "{description}" > own/DESCRIPTION'
    script = f'pip install -q cowsay==6.1 && {make} && touch own/NAMESPACE && Rscript -e \'install.packages("own", repos = NULL, type = "source")\''
    status, log = await run(backend, "a", script, memory=2**30, **place)
    assert status.exit_code == 0, log
    use = "python -c 'import cowsay' && Rscript -e 'library(own)'"
    assert (await run(backend, "b", use, memory=2**30, **place))[0].exit_code == 0
    for owner in ("ada", "ben"):
        more = place | {"folder": f"workspaces/{owner}"}
        status, _ = await run(backend, f"c-{owner}", "! python -c 'import cowsay' && ! Rscript -e 'library(own)'", owner=owner, memory=2**30, **more)
        assert status.exit_code == 0


async def test_a_workspace_has_a_kernel_of_each_language_and_a_terminal_of_its_person(backend, origin):
    place = {"kind": Kind.WORKSPACE, "folder": "workspaces/1", "keeps_packages": True, "repositories": (Checkout(origin.url, "main", "code"),)}
    shell = "bash -ic 'echo $(id -un) $HOME $(command -v python git pip | wc -l)' 2>/dev/null"
    script = f"jupyter kernelspec list --json; echo; {shell}; git -C code log --oneline | wc -l"
    script += "; git config --global user.name Ada; git config user.name"
    status, log = await run(backend, "a", script, memory=2**30, **place)
    listed, _, rest = log.rpartition("\n}\n")
    kernels = json.loads(listed + "\n}")["kernelspecs"]
    assert {kernels["python3"]["spec"]["language"], kernels["ir"]["spec"]["language"]} == {"python", "R"}
    name = "ada" if os.geteuid() == 0 else subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    assert rest.split() == [name, f"{backend.home}/homes/workspaces/1", "3", "1", "Ada"]
    _, log = await run(backend, "b", "git config user.name", **place)
    assert log == "Ada\n"


NOTEBOOK = """{"cells": [{"cell_type": "code", "execution_count": null, "id": "a", "metadata": {"tags": ["parameters"]}, "outputs": [],
  "source": "text = 0"},
 {"cell_type": "code", "execution_count": null, "id": "b", "metadata": {}, "outputs": [], 
  "source": "print(repr(text), repr(count), repr(share), repr(on), repr(day))"}],
 "metadata": {"kernelspec": {"display_name": "x", "language": "python", "name": "python3"}}, "nbformat": 4, "nbformat_minor": 5}"""


async def test_a_notebooks_parameters_keep_their_types(backend, origin):
    origin.commit(n__ipynb=NOTEBOOK)
    values = {"text": "007", "count": "3", "share": "1", "on": "true", "day": "2026-11-24"}
    types = {"text": "string", "count": "integer", "share": "number", "on": "boolean", "day": "date"}
    more = {"parameters": values, "parameter_types": types, "notebook": "code/n.ipynb", "repositories": (Checkout(origin.url, "main", "code"),)}
    status, log = await run(backend, "a", "", memory=2**30, **more)
    assert status.exit_code == 0, log
    assert "'007' 3 1.0 True '2026-11-24'" in log
