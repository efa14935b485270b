"""What every use case writes beside its state: an audit row, an event, and a span of usage where something costs."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import delete, func, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from saturn_hub.model.usage import billionths, cost, money
from saturn_hub.store.database import TOLD, Row, new_id
from saturn_hub.store.tables import audit, events, idempotency, resources, usage


async def note(connection: AsyncConnection, now: datetime, who: str, action: str, subject: str, **detail: Any) -> None:
    """One audit row: `who` did `action` to `subject`."""
    await connection.execute(insert(audit).values(id=new_id(), at=now, who=who, action=action, subject=subject, detail=detail))


async def tell(connection: AsyncConnection, now: datetime, resource_id: str, kind: str, subject: str, state: str) -> None:
    """One event, for pages that are open."""
    await connection.execute(insert(events).values(at=now, resource_id=resource_id, kind=kind, subject=subject, state=state))
    connection.info[TOLD] = True


async def made_by(connection: AsyncConnection, key: str) -> str | None:
    """What a request with this idempotency key made before, None where it is new."""
    found = (await connection.execute(select(idempotency.c.subject).where(idempotency.c.key == key))).scalar()
    return str(found) if found else None


async def remember(connection: AsyncConnection, now: datetime, key: str, subject: str) -> None:
    """A request with this idempotency key made `subject`."""
    await connection.execute(insert(idempotency).values(key=key, subject=subject, at=now))


async def open_span(connection: AsyncConnection, now: datetime, resource: Row, subject: str, size: str, price_per_hour: str) -> None:
    """Begin to count what `subject` costs, at the price of now. Doing it again changes nothing."""
    if (await connection.execute(select(usage.c.id).where(usage.c.subject == subject))).scalar():
        return
    values = {"resource_id": resource["id"], "owner_kind": resource["owner_kind"], "owner_id": resource["owner_id"]}
    await connection.execute(insert(usage).values(id=new_id(), subject=subject, size=size, price_per_hour=price_per_hour, started_at=now, **values))


async def close_span(connection: AsyncConnection, at: datetime, subject: str) -> None:
    """End the count of `subject`, and add it to what its resource has spent. A span that has ended stays as it is."""
    span = (await connection.execute(select(usage).where(usage.c.subject == subject, usage.c.finished_at.is_(None)))).mappings().first()
    if span is None:
        return
    end = max(at, span["started_at"])
    amount = billionths(cost(span["price_per_hour"], span["started_at"], end))
    await connection.execute(update(usage).where(usage.c.id == span["id"]).values(finished_at=end, amount=amount))
    await connection.execute(update(resources).where(resources.c.id == span["resource_id"]).values(spent=resources.c.spent + amount))


async def drop_span(connection: AsyncConnection, subject: str) -> None:
    """Take back the count of something that did not start after all."""
    await connection.execute(delete(usage).where(usage.c.subject == subject, usage.c.finished_at.is_(None)))


async def spans_of(connection: AsyncConnection, subjects: Collection[str]) -> list[Row]:
    return list((await connection.execute(select(usage).where(usage.c.subject.in_(list(subjects))))).mappings())


async def open_spans(connection: AsyncConnection, resource_ids: Collection[str] | None = None) -> list[Row]:
    """What costs now, of these resources or of all."""
    query = select(usage).where(usage.c.finished_at.is_(None))
    return list((await connection.execute(query if resource_ids is None else query.where(usage.c.resource_id.in_(list(resource_ids))))).mappings())


async def spent_since(connection: AsyncConnection, owner_ids: Collection[str], since: datetime, now: datetime) -> Decimal:
    """What these owners' work cost in [since, now], added up by the database but for the spans that cross an end."""
    mine = usage.c.owner_id.in_(list(owner_ids))
    whole = select(func.coalesce(func.sum(usage.c.amount), 0)).where(mine, usage.c.started_at >= since)
    total = money(int((await connection.execute(whole)).scalar_one()))
    crossing = (usage.c.started_at < since) & (usage.c.finished_at > since)
    rows = (await connection.execute(select(usage).where(mine, crossing | usage.c.finished_at.is_(None)))).mappings()
    return total + sum((cost(each["price_per_hour"], max(each["started_at"], since), each["finished_at"] or now) for each in rows), Decimal(0))


async def audit_rows(connection: AsyncConnection, limit: int = 100) -> list[Row]:
    """The newest audit rows first."""
    return list((await connection.execute(select(audit).order_by(audit.c.id.desc()).limit(limit))).mappings())


async def newest_event(connection: AsyncConnection) -> int:
    """The id of the last event, 0 where there is none."""
    return int((await connection.execute(select(func.coalesce(func.max(events.c.id), 0)))).scalar_one())


async def events_of(connection: AsyncConnection, owners: Collection[tuple[str, str]] | None, last: int, limit: int = 500) -> list[Row]:
    """Events above `last` in order, of the resources of `owners` (None: of everyone), with the resource's kind, name and owner."""
    taken = (resources.c.kind.label("resource_kind"), resources.c.name, resources.c.owner_kind, resources.c.owner_id)
    query = select(events, *taken).join(resources, resources.c.id == events.c.resource_id).where(events.c.id > last).order_by(events.c.id).limit(limit)
    if owners is not None:
        query = query.where(tuple_(resources.c.owner_kind, resources.c.owner_id).in_(list(owners)))
    return list((await connection.execute(query)).mappings())


async def events_after(connection: AsyncConnection, last: int, limit: int = 500) -> list[Row]:
    """Events with an id above `last`, in order."""
    return list((await connection.execute(select(events).where(events.c.id > last).order_by(events.c.id).limit(limit))).mappings())


async def forget_events(connection: AsyncConnection, before: datetime) -> None:
    """Drop events that no open page can still wait for."""
    await connection.execute(delete(events).where(events.c.at < before))
