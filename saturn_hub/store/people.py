"""People and teams, mirrored from the hub."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from saturn_hub.model.access import Person
from saturn_hub.model.workload import Owner, OwnerKind
from saturn_hub.store.database import Row, new_id
from saturn_hub.store.tables import memberships, people, teams


async def mirror(connection: AsyncConnection, name: str, admin: bool, groups: Collection[str], now: datetime | None, *, disabled: bool | None = None) -> Person:
    """Make our rows of one person say what the hub says, and return the person. `now` is None where they were not here themselves."""
    found = (await connection.execute(select(people.c.id, people.c.disabled).where(people.c.name == name))).mappings().first()
    person_id = found["id"] if found else new_id()
    off = disabled if disabled is not None else bool(found and found["disabled"])
    values = {"admin": admin, "disabled": off, "removed_at": None, **({"seen_at": now} if now else {})}
    if found:
        await connection.execute(update(people).where(people.c.id == person_id).values(**values))
    else:
        await connection.execute(insert(people).values(id=person_id, name=name, **values))
    team_ids = [await team_id(connection, group) for group in sorted(groups)]
    await connection.execute(delete(memberships).where(memberships.c.person_id == person_id))
    if team_ids:
        await connection.execute(insert(memberships), [{"person_id": person_id, "team_id": each} for each in team_ids])
    return Person(person_id, name, admin, frozenset(groups), off)


async def mark_removed(connection: AsyncConnection, names: Collection[str], now: datetime) -> None:
    """The hub knows these people no more. What is theirs stays, and they come back as they were."""
    await connection.execute(update(people).where(people.c.name.in_(names)).values(removed_at=now))


async def listed(connection: AsyncConnection) -> list[Row]:
    """The row of each person by name, with what is kept of them beside who they are."""
    return list((await connection.execute(select(people).order_by(people.c.name))).mappings().all())


async def team_names(connection: AsyncConnection) -> list[str]:
    return list((await connection.execute(select(teams.c.name).order_by(teams.c.name))).scalars())


async def team_id(connection: AsyncConnection, name: str) -> str:
    """The id of a team, made where it is new."""
    found = (await connection.execute(select(teams.c.id).where(teams.c.name == name))).scalar()
    if found:
        return str(found)
    made = new_id()
    await connection.execute(insert(teams).values(id=made, name=name))
    return made


async def team_ids(connection: AsyncConnection, names: Collection[str]) -> list[str]:
    """The ids of those of these teams that there are."""
    return list((await connection.execute(select(teams.c.id).where(teams.c.name.in_(list(names))))).scalars()) if names else []


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
    return [Person(row["id"], row["name"], row["admin"], frozenset(groups.get(row["id"], ())), _off(row)) for row in rows]


async def owner_id(connection: AsyncConnection, owner: Owner) -> str | None:
    """The id behind an owner's name, None where nobody is called so."""
    table = teams if owner.kind is OwnerKind.TEAM else people
    found = (await connection.execute(select(table.c.id).where(table.c.name == owner.name))).scalar()
    return str(found) if found else None


async def owner_names(connection: AsyncConnection, owners: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """The name of each of these owners by (kind, id)."""
    names = {}
    for kind, table in ((OwnerKind.PERSON, people), (OwnerKind.TEAM, teams)):
        wanted = {each[1] for each in owners if each[0] == kind}
        if wanted:
            for row_id, name in (await connection.execute(select(table.c.id, table.c.name).where(table.c.id.in_(wanted)))).all():
                names[(str(kind), row_id)] = name
    return names


async def _person(connection: AsyncConnection, condition: object) -> Person | None:
    row = (await connection.execute(select(people).where(condition))).mappings().first()  # type: ignore[arg-type]
    if row is None:
        return None
    joined = select(teams.c.name).join(memberships, memberships.c.team_id == teams.c.id).where(memberships.c.person_id == row["id"])
    return Person(row["id"], row["name"], row["admin"], frozenset((await connection.execute(joined)).scalars()), _off(row))


def _off(row: Row) -> bool:
    """Whether somebody may do nothing now: disabled by an admin, or removed at the hub."""
    return bool(row["disabled"] or row["removed_at"])
