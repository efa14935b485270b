"""Deploy versions of an app, say who may open it, and decide for the gateway."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from saturn_hub.engine.context import JSON, Context, Key, iso, key_of, load, owners_of
from saturn_hub.errors import Forbidden, InvalidInput, NotFound
from saturn_hub.model import recipe as recipes
from saturn_hub.model.access import Access, Permission, Person, Who, may_open
from saturn_hub.model.resolve import resolve
from saturn_hub.model.states import LIVE_VERSION, VersionState
from saturn_hub.model.workload import Kind, Owner, OwnerKind
from saturn_hub.store import journal, lives, people, resources
from saturn_hub.store.database import Row, new_id
from saturn_hub.store.tables import app_logins, tokens, versions

TOKEN_PREFIX = "sat_app_"
CACHE_SECONDS = 10
COOKIE_DAYS = 1


async def deploy(context: Context, person: Person, key: Key, revision: int | None = None, *, idempotency_key: str = "", like: Row | None = None) -> JSON:
    """Make a version of the current revision (or of `revision`). The one that serves goes on until the new one is healthy.

    With an `idempotency_key` seen before, the version that it made then. With `like`, at that version's commits.
    """
    now, scoped = context.now(), f"{person.id}/{key}/{idempotency_key}" if idempotency_key else ""
    async with context.database.begin() as connection:
        row = await load(connection, person, key, Permission.OPERATE)
        if scoped and (made := await journal.made_by(connection, scoped)):
            return next(_version(context, row, each) for each in await lives.versions_of(connection, row["id"]) if each["id"] == made)
        found = await resources.revision(connection, row["id"], revision or row["revision"])
        if found is None:
            raise NotFound(f"{key} has no revision {revision}.")
        version_id = new_id()
        workload = resolve(recipes.read(found["recipe"]), person, context.catalog, context.machine, folder=f"versions/{version_id}", revision=found["number"])
        if like:
            commits = {each["path"]: each.get("commit") for each in like["repositories"] or []}
            workload = replace(workload, repositories=tuple(replace(each, commit=commits.get(each.path)) for each in workload.repositories))
        values = {
            "id": version_id,
            "resource_id": row["id"],
            "revision": found["number"],
            "state": VersionState.DEPLOYING,
            "target": "serving",
            "created_at": now,
        }
        await lives.add_version(connection, {**values, "workload": workload.to_json(), "unit": f"app-{version_id}", "created_by": person.name})
        if scoped:
            await journal.remember(connection, now, scoped, version_id)
        await journal.note(connection, now, person.name, "app.deploy", str(key), version=version_id)
        await journal.tell(connection, now, row["id"], "version", version_id, VersionState.DEPLOYING)
        shown = _version(context, row, (await lives.versions_of(connection, row["id"]))[0])
    context.wake.set()
    return shown


async def roll_back(context: Context, person: Person, key: Key, to: int | None = None) -> JSON:
    """Serve an earlier version again: `to`, or the last that served before the newest. At its revision, and at its commits."""
    async with context.database.read() as connection:
        row = await load(connection, person, key, Permission.OPERATE)
        found = await lives.versions_of(connection, row["id"])
        chosen = await lives.version(connection, row["id"], to) if to else next(_served_before(found), None)
    if chosen is None:
        raise NotFound(f"{key} has no {'version ' + str(to) if to else 'earlier version that served'}.")
    return await deploy(context, person, key, chosen["revision"], like=chosen)


def _served_before(found: list[Row]) -> Iterator[Row]:
    """Versions before the newest that have served, the newest of them first."""
    return (each for each in found[1:] if each["served_at"])


async def stop(context: Context, person: Person, key: Key) -> None:
    """Serve no version of the app any more."""
    async with context.database.begin() as connection:
        row = await load(connection, person, key, Permission.OPERATE)
        for version in await lives.versions_of(connection, row["id"]):
            if version["state"] in LIVE_VERSION:
                await lives.change(connection, versions, version["id"], target="stopped", target_at=context.now())
                await journal.tell(connection, context.now(), row["id"], "version", version["id"], version["state"])
        await journal.note(connection, context.now(), person.name, "app.stop", str(key))
    context.wake.set()


async def gallery(context: Context, person: Person) -> list[JSON]:
    """Apps of others that `person` may open and that serve now: name, owner, address."""
    async with context.database.read() as connection:
        mine = await owners_of(connection, person)
        rows = [each for each in await resources.shared_apps(connection) if (each["owner_kind"], each["owner_id"]) not in mine]
        names = await people.owner_names(connection, {(each["owner_kind"], each["owner_id"]) for each in rows})
        found = []
        for row in rows:
            owner = Owner(OwnerKind(row["owner_kind"]), names[(row["owner_kind"], row["owner_id"])])
            if may_open(person, owner, _access(row)):
                described = {"description": row["recipe"].get("description", ""), "who": row["access"]["who"], "state": VersionState.SERVING}
                found.append({"name": row["name"], "owner": str(owner), "url": context.app_url(row["host"]), **described})
    return found


async def listing(context: Context, person: Person, key: Key) -> JSON:
    async with context.database.read() as connection:
        row = await load(connection, person, key, Permission.SEE)
        return {"items": [_version(context, row, each) for each in await lives.versions_of(connection, row["id"])], "next": None}


async def newest_unit(context: Context, person: Person, key: Key) -> str:
    """The backend's name of the newest version, for its log."""
    async with context.database.read() as connection:
        row = await load(connection, person, key, Permission.OPERATE)
        found = await lives.versions_of(connection, row["id"])
    if not found:
        raise NotFound(f"{key} was never deployed.")
    return str(found[0]["unit"])


