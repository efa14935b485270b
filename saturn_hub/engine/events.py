"""What happens to the things that a person may see, as it happens."""

from __future__ import annotations

from collections.abc import AsyncIterator

from saturn_hub.engine.context import JSON, Context, Key, iso, owners_of
from saturn_hub.model.access import Person
from saturn_hub.model.workload import Kind, Owner, OwnerKind
from saturn_hub.store import journal, people


async def follow(context: Context, person: Person, after: int | None = None) -> AsyncIterator[tuple[int, JSON]]:
    """Each event above `after` (None: from now on) with its id, in order, without end. Admins see everyone's."""
    last = after
    while True:
        change = context.database.changes.next()
        async with context.database.read() as connection:
            owners = None if person.admin else await owners_of(connection, person)
            if last is None:
                last = await journal.newest_event(connection)
            rows = await journal.events_of(connection, owners, last)
            names = await people.owner_names(connection, {(each["owner_kind"], each["owner_id"]) for each in rows})
        for row in rows:
            last = row["id"]
            owner = Owner(OwnerKind(row["owner_kind"]), names[(row["owner_kind"], row["owner_id"])])
            key = Key(Kind(row["resource_kind"]), owner, row["name"])
            yield row["id"], {"resource": str(key), **{each: row[each] for each in ("kind", "subject", "state")}, "at": iso(row["at"])}
        if not rows:
            await change.wait()
