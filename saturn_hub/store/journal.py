"""What every use case writes beside its state: an audit row, an event, and a span of usage where something costs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from saturn_hub.store.database import TOLD, Row, new_id
from saturn_hub.store.tables import audit, events, usage


async def note(connection: AsyncConnection, now: datetime, who: str, action: str, subject: str, **detail: Any) -> None:
    """One audit row: `who` did `action` to `subject`."""
    await connection.execute(insert(audit).values(id=new_id(), at=now, who=who, action=action, subject=subject, detail=detail))


async def tell(connection: AsyncConnection, now: datetime, resource_id: str, kind: str, subject: str, state: str) -> None:
    """One event, for pages that are open."""
    await connection.execute(insert(events).values(at=now, resource_id=resource_id, kind=kind, subject=subject, state=state))
    connection.info[TOLD] = True


async def open_span(connection: AsyncConnection, now: datetime, resource: Row, subject: str, size: str, price_per_hour: str) -> None:
    """Begin to count what `subject` costs, at the price of now. Doing it again changes nothing."""
    if (await connection.execute(select(usage.c.id).where(usage.c.subject == subject))).scalar():
        return
    values = {"resource_id": resource["id"], "owner_kind": resource["owner_kind"], "owner_id": resource["owner_id"]}
    await connection.execute(insert(usage).values(id=new_id(), subject=subject, size=size, price_per_hour=price_per_hour, started_at=now, **values))


async def close_span(connection: AsyncConnection, now: datetime, subject: str) -> None:
    """End the count of `subject`."""
    await connection.execute(update(usage).where(usage.c.subject == subject, usage.c.finished_at.is_(None)).values(finished_at=now))


async def spans(connection: AsyncConnection, since: datetime | None = None, resource_id: str | None = None) -> list[Row]:
    """Spans that touch the time after `since`, of one resource or all."""
    query = select(usage)
    if since:
        query = query.where((usage.c.finished_at.is_(None)) | (usage.c.finished_at > since))
    if resource_id:
        query = query.where(usage.c.resource_id == resource_id)
    return list((await connection.execute(query)).mappings())


async def audit_rows(connection: AsyncConnection, limit: int = 100) -> list[Row]:
    """The newest audit rows first."""
    return list((await connection.execute(select(audit).order_by(audit.c.id.desc()).limit(limit))).mappings())


async def events_after(connection: AsyncConnection, last: int, limit: int = 500) -> list[Row]:
    """Events with an id above `last`, in order."""
    return list((await connection.execute(select(events).where(events.c.id > last).order_by(events.c.id).limit(limit))).mappings())
