"""What every backend promises of a unit's life."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time

from units import IMAGES, eventually, listening, run, until, work

from saturn_hub.backends.base import Phase
from saturn_hub.backends.local import LocalBackend
from saturn_hub.backends.local.settings import AGENT
from saturn_hub.model.workload import Kind


async def test_a_command_ends_with_its_exit_code_and_its_log(backend):
    status, log = await run(backend, "a", "echo out; echo err >&2; exit 7")
    assert (status.exit_code, status.code, log) == (7, "", "out\nerr\n")


async def test_starting_again_under_one_name_runs_once(backend):
    await asyncio.gather(*(backend.start("a", work("echo once >> count")) for _ in range(4)))
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


async def test_stop_ends_the_whole_tree_and_what_began_a_session_of_its_own(backend):
    # Other tests sleep at the same time: these are told by how long.
    long = f"9{os.getpid()}"
    await backend.start("a", work(f"sleep {long}0 & setsid sleep {long}1 & (setsid sleep {long}2 &) ; wait"))
    await until(backend, "a", Phase.RUNNING)
    await backend.stop("a", grace_seconds=2)
    assert (await backend.statuses(["a"]))["a"].phase is Phase.ENDED
    assert not _processes(f"sleep {long}[012]")


async def test_a_unit_that_is_stopped_while_it_is_prepared_ends_and_says_so(backend):
    await backend.start("a", work("true", start_script="sleep 300"))
    await eventually(lambda: _says(backend, "start script"), "the start script does not run")
    await backend.stop("a", grace_seconds=1)
    assert (await backend.statuses(["a"]))["a"].exit_code != 0


async def test_a_log_is_followed_to_its_end(backend):
    await backend.start("a", work("for i in 1 2 3; do echo $i; sleep 0.1; done"))
    assert b"".join([chunk async for chunk in backend.logs("a", follow=True)]) == b"1\n2\n3\n"


async def test_a_time_limit_is_said(backend):
    status, _ = await run(backend, "a", "sleep 60", timeout_seconds=1)
    assert (status.code, status.path) == ("timed_out", "timeout_seconds")


async def test_work_whose_launcher_was_killed_is_lost_and_nothing_of_it_goes_on(backend):
    await backend.start("a", work("setsid sleep 303 & sleep 303"))
    await until(backend, "a", Phase.RUNNING)
    await eventually(lambda: _awaited(_processes("sleep 303")), "the sleep does not run")
    os.kill(json.loads((backend.work / "a" / "process.json").read_text())["pid"], signal.SIGKILL)
    assert (await until(backend, "a")).code == "lost"
    await backend.stop("a")
    assert not _processes("sleep 303")
    assert (await LocalBackend(backend.home, IMAGES).statuses(["a"]))["a"].code == "lost"


async def test_an_ended_unit_is_looked_at_no_more(backend):
    await run(backend, "a", "true")
    names = backend.watch()
    await backend.start("b", work("true", folder="runs/2"))
    await until(backend, "b")
    while backend.live.names():
        await asyncio.wait_for(anext(names), 5)
    assert await backend.statuses() == {}
    assert (await backend.statuses(["a"]))["a"].exit_code == 0


async def test_an_end_is_known_at_once(backend):
    names = backend.watch()
    await backend.start("a", work("sleep 0.2"))
    while (await backend.statuses(["a"]))["a"].phase is not Phase.ENDED:
        await asyncio.wait_for(anext(names), 5)
    finished = (await backend.statuses(["a"]))["a"].finished_at
    assert time.time() - finished.timestamp() < 0.3


async def test_a_lost_unit_wakes_whoever_watches(backend):
    await backend.start("a", work("sleep 300"))
    await until(backend, "a", Phase.RUNNING)
    names = backend.watch()
    await anext(names)
    os.kill(json.loads((backend.work / "a" / "process.json").read_text())["pid"], signal.SIGKILL)
    while backend.live.names():
        assert await asyncio.wait_for(anext(names), 10) == "a"


async def test_a_port_that_somebody_else_took_is_not_the_units_address(backend):
    await backend.start("a", work("sleep 300", kind=Kind.APP, listens=True))
    await until(backend, "a", Phase.RUNNING)
    assert await backend.address("a") is None
    await backend.start("b", work("exec python -m http.server $PORT --bind 127.0.0.1", folder="versions/1", kind=Kind.APP, listens=True))
    assert (await listening(backend, "b"))[0] == "127.0.0.1"


def _processes(pattern: str) -> str:
    return subprocess.run(["pgrep", "-f", f"^{pattern}$"], capture_output=True, text=True).stdout


async def _awaited(value: str) -> str:
    return value


async def _says(backend: LocalBackend, words: str) -> bool:
    return words in (await backend.statuses(["a"]))["a"].progress