async def set_access(context: Context, person: Person, key: Key, document: Mapping[str, Any]) -> JSON:
    """Say who may open the app: {who, people, teams}. Applies at once."""
    problems = set(document) - {"who", "people", "teams"}
    if problems:
        raise InvalidInput(f"There is no key '{sorted(problems)[0]}' here.", path=sorted(problems)[0], code="unknown_key")
    try:
        who = Who(document.get("who", "private"))
    except ValueError as error:
        raise InvalidInput("who is one of private, people, signed_in and public.", path="who") from error
    access = {"who": str(who), "people": list(document.get("people", [])), "teams": list(document.get("teams", []))}
    async with context.database.begin() as connection:
        row = await load(connection, person, key, Permission.SHARE)
        for index, name in enumerate(access["people"]):
            if await people.by_name(connection, name) is None:
                raise InvalidInput(f"There is nobody called '{name}'.", path=f"people[{index}]", code="person_unknown")
        await resources.change(connection, row["id"], access=access, shared=who is not Who.PRIVATE)
        await journal.note(connection, context.now(), person.name, "app.share", str(key), access=access)
    return access


async def make_token(context: Context, person: Person, key: Key, name: str) -> JSON:
    """A token for callers of this app alone. Its text is given here once and kept only as a hash."""
    if not name or len(name) > 100:
        raise InvalidInput("A token needs a name of at most 100 letters.", path="name")
    text = TOKEN_PREFIX + secrets.token_urlsafe(32)
    values = {"id": new_id(), "name": name, "hash": _hash(text), "created_at": context.now(), "created_by": person.name}
    async with context.database.begin() as connection:
        row = await load(connection, person, key, Permission.SHARE)
        await lives.add(connection, tokens, resource_id=row["id"], **values)
        await journal.note(connection, context.now(), person.name, "app.token.create", str(key), name=name)
    return {"id": values["id"], "name": name, "token": text}


async def token_list(context: Context, person: Person, key: Key) -> JSON:
    async with context.database.begin() as connection:
        row = await load(connection, person, key, Permission.SHARE)
        found = await lives.tokens_of(connection, row["id"])
    return {
        "items": [{"id": each["id"], "name": each["name"], "created_at": iso(each["created_at"]), "created_by": each["created_by"]} for each in found],
        "next": None,
    }


async def drop_token(context: Context, person: Person, key: Key, token_id: str) -> None:
    async with context.database.begin() as connection:
        row = await load(connection, person, key, Permission.SHARE)
        if not await lives.drop_token(connection, row["id"], token_id):
            raise NotFound(f"{key} has no token '{token_id}'.")
        await journal.note(connection, context.now(), person.name, "app.token.delete", str(key), token=token_id)


