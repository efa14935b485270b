"""Save, list, show and delete resources by their recipes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from saturn_hub.engine.context import JSON, Context, Key, iso, load, money, owners_of
from saturn_hub.errors import Conflict, Forbidden, InvalidInput, NotFound, PreconditionFailed, Problem
from saturn_hub.model import recipe as recipes
from saturn_hub.model.access import Permission, Person, permissions
from saturn_hub.model.recipe import RESERVED_HOSTS, Recipe, ScheduleEntry
from saturn_hub.model.resolve import resolve
from saturn_hub.model.schedule import next_time
from saturn_hub.model.states import LIVE_SESSION, LIVE_VERSION
from saturn_hub.model.usage import cost
from saturn_hub.model.usage import money as amount
from saturn_hub.model.workload import Kind, Owner, OwnerKind
from saturn_hub.store import journal, lives, people, resources, runs
from saturn_hub.store.database import Row
from saturn_hub.store.tables import sessions, versions


async def save(context: Context, person: Person, document: Mapping[str, Any], *, create: bool, expected: int | None = None) -> JSON:
    """Make a resource or give it a new revision. Saving what is there already changes nothing.

    Raises InvalidInput with every problem, Conflict when `create` meets one of that name, PreconditionFailed when
    `expected` is not the current revision.
    """
    recipe = recipes.read(document)
    owner = recipe.owned_by(person.name)
    # An admin may start and stop what is another's, so `resolve` lets them; what it is stays its owner's to say.
    if person.admin and Permission.EDIT not in permissions(person, owner):
        raise Forbidden(f"What belongs to {owner} is edited by {owner} alone.", path="owner")
    resolve(recipe, person, context.catalog, context.machine)
    recipe = recipe.model_copy(update={"owner": str(owner)})
    now = context.now()
    async with context.database.begin() as connection:
        owner_id = await people.owner_id(connection, owner)
        if owner_id is None:
            raise InvalidInput(f"There is nobody called {owner}.", path="owner", code="owner_unknown")
        row = await resources.find(connection, recipe.kind, owner.kind, owner_id, recipe.name)
        if row is None:
            if expected is not None:
                raise PreconditionFailed(f"There is no {recipe.kind} '{recipe.name}' at revision {expected}; it may have been deleted.")
            row_id = await _create(connection, now, person, recipe, owner, owner_id)
        else:
            row_id = row["id"]
            if create:
                raise Conflict(f"{owner} already has a {recipe.kind} called '{recipe.name}'.", path="name", code="name_taken")
            await _revise(connection, now, person, recipe, row, expected)
        await _set_schedules(connection, now, row_id, recipe)
        await journal.tell(connection, now, row_id, recipe.kind, row_id, "saved")
    context.wake.set()
    return await show(context, person, Key(recipe.kind, owner, recipe.name))


async def check(context: Context, person: Person, document: Mapping[str, Any], *, create: bool) -> list[Problem]:
    """Every problem that `save` would find with this recipe, a name that is taken among them. Writes nothing."""
    try:
        recipe = recipes.read(document)
    except InvalidInput as error:
        return [*error.details, *(await _name_taken(context, person, document) if create else [])]
    problems: list[Problem] = []
    try:
        resolve(recipe, person, context.catalog, context.machine)
    except InvalidInput as error:
        problems += error.details
    owner = recipe.owned_by(person.name)
    async with context.database.read() as connection:
        owner_id = await people.owner_id(connection, owner)
        row = await resources.find(connection, recipe.kind, owner.kind, owner_id, recipe.name) if owner_id else None
        if row is not None and create and not any(each.path == "owner" for each in problems):
            problems.append(Problem("name_taken", f"{owner} already has a {recipe.kind} called '{recipe.name}'.", "name"))
        if recipe.kind is Kind.APP and recipe.host and row is None:
            taken = await resources.taken_hosts(connection, recipe.host)
            problems += [Problem("host_taken", f"The host '{recipe.host}' is taken.", "host")] if recipe.host in taken else []
    return problems


async def _name_taken(context: Context, person: Person, document: Mapping[str, Any]) -> list[Problem]:
    """Whether the name of a recipe that cannot be read yet is taken: said at once, not when the rest is right."""
    kind, name = document.get("kind"), document.get("name")
    if kind not in list(Kind) or not isinstance(name, str) or not isinstance(document.get("owner", ""), str):
        return []
    try:
        owner = Owner.parse(document.get("owner") or person.name)
    except ValueError:
        return []
    if Permission.EDIT not in permissions(person, owner):
        return []
    async with context.database.read() as connection:
        owner_id = await people.owner_id(connection, owner)
        found = await resources.find(connection, Kind(kind), owner.kind, owner_id, name) if owner_id else None
    return [Problem("name_taken", f"{owner} already has a {kind} called '{name}'.", "name")] if found else []


async def show(context: Context, person: Person, key: Key) -> JSON:
    """One resource as the API gives it."""
    async with context.database.read() as connection:
        row = dict(await load(connection, person, key, Permission.SEE))
        revision = await resources.revision(connection, row["id"], row["revision"])
        assert revision is not None
        return (await describe(context, connection, [{**row, "recipe": revision["recipe"]}]))[0]


async def listing(
    context: Context,
    person: Person,
    kind: Kind | None = None,
    *,
    everyone: bool = False,
    after: str = "",
    limit: int = 100,
    state: str = "",
    search: str = "",
) -> JSON:
    """What `person` and their teams have; with `everyone`, what all have (for admins). In `state` alone, or with `search` in the name."""
    items: list[JSON] = []
    async with context.database.read() as connection:
        owners = None if everyone and person.admin else await owners_of(connection, person)
        # A state is that of the newest run, session or version: it is looked at page by page until enough is found.
        while True:
            rows = await resources.listing(connection, kind, owners, after, limit, search)
            for row, item in zip(rows, await describe(context, connection, rows), strict=True):
                after = row["id"]
                if not state or item["state"] == state:
                    items.append(item)
                    if len(items) == limit:
                        return {"items": items, "next": after}
            if len(rows) < limit:
                return {"items": items, "next": None}


async def revisions(context: Context, person: Person, key: Key) -> JSON:
    async with context.database.read() as connection:
        row = await load(connection, person, key, Permission.SEE)
        found = await resources.history(connection, row["id"])
    return {
        "items": [
            {"number": each["number"], "recipe": each["recipe"], "created_at": iso(each["created_at"]), "created_by": each["created_by"]} for each in found
        ],
        "next": None,
    }


async def restore(context: Context, person: Person, key: Key, number: int, *, expected: int | None = None) -> JSON:
    """Make an earlier revision's recipe the newest revision."""
    async with context.database.begin() as connection:
        row = await load(connection, person, key, Permission.EDIT)
        old = await resources.revision(connection, row["id"], number)
    if old is None:
        raise NotFound(f"{key} has no revision {number}.")
    return await save(context, person, old["recipe"], create=False, expected=expected)


