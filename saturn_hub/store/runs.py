"""Runs and their steps."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from saturn_hub.model.states import FINAL_RUN
from saturn_hub.store.database import Row
from saturn_hub.store.lives import newest_of_each
from saturn_hub.store.tables import resources, runs, steps


async def create(connection: AsyncConnection, values: Mapping[str, Any], its_steps: list[dict[str, Any]]) -> None:
    """A run with its steps. A second one of the same schedule and time violates the table's unique constraint."""
    number = (await connection.execute(select(func.coalesce(func.max(runs.c.number), 0)).where(runs.c.resource_id == values["resource_id"]))).scalar_one() + 1
    await connection.execute(insert(runs).values(number=number, cancel=False, reason="", path="", **values))
    await connection.execute(insert(steps), [{"run_id": values["id"], "reason": "", "path": "", **each} for each in its_steps])


async def get(connection: AsyncConnection, run_id: str) -> Row | None:
    return (await connection.execute(select(runs).where(runs.c.id == run_id))).mappings().first()


async def of_schedule(connection: AsyncConnection, resource_id: str, schedule: int, scheduled_for: Any) -> str | None:
    """The id of the run made for one time of one schedule."""
    condition = (runs.c.resource_id == resource_id, runs.c.schedule == schedule, runs.c.scheduled_for == scheduled_for)
    return (await connection.execute(select(runs.c.id).where(*condition))).scalar()


async def open_runs(connection: AsyncConnection, resource_id: str | None = None) -> list[Row]:
    """Runs that are not final, oldest first."""
    query = select(runs).where(runs.c.state.not_in(FINAL_RUN)).order_by(runs.c.id)
    return list((await connection.execute(query.where(runs.c.resource_id == resource_id) if resource_id else query)).mappings())


async def listing(connection: AsyncConnection, resource_ids: Collection[str], after: str = "", limit: int = 50) -> list[Row]:
    """Runs of these jobs, the newest first."""
    query = select(runs).where(runs.c.resource_id.in_(list(resource_ids))).order_by(runs.c.id.desc()).limit(limit)
    return list((await connection.execute(query.where(runs.c.id < after) if after else query)).mappings())


async def of_owners(
    connection: AsyncConnection, owners: Collection[tuple[str, str]], states: Collection[str] = (), after: str = "", limit: int = 50
) -> list[Row]:
    """Runs of all jobs of these owners, the newest first; in `states` alone where any are named."""
    joined = select(runs).join(resources, resources.c.id == runs.c.resource_id)
    query = joined.where(tuple_(resources.c.owner_kind, resources.c.owner_id).in_(list(owners))).order_by(runs.c.id.desc()).limit(limit)
    if states:
        query = query.where(runs.c.state.in_(list(states)))
    return list((await connection.execute(query.where(runs.c.id < after) if after else query)).mappings())


async def last_of_each(connection: AsyncConnection, resource_ids: Collection[str]) -> dict[str, Row]:
    """The newest run of each of these jobs."""
    return await newest_of_each(connection, runs, resource_ids)


async def unrecorded(connection: AsyncConnection, since: datetime, limit: int = 50) -> list[Row]:
    """Runs that ended after `since` and whose environment is not kept yet, the newest first."""
    condition = (runs.c.environment.is_(None), runs.c.started_at.is_not(None), runs.c.finished_at > since)
    return list((await connection.execute(select(runs).where(*condition).order_by(runs.c.id.desc()).limit(limit))).mappings())


async def change(connection: AsyncConnection, run_id: str, **values: Any) -> None:
    await connection.execute(update(runs).where(runs.c.id == run_id).values(**values))


async def steps_of(connection: AsyncConnection, run_ids: Collection[str]) -> dict[str, list[Row]]:
    """The steps of each run, in order."""
    found: dict[str, list[Row]] = {each: [] for each in run_ids}
    for row in (await connection.execute(select(steps).where(steps.c.run_id.in_(list(run_ids))).order_by(steps.c.position))).mappings():
        found[row["run_id"]].append(row)
    return found


async def change_step(connection: AsyncConnection, run_id: str, position: int, **values: Any) -> None:
    await connection.execute(update(steps).where(steps.c.run_id == run_id, steps.c.position == position).values(**values))
