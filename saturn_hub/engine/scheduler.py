"""Makes the runs whose time has come. Its work depends on what is due, not on how much exists."""

from __future__ import annotations

from datetime import datetime

from saturn_hub.engine import jobs
from saturn_hub.engine.context import Context
from saturn_hub.errors import SaturnError
from saturn_hub.model.recipe import ScheduleEntry
from saturn_hub.model.schedule import due, next_time
from saturn_hub.store import journal, resources, runs


async def tick(context: Context) -> datetime | None:
    """Make every run that is due; when the next one will be. Killed anywhere, the next tick goes on without doubling."""
    now = context.now()
    async with context.database.begin() as connection:
        rows = await resources.due_schedules(connection, now)
    for row in rows:
        schedule = ScheduleEntry.model_validate(row["schedule"])
        for moment in due(schedule, row["next_at"], now):
            await _make(context, row["resource_id"], row["position"], schedule, moment)
        async with context.database.begin() as connection:
            await resources.move_schedule(connection, row["resource_id"], row["position"], next_time(schedule, now))
    if rows:
        context.wake.set()
    async with context.database.begin() as connection:
        return await resources.next_due(connection)


async def _make(context: Context, resource_id: str, position: int, schedule: ScheduleEntry, moment: datetime) -> None:
    async with context.database.begin() as connection:
        row = await resources.get(connection, resource_id)
        busy = bool(await runs.open_runs(connection, resource_id)) and schedule.overlap == "forbid"
    if row is None:
        return
    try:
        if busy:
            raise SaturnError("the run before has not ended, and the schedule forbids overlap")
        await jobs.make_scheduled(context, row, position, moment)
    except SaturnError as error:
        async with context.database.begin() as connection:
            await journal.note(connection, context.now(), "scheduler", "run.not_made", resource_id, scheduled_for=moment.isoformat(), reason=error.message)
