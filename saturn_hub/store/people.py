"""People and teams, mirrored from the hub."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from saturn_hub.model.access import Person
from saturn_hub.model.workload import Owner, OwnerKind
from saturn_hub.store.database import new_id
from saturn_hub.store.tables import memberships, people, teams


async def mirror(connection: AsyncConnection, name: str, admin: bool, groups: Collection[str], now: datetime) -> Person:
    """Make our rows of one person say what the hub says, and return the person."""
    found = (await connection.execute(select(people.c.id).where(people.c.name == name))).scalar()
    person_id = found or new_id()
    if found:
        await connection.execute(update(people).where(people.c.id == found).values(admin=admin, seen_at=now))
    else:
        await connection.execute(insert(people).values(id=person_id, name=name, admin=admin, seen_at=now))
    team_ids = [await team_id(connection, group) for group in sorted(groups)]
    await connection.execute(delete(memberships).where(memberships.c.person_id == person_id))
    if team_ids:
        await connection.execute(insert(memberships), [{"person_id": person_id, "team_id": each} for each in team_ids])
    return Person(person_id, name, admin, frozenset(groups))


async def team_id(connection: AsyncConnection, name: str) -> str:
    """The id of a team, made where it is new."""
    found = (await connection.execute(select(teams.c.id).where(teams.c.name == name))).scalar()
    if found:
        return str(found)
    made = new_id()
    await connection.execute(insert(teams).values(id=made, name=name))
    return made


async def by_name(connection: AsyncConnection, name: str) -> Person | None:
    return await _person(connection, people.c.name == name)


async def by_id(connection: AsyncConnection, person_id: str) -> Person | None:
    return await _person(connection, people.c.id == person_id)


async def everyone(connection: AsyncConnection) -> list[Person]:
    """All people by name, from two queries."""
    rows = (await connection.execute(select(people).order_by(people.c.name))).mappings().all()
    joined = select(memberships.c.person_id, teams.c.name).join(teams, teams.c.id == memberships.c.team_id)
    groups: dict[str, set[str]] = {}
    for person_id, team in (await connection.execute(joined)).all():
        groups.setdefault(person_id, set()).add(team)
    return [Person(row["id"], row["name"], row["admin"], frozenset(groups.get(row["id"], ()))) for row in rows]


async def owner_id(connection: AsyncConnection, owner: Owner) -> str | None:
    """The id behind an owner's name, None where nobody is called so."""
    table = teams if owner.kind is OwnerKind.TEAM else people
    found = (await connection.execute(select(table.c.id).where(table.c.name == owner.name))).scalar()
    return str(found) if found else None


async def owner_names(connection: AsyncConnection) -> dict[tuple[str, str], str]:
    """The name of each owner by (kind, id)."""
    names = {}
    for kind, table in ((OwnerKind.PERSON, people), (OwnerKind.TEAM, teams)):
        for row_id, name in (await connection.execute(select(table.c.id, table.c.name))).all():
            names[(str(kind), row_id)] = name
    return names


async def _person(connection: AsyncConnection, condition: object) -> Person | None:
    row = (await connection.execute(select(people).where(condition))).mappings().first()  # type: ignore[arg-type]
    if row is None:
        return None
    joined = select(teams.c.name).join(memberships, memberships.c.team_id == teams.c.id).where(memberships.c.person_id == row["id"])
    return Person(row["id"], row["name"], row["admin"], frozenset((await connection.execute(joined)).scalars()))
