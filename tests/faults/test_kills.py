"""The service is ended by SIGKILL at each transition, and between a write and its effect: nothing is lost, and nothing runs twice."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from service import CANCEL_POINTS, RUN_POINTS, SCHEDULE_POINTS, VERSION_POINTS
from sqlalchemy import select
from world import make_context, person

from saturn_hub.engine import apps, files, jobs, recipes
from saturn_hub.engine.context import Context
from saturn_hub.model.access import Person
from saturn_hub.store import resources
from saturn_hub.store.tables import runs, schedules, usage, versions

SECONDS = 30
JOB = {"schema": 1, "kind": "job", "name": "counts", "size": "small", "image": "local"}
# Where it leaves its mark is outside the run's own folder, so that a second run of it would be seen.
COMMAND = "echo one; echo started >> $MARK; sleep 0.5; echo two"


@pytest.fixture
async def context() -> Any:
    home = Path(tempfile.mkdtemp(prefix="saturn-test-", dir="/var/tmp"))
    home.chmod(0o711)
    (home / "service").mkdir()
    made = make_context(home)
    made.database.migrate()
    yield made
    for unit in (home / "work").glob("[!.]*"):
        await made.backend.stop(unit.name, grace_seconds=0.1)
    await made.database.close()
    await until(lambda: _removed(home))


@pytest.fixture
async def ada(context: Context) -> Person:
    return await person(context)


def service(context: Context, point: str = "") -> subprocess.Popen[bytes]:
    program = Path(__file__).with_name("service.py")
    with open(context.files / "service.log", "ab") as log:
        return subprocess.Popen([sys.executable, str(program), str(context.files), *([point] if point else [])], stderr=log, stdout=log)


def killed(context: Context, point: str) -> None:
    """Run the service until it ends at the point."""
    process = service(context, point)
    try:
        code = process.wait(SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        pytest.fail(f"It never came to the point where {point}:\n{(context.files / 'service.log').read_text()[-3000:]}")
    assert code == -signal.SIGKILL, (context.files / "service.log").read_text()[-3000:]


@contextmanager
def running(context: Context) -> Iterator[None]:
    process = service(context)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


async def until(condition: Any) -> Any:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if found := await condition():
            return found
        await asyncio.sleep(0.05)
    raise AssertionError("it did not come to be")


def mark(context: Context) -> Path:
    """A file that ada's work may write, and that outlives runs."""
    file = context.files / "mark"
    file.touch()
    file.chmod(0o666)
    return file


async def rows(context: Context, table: Any) -> list[Any]:
    async with context.database.read() as connection:
        return list((await connection.execute(select(table).order_by(table.c.id))).mappings())


async def a_job(context: Context, ada: Person, **more: Any) -> Any:
    file = mark(context)
    await recipes.save(context, ada, {**JOB, "command": COMMAND, "environment_variables": {"MARK": str(file)}, **more}, create=True)
    return jobs.job_key("ada", "counts")


@pytest.mark.parametrize("point", RUN_POINTS)
async def test_a_run_outlives_its_service_killed_where(context, ada, point):
    key = await a_job(context, ada)
    run = await jobs.start(context, ada, key, {})
    killed(context, point)
    with running(context):
        ended = await until(lambda: _final(context, ada, run["id"]))
        assert await until(lambda: _recorded(context, ada, run["id"]))
    assert (ended["state"], ended["exit_code"], ended["reason"]) == ("succeeded", 0, "")
    assert (context.files / "mark").read_text() == "started\n"
    assert b"".join([chunk async for chunk in files.run_log(context, ada, run["id"])]) == b"one\ntwo\n"
    spans = await rows(context, usage)
    assert [bool(each["finished_at"]) for each in spans] == [True]
    assert (await recipes.show(context, ada, key))["revision"] == 1


@pytest.mark.parametrize("point", CANCEL_POINTS)
async def test_a_cancelled_run_ends_though_its_service_is_killed_where(context, ada, point):
    key = await a_job(context, ada, command="echo started >> $MARK; exec sleep 300")
    run = await jobs.start(context, ada, key, {})
    with running(context):
        await until(lambda: _state(context, ada, run["id"], "running"))
    await jobs.cancel(context, ada, run["id"])
    killed(context, point)
    with running(context):
        ended = await until(lambda: _final(context, ada, run["id"]))
    assert ended["state"] == "cancelled"
    assert (context.files / "mark").read_text() == "started\n"
    assert [bool(each["finished_at"]) for each in await rows(context, usage)] == [True]


