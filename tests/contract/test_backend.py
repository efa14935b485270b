"""What every backend promises, on real processes."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from saturn_hub.backends.base import Phase, Status
from saturn_hub.backends.local import LocalBackend
from saturn_hub.backends.local.settings import AGENT
from saturn_hub.model.workload import Checkout, Hardware, Kind, Owner, Software, Workload

IMAGES = Path(os.environ.get("SATURN_IMAGES", Path(__file__).parents[2] / ".images"))
SECONDS = 60


@pytest.fixture
def backend() -> Iterator[LocalBackend]:
    home = Path(tempfile.mkdtemp(prefix="saturn-test-", dir="/var/tmp"))
    home.chmod(0o711)
    made = LocalBackend(home, IMAGES)
    yield made
    for unit in made.work.iterdir():
        asyncio.run(made.stop(unit.name, grace_seconds=0.1))
    shutil.rmtree(home)


def work(command: str, *, owner: str = "ada", folder: str = "runs/1", memory: int = 512 * 2**20, **more) -> Workload:
    hardware = Hardware("small", 1, memory, 0, "medium")
    more = {"kind": Kind.JOB, "command": ("sh", "-c", command), **more}
    return Workload(name="x", owner=Owner.parse(owner), hardware=hardware, software=Software("local", "1"), folder=folder, **more)


async def until(backend: LocalBackend, name: str, phase: Phase = Phase.ENDED) -> Status:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        status = (await backend.statuses([name]))[name]
        if status.phase in (phase, Phase.ENDED):
            return status
        await asyncio.sleep(0.01)
    raise AssertionError(f"{name} is still {status}")


async def listening(backend: LocalBackend, name: str) -> tuple[str, int]:
    """Where a unit listens, once it does."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if (address := await backend.address(name)) is not None:
            return address
        await asyncio.sleep(0.01)
    raise AssertionError(f"{name} does not listen")


async def run(backend: LocalBackend, name: str, command: str, **more) -> tuple[Status, str]:
    await backend.start(name, work(command, **more))
    status = await until(backend, name)
    return status, b"".join([chunk async for chunk in backend.logs(name)]).decode()


async def test_a_command_ends_with_its_exit_code_and_its_log(backend):
    status, log = await run(backend, "a", "echo out; echo err >&2; exit 7")
    assert (status.exit_code, status.code, log) == (7, "", "out\nerr\n")


async def test_starting_again_under_one_name_runs_once(backend):
    await backend.start("a", work("echo once >> count"))
    await asyncio.gather(*(backend.start("a", work("echo once >> count")) for _ in range(3)))
    await until(backend, "a")
    assert (backend.home / "homes/runs/1/files/count").read_text() == "once\n"


async def test_a_second_launcher_of_one_unit_ends_without_running_it(backend):
    await backend.start("a", work("echo once >> count; sleep 300"))
    await until(backend, "a", Phase.RUNNING)
    assert subprocess.run([sys.executable, "-I", "-S", AGENT / "launch.py", backend.work / "a"], timeout=30).returncode == 0
    assert (await backend.statuses(["a"]))["a"].phase is Phase.RUNNING
    await backend.stop("a", grace_seconds=0.1)
    assert (backend.home / "homes/runs/1/files/count").read_text() == "once\n"


async def test_what_is_not_known_is_gone(backend):
    assert (await backend.statuses(["nobody"]))["nobody"].phase is Phase.GONE


async def test_work_is_found_again_by_another_process(backend):
    await backend.start("a", work("sleep 30"))
    await until(backend, "a", Phase.RUNNING)
    assert (await LocalBackend(backend.home, IMAGES).statuses())["a"].phase is Phase.RUNNING


async def test_stop_ends_the_whole_tree(backend):
    await backend.start("a", work("sleep 300 & sleep 301 & echo $! ; wait"))
    await until(backend, "a", Phase.RUNNING)
    await backend.stop("a", grace_seconds=2)
    assert (await backend.statuses(["a"]))["a"].phase is Phase.ENDED
    assert "sleep 301" not in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout


async def test_a_log_is_followed_to_its_end(backend):
    await backend.start("a", work("for i in 1 2 3; do echo $i; sleep 0.1; done"))
    assert b"".join([chunk async for chunk in backend.logs("a", follow=True)]) == b"1\n2\n3\n"


async def test_a_time_limit_is_said(backend):
    status, _ = await run(backend, "a", "sleep 60", timeout_seconds=1)
    assert (status.code, status.path) == ("timed_out", "timeout_seconds")


async def test_too_much_memory_names_the_next_size(backend):
    status, _ = await run(backend, "a", "python -c 'x = bytearray(900 << 20)'")
    assert status.code == "out_of_memory"
    assert "medium" in status.message


async def test_a_package_that_cannot_be_had_is_named_by_its_path(backend):
    status, _ = await run(backend, "a", "true", pip=("six==1.17.0", "no-such-package-of-anyone==1"))
    assert (status.code, status.path) == ("packages_failed", "packages.pip[1]")


