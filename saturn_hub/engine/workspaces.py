"""Sessions of workspaces: what the hub's spawner asks, and what it tells."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from saturn_hub.engine import environments
from saturn_hub.engine.context import JSON, Context, Key, iso, key_of, load, owners_of
from saturn_hub.errors import InvalidInput, NotFound
from saturn_hub.model import recipe as recipes
from saturn_hub.model.access import Permission, Person
from saturn_hub.model.names import unit_name
from saturn_hub.model.resolve import resolve
from saturn_hub.model.states import LIVE_SESSION, SESSION_CHANGES, IllegalTransition, SessionState, change
from saturn_hub.model.workload import Kind, Owner, OwnerKind
from saturn_hub.store import journal, lives, people, resources
from saturn_hub.store.database import Row, new_id
from saturn_hub.store.tables import sessions


async def begin(context: Context, user: str, server_name: str, options: Mapping[str, Any]) -> JSON:
    """The workload for a start of a named server, written down as a session. `options` is {}, {revision} or {recipe}.

    Raises InvalidInput with every problem; nothing is made then.
    """
    if set(options) - {"revision", "recipe"} or len(options) > 1:
        wrong = sorted(set(options) - {"revision", "recipe"}) or ["recipe"]
        raise InvalidInput(
            f"A workspace starts from a revision or a recipe; '{wrong[0]}' cannot be given.", path=f"user_options.{wrong[0]}", code="unknown_key"
        )
    name, now = server_name or "default", context.now()
    async with context.database.begin() as connection:
        person = await people.by_name(connection, user) or await people.mirror(connection, user, False, (), now)
        row = await resources.find(connection, Kind.WORKSPACE, OwnerKind.PERSON, person.id, name)
        current = await resources.revision(connection, row["id"], row["revision"]) if row else None
        number, document = (current["number"], current["recipe"]) if current else (1, {})
        if "revision" in options and row:
            found = await resources.revision(connection, row["id"], int(options["revision"]))
            if found is None:
                raise InvalidInput(f"There is no revision {options['revision']}.", path="user_options.revision")
            number, document = found["number"], found["recipe"]
        given = {**document, **options.get("recipe", {}), "kind": "workspace", "name": name, "owner": user}
        recipe = recipes.read(given)
        row_id = row["id"] if row else new_id()
        if row is None:
            values = {"kind": Kind.WORKSPACE, "owner_kind": OwnerKind.PERSON, "owner_id": person.id, "name": name}
            resolve(recipe, person, context.catalog, context.machine)
            row_id = await resources.create(connection, now, user, values, recipe.document())
        elif options.get("recipe") and recipe.document() != document:
            number += 1
            await resources.revise(connection, now, user, row_id, number, recipe.document())
        workload = resolve(recipe, person, context.catalog, context.machine, folder=f"workspaces/{row_id}", revision=number)
        session_id, unit = new_id(), unit_name(user, server_name)
        previous = await lives.session_of_unit(connection, unit)
        if previous and previous["state"] in LIVE_SESSION:
            await lives.change(
                connection, sessions, previous["id"], state=SessionState.FAILED, finished_at=now, reason="It was started again before its end was seen."
            )
            await journal.close_span(connection, now, previous["id"])
        session: JSON = {
            "id": session_id,
            "resource_id": row_id,
            "revision": number,
            "state": SessionState.STARTING,
            "unit": unit,
            "workload": workload.to_json(),
            "created_at": now,
            "reason": "",
        }
        await lives.add(connection, sessions, **session)
        found_row = await resources.get(connection, row_id)
        assert found_row is not None
        await journal.open_span(connection, now, found_row, session_id, workload.hardware.name, str(context.price(workload.hardware.name)))
        await journal.note(connection, now, user, "workspace.start", f"workspace/{user}/{name}", session=session_id)
        await journal.tell(connection, now, row_id, "session", session_id, SessionState.STARTING)
    tool = context.catalog.tool(recipe.tool)
    assert tool is not None
    return {"session": session_id, "unit": unit, "workload": workload.to_json(), "tool": tool.name, "default_url": tool.url}


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