@pytest.mark.parametrize("point", SCHEDULE_POINTS)
async def test_a_scheduled_run_is_made_once_though_the_service_is_killed_where(context, ada, point):
    key = await a_job(context, ada, schedules=[{"cron": "0 0 1 1 *", "timezone": "UTC"}])
    await _make_due(context)
    killed(context, point)
    with running(context):
        await until(lambda: _marked(context))
        made = await until(lambda: _ended_runs(context))
    assert len(made) == len(await rows(context, runs)) == 1
    assert (context.files / "mark").read_text() == "started\n"
    assert (await recipes.show(context, ada, key))["next_run_at"] > context.now().isoformat()


@pytest.mark.parametrize("point", VERSION_POINTS)
async def test_an_app_is_served_by_one_version_though_the_service_is_killed_where(context, ada, point):
    recipe = {**JOB, "kind": "app", "command": "exec python -m http.server $PORT --bind 127.0.0.1"}
    await recipes.save(context, ada, recipe, create=True)
    key = apps.app_key("ada", "counts")
    if "retired" in point:
        await apps.deploy(context, ada, key)
        with running(context):
            await until(lambda: _serving(context, 1))
    await apps.deploy(context, ada, key)
    killed(context, point)
    with running(context):
        await until(lambda: _serving(context, 2 if "retired" in point else 1))
        await until(lambda: _only_one_is_open(context))
    answer = await apps.decide(context, "counts", None, (await apps.make_token(context, ada, key, "t"))["token"])
    assert answer["allow"]
    assert len([each for each in await rows(context, usage) if each["finished_at"] is None]) == 1
    alive = [name for name, status in (await context.backend.statuses()).items() if status.phase == "running"]
    assert len(alive) == 1


def test_a_kill_at_the_worst_moment_of_a_write_leaves_all_or_nothing(tmp_path):
    """A process that writes runs without end is killed in the middle; what it said was written is there, each with its steps."""
    program = Path(__file__).with_name("writer.py")
    writer = subprocess.Popen([sys.executable, str(program), str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout
    said = [writer.stdout.readline().strip() for _ in range(20)]
    os.kill(writer.pid, signal.SIGKILL)
    said += writer.stdout.read().split()
    writer.stdout.close()
    writer.wait()

    async def look() -> list[str]:
        context = make_context(tmp_path)
        found = [each["id"] for each in await rows(context, runs)]
        async with context.database.read() as connection:
            from saturn_hub.store import runs as store

            assert all(len(each) == 1 for each in (await store.steps_of(connection, found)).values())
        await context.database.close()
        return found

    assert set(said) <= set(asyncio.run(look()))


async def _removed(home: Path) -> bool:
    """A launcher may still be keeping the record of work that has ended."""
    shutil.rmtree(home, ignore_errors=True)
    return not home.exists()


async def _final(context: Context, ada: Person, run_id: str) -> Any:
    run = await jobs.show(context, ada, run_id)
    return run if run["finished_at"] else None


async def _state(context: Context, ada: Person, run_id: str, state: str) -> bool:
    return (await jobs.show(context, ada, run_id))["state"] == state


async def _recorded(context: Context, ada: Person, run_id: str) -> Any:
    return (await jobs.show(context, ada, run_id))["environment"]


async def _marked(context: Context) -> str:
    return (context.files / "mark").read_text()


async def _ended_runs(context: Context) -> Any:
    found = await rows(context, runs)
    return found if found and all(each["finished_at"] for each in found) else None


async def _serving(context: Context, number: int) -> bool:
    return any(each["number"] == number and each["state"] == "serving" for each in await rows(context, versions))


async def _only_one_is_open(context: Context) -> bool:
    return [each["state"] for each in await rows(context, versions) if each["finished_at"] is None] == ["serving"]


async def _make_due(context: Context) -> None:
    async with context.database.begin() as connection:
        row = (await connection.execute(select(schedules))).mappings().one()
        await resources.set_schedules(
            connection, row["resource_id"], [{"position": 0, "schedule": row["schedule"], "next_at": context.now() - timedelta(seconds=1)}]
        )
