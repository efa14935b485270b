"""What every use case needs: the database, the backend, the catalog, the clock, and the look-up of a resource with permission."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncConnection

from saturn_hub.backends.base import Backend
from saturn_hub.errors import Forbidden, NotFound
from saturn_hub.model.access import Permission, Person, permissions
from saturn_hub.model.catalog import Catalog
from saturn_hub.model.resolve import Machine
from saturn_hub.model.workload import Kind, Owner, OwnerKind
from saturn_hub.store import journal, people, resources
from saturn_hub.store.database import Database, Row
from saturn_hub.store.tables import app_logins, idempotency

EVENTS_KEPT = timedelta(days=2)
KEYS_KEPT = timedelta(days=7)


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Context:
    """Shared by the use cases of one service. `wake` is set by each write that a loop has to act on."""

    database: Database
    backend: Backend
    catalog: Catalog
    files: Path
    machine: Machine
    app_url: Callable[[str], str]
    now: Callable[[], datetime] = utc_now
    # Whether people's passwords and teams are ours to change, or another authenticator's.
    people_managed: bool = False
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def price(self, size: str) -> Decimal:
        """The price of an hour of `size` now; zero where the catalog has it no more."""
        found = self.catalog.size(size)
        return found.price_per_hour if found else Decimal(0)


@dataclass(frozen=True)
class Key:
    """How a resource is named from outside."""

    kind: Kind
    owner: Owner
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.owner}/{self.name}"


async def load(connection: AsyncConnection, person: Person, key: Key, permission: Permission) -> Row:
    """The resource's row. NotFound for whom it does not exist, Forbidden for who sees it but may not do this."""
    owner_id = await people.owner_id(connection, key.owner)
    row = await resources.find(connection, key.kind, key.owner.kind, owner_id, key.name) if owner_id else None
    allowed = permissions(person, key.owner)
    if row is None or Permission.SEE not in allowed:
        raise NotFound(f"There is no {key.kind} '{key.name}' of {key.owner} that you may see.")
    if permission not in allowed:
        raise Forbidden(f"You may see the {key.kind} '{key.name}' of {key.owner}, but not {permission} it.")
    return row


async def owner_of(connection: AsyncConnection, row: Row) -> Owner:
    """The owner of a resource's row, with the name of now."""
    names = await people.owner_names(connection, [(row["owner_kind"], row["owner_id"])])
    return Owner(OwnerKind(row["owner_kind"]), names[(row["owner_kind"], row["owner_id"])])


async def key_of(connection: AsyncConnection, row: Row) -> Key:
    return Key(Kind(row["kind"]), await owner_of(connection, row), row["name"])


async def owners_of(connection: AsyncConnection, person: Person) -> set[tuple[str, str]]:
    """The owners whose things `person` has: themselves and their teams."""
    found = {(str(OwnerKind.PERSON), person.id)}
    return found | {(str(OwnerKind.TEAM), each) for each in await people.team_ids(connection, person.teams)}


async def sweep(context: Context) -> None:
    """Drop rows that no one can use any more."""
    now = context.now()
    async with context.database.begin() as connection:
        await journal.forget_events(connection, now - EVENTS_KEPT)
        await connection.execute(delete(app_logins).where(app_logins.c.expires_at < now))
        await connection.execute(delete(idempotency).where(idempotency.c.at < now - KEYS_KEPT))


def iso(moment: datetime | None) -> str | None:
    """A time as the API writes it."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None


def money(amount: Decimal) -> str:
    """An amount as the API writes it, to a hundredth of a cent."""
    return str(amount.quantize(Decimal("0.0001")))


JSON = dict[str, Any]