async def delete(context: Context, person: Person, key: Key, *, expected: int | None = None) -> None:
    """Take a resource away. Its rows, runs and files are kept for the record; what runs has to be stopped before."""
    now = context.now()
    async with context.database.begin() as connection:
        row = await load(connection, person, key, Permission.EDIT)
        _unmoved(row, expected)
        if await _living(connection, row):
            raise Conflict(f"The {key.kind} '{key.name}' is still running. Stop it first.", code="still_running")
        await resources.change(connection, row["id"], deleted=row["id"], host=None, updated_at=now)
        await resources.set_schedules(connection, row["id"], [])
        await journal.note(connection, now, person.name, f"{key.kind}.delete", str(key))
        await journal.tell(connection, now, row["id"], key.kind, row["id"], "deleted")


async def describe(context: Context, connection: AsyncConnection, rows: list[Any]) -> list[JSON]:
    """Rows (with `recipe`) as the API gives them, from a fixed number of queries."""
    ids = [row["id"] for row in rows]
    kinds = {kind: [row["id"] for row in rows if row["kind"] == kind] for kind in Kind}
    names = await people.owner_names(connection, {(row["owner_kind"], row["owner_id"]) for row in rows})
    last_runs = await runs.last_of_each(connection, kinds[Kind.JOB])
    last_sessions = await lives.newest_of_each(connection, sessions, kinds[Kind.WORKSPACE])
    last_versions = await lives.newest_of_each(connection, versions, kinds[Kind.APP])
    next_runs = await resources.schedules_of(connection, kinds[Kind.JOB])
    now = context.now()
    spent = {row["id"]: amount(row["spent"]) for row in rows}
    for span in await journal.open_spans(connection, ids):
        spent[span["resource_id"]] += cost(span["price_per_hour"], span["started_at"], now)
    live = [each["unit"] for each in (*last_sessions.values(), *last_versions.values()) if each["state"] in ("starting", "deploying")]
    statuses = await context.backend.statuses(live) if live else {}
    found = []
    for row in rows:
        life = {Kind.JOB: last_runs, Kind.WORKSPACE: last_sessions, Kind.APP: last_versions}[Kind(row["kind"])].get(row["id"])
        owner = Owner(OwnerKind(row["owner_kind"]), names[(row["owner_kind"], row["owner_id"])])
        found.append(_resource(context, row, owner, life, next_runs.get(row["id"]), spent[row["id"]]))
        if life and life["state"] in ("starting", "deploying"):
            found[-1]["progress"] = statuses[life["unit"]].progress
    return found


