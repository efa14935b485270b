"""Sessions of workspaces: what the hub's spawner asks, and what it tells."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from saturn_hub.engine import environments
from saturn_hub.engine.context import JSON, Context, Key, iso, key_of, load, owners_of
from saturn_hub.errors import InvalidInput, NotFound
from saturn_hub.model import recipe as recipes
from saturn_hub.model.access import Permission, Person
from saturn_hub.model.names import unit_name
from saturn_hub.model.resolve import resolve
from saturn_hub.model.states import LIVE_SESSION, SESSION_CHANGES, IllegalTransition, SessionState, change
from saturn_hub.model.workload import Kind, Owner, OwnerKind, Workload
from saturn_hub.store import journal, lives, people, resources
from saturn_hub.store.database import Row, new_id
from saturn_hub.store.tables import sessions


async def begin(context: Context, user: str, server_name: str, options: Mapping[str, Any]) -> JSON:
    """The workload for a start of a named server, written down as a session. `options` is {}, {revision} or {recipe}.

    Raises InvalidInput with every problem; nothing is made then.
    """
    if set(options) - {"revision", "recipe"} or len(options) > 1:
        wrong = sorted(set(options) - {"revision", "recipe"}) or ["recipe"]
        sentence = f"A workspace starts from a revision or a recipe; '{wrong[0]}' cannot be given."
        raise InvalidInput(sentence, path=f"user_options.{wrong[0]}", code="unknown_key")
    async with context.database.begin() as connection:
        person = await people.by_name(connection, user) or await people.mirror(connection, user, False, (), context.now())
        recipe, row, number = await _asked_for(context, connection, person, server_name or "default", options)
        workload = resolve(recipe, person, context.catalog, context.machine, folder=f"workspaces/{row['id']}", revision=number)
        session_id = await _write(context, connection, user, row, workload, unit_name(user, server_name))
    tool = context.catalog.tool(recipe.tool)
    assert tool is not None
    return {"session": session_id, "unit": unit_name(user, server_name), "workload": workload.to_json(), "tool": tool.name, "default_url": tool.url}


async def _asked_for(context: Context, connection: AsyncConnection, person: Person, name: str, options: Mapping[str, Any]) -> tuple[recipes.Recipe, Row, int]:
    """The recipe to start from, its resource, and its revision: made, or revised, where the options ask for what is not there yet."""
    now = context.now()
    row = await resources.find(connection, Kind.WORKSPACE, OwnerKind.PERSON, person.id, name)
    wanted = int(options["revision"]) if "revision" in options and row else row["revision"] if row else 0
    found = await resources.revision(connection, row["id"], wanted) if row else None
    if row and found is None:
        raise InvalidInput(f"There is no revision {wanted}.", path="user_options.revision")
    document = found["recipe"] if found else {}
    recipe = recipes.read({**document, **options.get("recipe", {}), "kind": "workspace", "name": name, "owner": person.name})
    number = wanted or 1
    if row is None:
        resolve(recipe, person, context.catalog, context.machine)
        values = {"kind": Kind.WORKSPACE, "owner_kind": OwnerKind.PERSON, "owner_id": person.id, "name": name}
        made = await resources.get(connection, await resources.create(connection, now, person.name, values, recipe.document()))
        assert made is not None
        return recipe, made, number
    if options.get("recipe") and recipe.document() != document:
        number = row["revision"] + 1
        await resources.revise(connection, now, person.name, row["id"], number, recipe.document())
    return recipe, row, number


async def _write(context: Context, connection: AsyncConnection, user: str, row: Row, workload: Workload, unit: str) -> str:
    """A session that starts, with what it costs from now on; its id. One whose end was never seen ends here."""
    now, session_id, size = context.now(), new_id(), workload.hardware.name
    previous = await lives.session_of_unit(connection, unit)
    if previous and previous["state"] in LIVE_SESSION:
        reason = "It was started again before its end was seen."
        await lives.change(connection, sessions, previous["id"], state=SessionState.FAILED, finished_at=now, reason=reason)
        await journal.close_span(connection, now, previous["id"])
    values = {"id": session_id, "resource_id": row["id"], "revision": workload.revision, "state": SessionState.STARTING, "unit": unit}
    await lives.add(connection, sessions, **values, workload=workload.to_json(), created_at=now, reason="")
    await journal.open_span(connection, now, row, session_id, size, str(context.price(size)))
    await journal.note(connection, now, user, "workspace.start", f"workspace/{user}/{row['name']}", session=session_id)
    await journal.tell(connection, now, row["id"], "session", session_id, SessionState.STARTING)
    return session_id


async def tell(context: Context, unit: str, state: str, message: str = "") -> Row | None:
    """What the spawner saw of a session; the session if that changed it. A report that comes late or twice changes nothing."""
    now = context.now()
    async with context.database.begin() as connection:
        session = await lives.session_of_unit(connection, unit)
        if session is None:
            raise NotFound(f"There is no session of '{unit}'.")
        try:
            new = change(SESSION_CHANGES, SessionState(session["state"]), SessionState(state))
        except (IllegalTransition, ValueError):
            return None
        final = new not in LIVE_SESSION
        await lives.change(connection, sessions, session["id"], state=new, reason=message[:2000], finished_at=now if final else None)
        if final:
            await journal.close_span(connection, now, session["id"])
        await journal.tell(connection, now, session["resource_id"], "session", session["id"], new)
    context.wake.set()
    return session if new != session["state"] else None


async def record(context: Context, session: Row, moment: str) -> None:
    """Take the environment of a session now."""
    await environments.keep(context, sessions, session["id"], session["resource_id"], session["unit"], moment)


async def history(context: Context, person: Person, key: Key) -> list[JSON]:
    """The newest sessions of one workspace."""
    async with context.database.begin() as connection:
        row = await load(connection, person, key, Permission.SEE)
        return [_session(each, key) for each in await lives.sessions_of(connection, row["id"])]


async def listing(context: Context, person: Person, states: Collection[str] = (), after: str = "", limit: int = 50) -> JSON:
    """Sessions of all workspaces that `person` has, newest first; in `states` alone where any are named."""
    async with context.database.begin() as connection:
        found = await lives.sessions_of_owners(connection, await owners_of(connection, person), states, after, limit)
        items = []
        for session in found:
            row = await resources.get(connection, session["resource_id"])
            assert row is not None
            items.append(_session(session, await key_of(connection, row)))
    return {"items": items, "next": found[-1]["id"] if len(found) == limit else None}


def _session(session: Row, key: Key) -> JSON:
    return {
        **{each: session[each] for each in ("id", "state", "revision", "reason", "environment")},
        "workspace": {"owner": str(key.owner), "name": key.name},
        "size": session["workload"]["hardware"]["name"],
        "created_at": iso(session["created_at"]),
        "finished_at": iso(session["finished_at"]),
    }


def workspace_key(owner: str, name: str) -> Key:
    return Key(Kind.WORKSPACE, Owner.parse(owner), name)