async def test_an_environment_is_built_once_and_reused(backend):
    for name in ("a", "b"):
        status, log = await run(backend, name, "python -c 'import cowsay; print(cowsay.__file__)'", pip=("cowsay==6.1",), owner=name, folder=f"runs/{name}")
        assert (status.exit_code, str(backend.home / "environments") in log) == (0, True)
    assert len([each for each in (backend.home / "environments").iterdir() if (each / "lock.txt").exists()]) == 1


async def test_work_whose_launcher_was_killed_is_lost(backend):
    await backend.start("a", work("sleep 300"))
    await until(backend, "a", Phase.RUNNING)
    os.kill(json.loads((backend.work / "a" / "process.json").read_text())["pid"], signal.SIGKILL)
    assert (await until(backend, "a")).code == "lost"


async def test_the_record_equals_what_the_tools_say(backend):
    await run(backend, "a", "true")
    record = await backend.environment("a", fresh=True)
    assert record is not None
    packages = dict(line.split("\t") for line in subprocess.run(["dpkg-query", "-W"], capture_output=True, text=True).stdout.splitlines())
    assert {name.partition(":")[0]: version for name, version in packages.items()} == record["os"]["packages"]
    listed = subprocess.run([IMAGES / "local/bin/pip", "list", "--format=json"], capture_output=True, text=True).stdout
    assert {each["name"].lower(): each["version"] for each in json.loads(listed)} == {name.lower(): version for name, version in record["python"].items()}


def git(*words: str, folder: Path) -> str:
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "safe.directory=*"]
    return subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def origin(backend) -> Path:
    """A repository with one commit, owned as the work's owner is."""
    from saturn_hub.backends.local.owners import uid_of

    folder = backend.home / "origin"
    folder.mkdir()
    git("init", "--quiet", "--initial-branch=main", folder=folder)
    (folder / "file").write_text("one\n")
    commit(folder, uid_of(backend.home, Owner.parse("ada")))
    return folder


def commit(folder: Path, uid: int | None) -> str:
    git("add", "--all", folder=folder)
    git("commit", "--quiet", "--message=more", folder=folder)
    if uid is not None:
        subprocess.run(["chown", "-R", f"{uid}:{uid}", str(folder)], check=True)
    return git("rev-parse", "HEAD", folder=folder)


async def test_changes_of_a_persons_own_are_never_touched_when_the_branch_moves(backend, origin):
    from saturn_hub.backends.local.owners import uid_of

    wanted = (Checkout(f"file://{origin}", "main", "code"),)
    first, place = git("rev-parse", "HEAD", folder=origin), {"kind": Kind.WORKSPACE, "folder": "workspaces/1"}
    status, log = await run(backend, "a", "cd code && git status --porcelain && echo mine > file", repositories=wanted, **place)
    assert (status.exit_code, log, status.repositories[0]["commit"]) == (0, "", first)
    (origin / "file").write_text("two\n")
    second = commit(origin, uid_of(backend.home, Owner.parse("ada")))
    status, log = await run(backend, "b", "cat code/file", repositories=wanted, **place)
    assert log == "mine\n"
    assert first[:12] in status.repositories[0]["message"]
    assert second[:12] in status.repositories[0]["message"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give each person a uid of their own")
async def test_people_cannot_reach_each_others_work(backend):
    listener = Workload(
        Kind.APP,
        "x",
        Owner.parse("ada"),
        Hardware("small", 1, 2**29),
        Software("local", "1"),
        "versions/1",
        ("sh", "-c", "exec python -m http.server $PORT --bind 127.0.0.1"),
        listens=True,
    )
    await backend.start("ada", listener)
    await until(backend, "ada", Phase.RUNNING)
    address = await listening(backend, "ada")
    pid = json.loads((backend.work / "ada" / "process.json").read_text())["pid"]
    for name in ("service", "hub", "passwords"):
        (backend.home / name).mkdir(mode=0o700)
    probe = f"python -c \"import socket; socket.create_connection(('127.0.0.1', {address[1]}), 5)\" 2>/dev/null"
    home = backend.home
    tries = [f"cat /proc/{pid}/environ", f"ls {home}/homes/versions/1", f"cat {home}/work/ada/log", f"cat {home}/work/ada/workload.json"]
    tries += [f"ls {home}/service", f"ls {home}/hub", f"ls {home}/passwords", f"kill -0 {pid}", probe]
    script = "\n".join(f"if {each} >/dev/null 2>&1; then echo reached; else echo refused; fi" for each in tries)
    _, log = await run(backend, "eve", script, owner="eve")
    assert log.split() == ["refused"] * len(tries)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and (await run(backend, f"own-{time.monotonic_ns()}", probe, folder="runs/2"))[0].exit_code:
        pass
    assert time.monotonic() < end