def _resource(context: Context, row: Row, owner: Owner, life: Row | None, next_run: datetime | None, spent: Decimal) -> JSON:
    size = context.catalog.size(row["recipe"].get("size", ""))
    kind = Kind(row["kind"])
    job = kind is Kind.JOB
    return {
        "id": row["id"],
        "kind": row["kind"],
        "owner": str(owner),
        "name": row["name"],
        "description": row["recipe"].get("description", ""),
        "state": life["state"] if life else ("never_run" if job else "stopped"),
        "revision": row["revision"],
        "recipe": row["recipe"],
        "size": size.name if size else row["recipe"].get("size", ""),
        "price_per_hour": str(size.price_per_hour) if size else "0",
        "currency": context.catalog.currency,
        "cost": money(spent),
        "url": {
            Kind.JOB: "",
            Kind.WORKSPACE: f"/user/{owner.name}/{'' if row['name'] == 'default' else row['name']}",
            Kind.APP: context.app_url(row["host"] or ""),
        }[kind],
        "host": row["host"],
        "access": row["access"] or {"who": "private", "people": [], "teams": []},
        "created_at": iso(row["created_at"]),
        "created_by": row["created_by"],
        "updated_at": iso(row["updated_at"]),
        "last_run": {"id": life["id"], "state": life["state"], "created_at": iso(life["created_at"]), "finished_at": iso(life["finished_at"])}
        if life and job
        else None,
        "next_run_at": iso(next_run),
        "problem": life["reason"] if life else "",
        # What the preparation of a workspace or version that starts is doing, in words.
        "progress": "",
        "environment": life["environment"] if life else None,
        "repositories": (life["repositories"] or []) if life else [],
    }


async def _create(connection: AsyncConnection, now: datetime, person: Person, recipe: Recipe, owner: Owner, owner_id: str) -> str:
    values: dict[str, Any] = {"kind": recipe.kind, "owner_kind": owner.kind, "owner_id": owner_id, "name": recipe.name}
    if recipe.kind is Kind.APP:
        values["host"] = await _host(connection, recipe)
    row_id = await resources.create(connection, now, person.name, values, recipe.document())
    await journal.note(connection, now, person.name, f"{recipe.kind}.create", f"{recipe.kind}/{owner}/{recipe.name}")
    return row_id


async def _revise(connection: AsyncConnection, now: datetime, person: Person, recipe: Recipe, row: Row, expected: int | None) -> None:
    _unmoved(row, expected)
    current = await resources.revision(connection, row["id"], row["revision"])
    assert current is not None
    if current["recipe"] != recipe.document():
        await resources.revise(connection, now, person.name, row["id"], row["revision"] + 1, recipe.document())
        await journal.note(connection, now, person.name, f"{recipe.kind}.edit", f"{recipe.kind}/{recipe.owner}/{recipe.name}", revision=row["revision"] + 1)


def _unmoved(row: Row, expected: int | None) -> None:
    if expected is not None and expected != row["revision"]:
        raise PreconditionFailed(f"'{row['name']}' is at revision {row['revision']} now, not {expected}. Look at what changed, then do this again.")


async def _host(connection: AsyncConnection, recipe: Recipe) -> str:
    wanted = recipe.host or recipe.name
    taken = await resources.taken_hosts(connection, wanted) | RESERVED_HOSTS
    if recipe.host and recipe.host in taken:
        raise InvalidInput(f"The host '{recipe.host}' is taken.", path="host", code="host_taken")
    return wanted if wanted not in taken else next(f"{wanted}-{n}" for n in range(2, len(taken) + 3) if f"{wanted}-{n}" not in taken)


async def _set_schedules(connection: AsyncConnection, now: datetime, row_id: str, recipe: Recipe) -> None:
    """The schedules of the recipe. One that stays as it was keeps its next time, which may be due this very moment."""
    before = {each["position"]: each for each in await resources.schedule_rows(connection, row_id)}
    entries = []
    for position, schedule in enumerate(recipe.schedules):
        document = schedule.model_dump(mode="json")
        same = position in before and before[position]["schedule"] == document
        entries.append({"position": position, "schedule": document, "next_at": before[position]["next_at"] if same else next_time(schedule, now)})
    await resources.set_schedules(connection, row_id, entries)


async def _living(connection: AsyncConnection, row: Row) -> bool:
    if row["kind"] == Kind.JOB:
        return bool(await runs.open_runs(connection, row["id"]))
    table, live = (sessions, LIVE_SESSION) if row["kind"] == Kind.WORKSPACE else (versions, LIVE_VERSION)
    life = (await lives.newest_of_each(connection, table, [row["id"]])).get(row["id"])
    return bool(life and life["state"] in live)


def schedule_entries(recipe: Mapping[str, Any]) -> list[ScheduleEntry]:
    """The schedules of a stored recipe."""
    return [ScheduleEntry.model_validate(each) for each in recipe.get("schedules", [])]
