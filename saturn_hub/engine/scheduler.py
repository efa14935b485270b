"""Makes the runs whose time has come. Its work depends on what is due, not on how much exists."""

from __future__ import annotations

from datetime import datetime

from saturn_hub.engine import jobs
from saturn_hub.engine.context import Context
from saturn_hub.errors import SaturnError
from saturn_hub.model.recipe import ScheduleEntry
from saturn_hub.model.schedule import due, next_time
from saturn_hub.store import journal, resources, runs
from saturn_hub.store.database import Row


async def tick(context: Context) -> datetime | None:
    """Make every run that is due; when the next one will be. Killed anywhere, the next tick goes on without doubling."""
    now = context.now()
    async with context.database.read() as connection:
        rows = await resources.due_schedules(connection, now)
    made = False
    for row in rows:
        following, made_one = await _make_due(context, row, now)
        made = made or made_one
        if following != row["next_at"]:
            async with context.database.begin() as connection:
                await resources.move_schedule(connection, row["resource_id"], row["position"], row["next_at"], following)
    if made:
        context.wake.set()
    async with context.database.read() as connection:
        return await resources.next_due(connection, now)


async def _make_due(context: Context, row: Row, now: datetime) -> tuple[datetime | None, bool]:
    """Make what one schedule has due. When it is due next, and whether a run was made.

    Where overlap is forbidden, a time that finds the run before still going is left out; with catch_up `all` it waits for its turn instead.
    """
    schedule = ScheduleEntry.model_validate(row["schedule"])
    in_turn = schedule.overlap == "forbid" and schedule.catch_up == "all"
    made = False
    for moment in due(schedule, row["next_at"], now):
        async with context.database.read() as connection:
            busy = schedule.overlap == "forbid" and bool(await runs.open_runs(connection, row["resource_id"]))
        if busy and in_turn:
            return moment, made
        await _make(context, row, moment, busy)
        made = made or not busy
    return next_time(schedule, now), made


async def _make(context: Context, row: Row, moment: datetime, busy: bool) -> None:
    try:
        if busy:
            raise SaturnError("The run before has not ended, and the schedule forbids overlap.")
        async with context.database.read() as connection:
            resource = await resources.get(connection, row["resource_id"])
        if resource is None or resource["deleted"]:
            return
        await jobs.make_scheduled(context, resource, row["position"], moment)
    except SaturnError as error:
        async with context.database.begin() as connection:
            detail = {"scheduled_for": moment.isoformat(), "reason": error.message}
            await journal.note(connection, context.now(), "scheduler", "run.not_made", row["resource_id"], **detail)
