"""People and teams: who there is, for admins to add, change and disable where their passwords are ours; mirrored from the hub where not."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from saturn_hub.backends.local import accounts
from saturn_hub.backends.local.accounts import Account
from saturn_hub.engine.context import JSON, Context, iso
from saturn_hub.errors import Conflict, Forbidden, InvalidInput, NotFound, Problem
from saturn_hub.model.access import Person
from saturn_hub.store import journal, people

NAME = re.compile(r"[a-z][a-z0-9._@-]{0,63}")
TEAM = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


@dataclass(frozen=True)
class Seen:
    """One person as the hub lists them."""

    name: str
    admin: bool
    groups: frozenset[str]


async def listing(context: Context, person: Person) -> JSON:
    """Everyone, and every team. Admins only."""
    _administer(person)
    known = _accounts(context)
    async with context.database.begin() as connection:
        rows = {row["name"]: row for row in await people.listed(connection)}
        everyone = {each.name: each for each in await people.everyone(connection)}
        teams = await people.team_names(connection)
    items = []
    for name in sorted(known.keys() | everyone.keys()):
        mirrored, account = everyone.get(name) or Person("", name), known.get(name)
        items.append(
            {
                "name": name,
                "admin": account.admin if account else mirrored.admin,
                "teams": sorted(account.groups if account else mirrored.teams),
                "disabled": account.disabled if account else mirrored.disabled,
                "seen_at": iso(rows[name]["seen_at"]) if name in rows else None,
                "managed": account is not None,
            }
        )
    return {"items": items, "teams": sorted({*teams, *(team for each in known.values() for team in each.groups)})}


async def add(context: Context, person: Person, document: Mapping[str, Any]) -> JSON:
    """Add somebody: {name, admin, teams}. Gives their first password, which is shown here and nowhere else."""
    _manage(context, person)
    name, teams = str(document.get("name", "")), list(document.get("teams", ()))
    if problems := name_problems(name) + team_problems(teams):
        raise InvalidInput.of(problems)
    password, encoded = accounts.new_password()
    async with context.database.begin() as connection:
        with accounts.changing(context.files) as known:
            if name in known or await people.by_name(connection, name):
                raise Conflict(f"There is somebody called '{name}' already.", path="name", code="name_taken")
            known[name] = Account(encoded, bool(document.get("admin")), tuple(sorted(set(teams))))
            await _mirror(context, connection, name, known[name])
            await _note(context, connection, person, "add", name, admin=known[name].admin, teams=list(known[name].groups))
    return {"name": name, "password": password}


async def change(context: Context, person: Person, name: str, document: Mapping[str, Any]) -> JSON:
    """Change what somebody is: {admin, teams, disabled}, each as far as it is given. Holds at once. Gives the person as listed."""
    _manage(context, person)
    if problems := team_problems(document.get("teams", ())):
        raise InvalidInput.of(problems)
    given = {key: document[key] for key in ("admin", "disabled") if document.get(key) is not None}
    if document.get("teams") is not None:
        given["groups"] = tuple(sorted(set(document["teams"])))
    async with context.database.begin() as connection:
        with accounts.changing(context.files) as known:
            account = replace(_account(known, name), **given)
            if name == person.name and (account.disabled or not account.admin):
                raise Conflict("You cannot take the admin's rights from yourself: another admin can.", path="disabled" if account.disabled else "admin")
            known[name] = account
            await _mirror(context, connection, name, account)
            await _note(context, connection, person, "change", name, **{("teams" if key == "groups" else key): value for key, value in given.items()})
    found = await listing(context, person)
    return next(dict(each) for each in found["items"] if each["name"] == name)


async def new_password(context: Context, person: Person, name: str) -> JSON:
    """Give somebody another password, which is shown here and nowhere else. The old one opens nothing from now on."""
    _manage(context, person)
    _account(_accounts(context), name)
    password = accounts.set_password(context.files, name)
    async with context.database.begin() as connection:
        await _note(context, connection, person, "password", name)
    return {"password": password}


async def arrive(context: Context, name: str, admin: bool, groups: Collection[str]) -> Person:
    """Somebody is here, and the hub says this of them. Gives them as they are with us: what our own account says comes before the hub's memory."""
    account = _accounts(context).get(name)
    async with context.database.begin() as connection:
        if account:
            return await _mirror(context, connection, name, account, here=True)
        return await people.mirror(connection, name, admin, groups, context.now())


