"""Resources and the revisions of their recipes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, exists, func, insert, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from saturn_hub.store.database import Row, new_id
from saturn_hub.store.tables import resources, revisions, schedules, versions


async def find(connection: AsyncConnection, kind: str, owner_kind: str, owner_id: str, name: str) -> Row | None:
    condition = (resources.c.kind == kind, resources.c.owner_kind == owner_kind, resources.c.owner_id == owner_id, resources.c.name == name)
    return (await connection.execute(select(resources).where(*condition, resources.c.deleted == ""))).mappings().first()


async def get(connection: AsyncConnection, resource_id: str) -> Row | None:
    return (await connection.execute(select(resources).where(resources.c.id == resource_id))).mappings().first()


async def by_host(connection: AsyncConnection, host: str) -> Row | None:
    return (await connection.execute(select(resources).where(resources.c.host == host, resources.c.deleted == ""))).mappings().first()


async def shared_apps(connection: AsyncConnection, limit: int = 500) -> list[Row]:
    """Apps that are not private and serve now, with their current recipe, by name."""
    joined = select(resources, revisions.c.recipe).join(revisions, (revisions.c.resource_id == resources.c.id) & (revisions.c.number == resources.c.revision))
    serving = exists().where(versions.c.resource_id == resources.c.id, versions.c.state == "serving", versions.c.target == "serving")
    query = joined.where(resources.c.kind == "app", resources.c.deleted == "", resources.c.shared, serving).order_by(resources.c.name).limit(limit)
    return list((await connection.execute(query)).mappings())


async def listing(
    connection: AsyncConnection, kind: str | None, owners: Collection[tuple[str, str]] | None, after: str, limit: int, search: str = ""
) -> list[Row]:
    """Living resources, newest first, of `owners` (None: of everyone), with their current recipe as `recipe`; with `search` in the name."""
    joined = select(resources, revisions.c.recipe).join(revisions, (revisions.c.resource_id == resources.c.id) & (revisions.c.number == resources.c.revision))
    query = joined.where(resources.c.deleted == "").order_by(resources.c.id.desc()).limit(limit)
    if kind:
        query = query.where(resources.c.kind == kind)
    if owners is not None:
        query = query.where(tuple_(resources.c.owner_kind, resources.c.owner_id).in_(list(owners)))
    if after:
        query = query.where(resources.c.id < after)
    if search:
        query = query.where(resources.c.name.contains(search, autoescape=True))
    return list((await connection.execute(query)).mappings())


async def create(connection: AsyncConnection, now: datetime, by: str, values: Mapping[str, Any], recipe: Mapping[str, Any]) -> str:
    """A new resource with its first revision; its id."""
    resource_id = new_id()
    await connection.execute(
        insert(resources).values(
            id=resource_id, revision=0, access={}, shared=False, spent=0, created_at=now, created_by=by, updated_at=now, deleted="", **values
        )
    )
    await revise(connection, now, by, resource_id, 1, recipe)
    return resource_id


async def revise(connection: AsyncConnection, now: datetime, by: str, resource_id: str, number: int, recipe: Mapping[str, Any]) -> None:
    """Add revision `number` and make it current."""
    await connection.execute(insert(revisions).values(resource_id=resource_id, number=number, recipe=dict(recipe), created_at=now, created_by=by))
    await connection.execute(update(resources).where(resources.c.id == resource_id).values(revision=number, updated_at=now))


async def revision(connection: AsyncConnection, resource_id: str, number: int) -> Row | None:
    return (await connection.execute(select(revisions).where(revisions.c.resource_id == resource_id, revisions.c.number == number))).mappings().first()


async def history(connection: AsyncConnection, resource_id: str) -> list[Row]:
    return list((await connection.execute(select(revisions).where(revisions.c.resource_id == resource_id).order_by(revisions.c.number.desc()))).mappings())


async def change(connection: AsyncConnection, resource_id: str, **values: Any) -> None:
    await connection.execute(update(resources).where(resources.c.id == resource_id).values(**values))


async def taken_hosts(connection: AsyncConnection, prefix: str) -> set[str]:
    """Hosts in use that are `prefix` or `prefix-…`."""
    query = select(resources.c.host).where(or_(resources.c.host == prefix, resources.c.host.like(f"{prefix}-%")))
    return set((await connection.execute(query)).scalars())


async def set_schedules(connection: AsyncConnection, resource_id: str, entries: list[dict[str, Any]]) -> None:
    """Replace the schedules of a job: each {"position", "schedule", "next_at"}."""
    await connection.execute(delete(schedules).where(schedules.c.resource_id == resource_id))
    if entries:
        await connection.execute(insert(schedules), [{"resource_id": resource_id, **each} for each in entries])


async def schedule_rows(connection: AsyncConnection, resource_id: str) -> list[Row]:
    return list((await connection.execute(select(schedules).where(schedules.c.resource_id == resource_id))).mappings())


async def schedules_of(connection: AsyncConnection, resource_ids: Collection[str]) -> dict[str, datetime]:
    """The next time of each of these jobs that has one."""
    query = (
        select(schedules.c.resource_id, func.min(schedules.c.next_at)).where(schedules.c.resource_id.in_(list(resource_ids))).group_by(schedules.c.resource_id)
    )
    return {row[0]: row[1] for row in (await connection.execute(query)).all() if row[1]}


async def due_schedules(connection: AsyncConnection, now: datetime, limit: int = 200) -> list[Row]:
    """Schedules whose time has come, the oldest first."""
    return list((await connection.execute(select(schedules).where(schedules.c.next_at <= now).order_by(schedules.c.next_at).limit(limit))).mappings())


async def move_schedule(connection: AsyncConnection, resource_id: str, position: int, old: datetime, next_at: datetime | None) -> None:
    """Set when a schedule is due next, unless somebody edited it since it was read as `old`."""
    same = (schedules.c.resource_id == resource_id, schedules.c.position == position, schedules.c.next_at == old)
    await connection.execute(update(schedules).where(*same).values(next_at=next_at))


async def next_due(connection: AsyncConnection, after: datetime) -> datetime | None:
    """When the earliest schedule after `after` is due."""
    return (await connection.execute(select(schedules.c.next_at).where(schedules.c.next_at > after).order_by(schedules.c.next_at).limit(1))).scalar()