async def open_code(context: Context, person: Person, host: str, nonce: str) -> str:
    """A code good for 30 seconds and one use, with which the gateway gets a cookie for `host` in that browser."""
    async with context.database.begin() as connection:
        row = await resources.by_host(connection, host)
        if row is None:
            raise NotFound(f"There is no app at '{host}'.")
        if not may_open(person, (await key_of(connection, row)).owner, _access(row)):
            raise Forbidden(f"The app at '{host}' is not shared with you. Ask its owner.")
        code = secrets.token_urlsafe(32)
        values = {"hash": _hash(code), "purpose": "code", "host": host, "nonce": nonce, "person_id": person.id}
        await lives.add(connection, app_logins, expires_at=context.now() + timedelta(seconds=30), **values)
    return code


async def redeem(context: Context, host: str, code: str, nonce: str) -> str:
    """The cookie for a code. Forbidden where it is late, used, of another host or of another browser."""
    now = context.now()
    async with context.database.begin() as connection:
        found = await lives.app_login(connection, _hash(code), "code", host, now)
        fits = found is not None and hmac.compare_digest(found["nonce"], hashlib.sha256(nonce.encode()).hexdigest())
        if found is None or not fits or not await lives.drop_app_login(connection, found["hash"]):
            raise Forbidden("This sign-in link was used or is too old. Open the app again.")
        cookie = secrets.token_urlsafe(32)
        values = {"hash": _hash(cookie), "purpose": "cookie", "host": host, "nonce": "", "person_id": found["person_id"]}
        await lives.add(connection, app_logins, expires_at=now + timedelta(days=COOKIE_DAYS), **values)
    return cookie


async def decide(context: Context, host: str, cookie: str | None, token: str | None) -> JSON:
    """Who may pass to the app at `host`, and where it is: the gateway's one question."""
    async with context.database.read() as connection:
        row = await resources.by_host(connection, host)
        if row is None:
            return _answer(404, f"There is no app at '{host}'.", state="stopped")
        login = await lives.app_login(connection, _hash(cookie), "cookie", host, context.now()) if cookie else None
        person = await people.by_id(connection, login["person_id"]) if login else None
        ours = bool(token and token.startswith(TOKEN_PREFIX))
        by_token = bool(ours and token and await lives.token(connection, row["id"], _hash(token)))
        if not by_token and not may_open(person, (await key_of(connection, row)).owner, _access(row)):
            if ours or person:
                return _answer(403, "This app is not shared with you. Ask its owner." if person else "This token does not open this app.", strip=ours)
            return _answer(401, "Sign in to open this app.", login=True)
        serving = await lives.serving_version(connection, row["id"])
        newest = None if serving else next(iter(await lives.versions_of(connection, row["id"], 1)), None)
    if serving is None:
        state = newest["state"] if newest and newest["target"] == "serving" else "stopped"
        return _answer(503, newest["reason"] if newest and newest["reason"] else f"The app is {state}.", state=state, cache=1)
    return {**_answer(200, "", state="serving", strip=ours), "allow": True, "address": serving["address"], "person": person.name if person else None}


def _answer(status: int, message: str, *, state: str = "stopped", login: bool = False, strip: bool = False, cache: int = CACHE_SECONDS) -> JSON:
    answer: JSON = {"allow": False, "status": status, "message": message, "state": state, "login": login, "address": None, "person": None}
    return {**answer, "strip_authorization": strip, "cache_seconds": cache}


def _access(row: Row) -> Access:
    kept = row["access"] or {}
    return Access(Who(kept.get("who", "private")), tuple(kept.get("people", ())), tuple(kept.get("teams", ())))


def _version(context: Context, row: Row, version: Row) -> JSON:
    taken = ("id", "number", "state", "revision", "reason", "environment", "created_by")
    return {
        **{each: version[each] for each in taken},
        "url": context.app_url(row["host"]),
        "created_at": iso(version["created_at"]),
        "finished_at": iso(version["finished_at"]),
    }


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def app_key(owner: str, name: str) -> Key:
    return Key(Kind.APP, Owner.parse(owner), name)