async def mirror(context: Context, found: Iterable[Seen]) -> None:
    """A page of the hub's people, who are not here themselves. Writes only what changed."""
    known = _accounts(context)
    async with context.database.begin() as connection:
        before = {each.name: each for each in await people.everyone(connection)}
        for each in found:
            old, account = before.get(each.name), known.get(each.name)
            if account:
                if old is None or (old.admin, old.teams, old.disabled) != (account.admin, frozenset(account.groups), account.disabled):
                    await _mirror(context, connection, each.name, account)
            elif old is None or old.disabled or (old.admin, old.teams) != (each.admin, each.groups):
                await people.mirror(connection, each.name, each.admin, each.groups, None, disabled=False)


async def mirror_accounts(context: Context) -> None:
    """Whoever has an account here is known before they first come, so that something can be shared with them."""
    async with context.database.begin() as connection:
        before = {each.name for each in await people.everyone(connection)}
        for name, account in _accounts(context).items():
            if name not in before:
                await _mirror(context, connection, name, account)


async def mark_missing(context: Context, seen: Collection[str]) -> list[str]:
    """Mark those whom neither the hub nor our own accounts know any more. Gives their names."""
    known = _accounts(context)
    async with context.database.begin() as connection:
        rows = await people.listed(connection)
        gone = [row["name"] for row in rows if row["name"] not in seen and row["name"] not in known and row["removed_at"] is None]
        if gone:
            await people.mark_removed(connection, gone, context.now())
    return gone


def name_problems(name: str) -> list[Problem]:
    """Why nobody can be called so: JupyterHub's rules and ours."""
    if name.startswith("team:"):
        return [Problem("name_reserved", "A name cannot begin with 'team:', which is how a team is written.", "name")]
    if name != name.lower():
        return [Problem("name_case", f"Names are in lower case: write '{name.lower()}'.", "name")]
    if not NAME.fullmatch(name):
        return [Problem("name_invalid", "A name begins with a letter from a to z and has at most 64 of a-z, 0-9, '.', '_', '@' and '-'.", "name")]
    return []


def team_problems(teams: Iterable[Any]) -> list[Problem]:
    message = "A team's name has at most 63 of a-z, 0-9, '.', '_' and '-', and begins with a letter or a number."
    return [Problem("team_invalid", message, f"teams[{index}]") for index, each in enumerate(teams or ()) if not TEAM.fullmatch(str(each))]


def _accounts(context: Context) -> dict[str, Account]:
    return accounts.read(context.files) if context.people_managed else {}


def _account(known: Mapping[str, Account], name: str) -> Account:
    if name not in known:
        raise NotFound(f"There is nobody called '{name}' whose password is kept here.")
    return known[name]


def _administer(person: Person) -> None:
    if not person.admin:
        raise Forbidden("Only an admin sees and changes the people.")


def _manage(context: Context, person: Person) -> None:
    _administer(person)
    if not context.people_managed:
        raise Conflict("People sign in by another authenticator here: add, change and disable them there.", code="not_managed")


async def _mirror(context: Context, connection: AsyncConnection, name: str, account: Account, here: bool = False) -> Person:
    return await people.mirror(connection, name, account.admin, account.groups, context.now() if here else None, disabled=account.disabled)


async def _note(context: Context, connection: AsyncConnection, by: Person, what: str, name: str, **detail: Any) -> None:
    await journal.note(connection, context.now(), by.name, f"person.{what}", f"person/{name}", **detail)
