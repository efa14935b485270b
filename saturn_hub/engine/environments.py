"""Keep and compare what work ran on."""

from __future__ import annotations

import asyncio
import logging

from sqlalchemy import Table

from saturn_hub.engine.context import JSON, Context, Key, iso, key_of, load
from saturn_hub.errors import BackendUnavailable, Conflict, NotFound
from saturn_hub.model import environment as model
from saturn_hub.model.access import Permission, Person, permissions
from saturn_hub.model.workload import Kind
from saturn_hub.store import journal, lives, resources
from saturn_hub.store.tables import runs, sessions, versions

log = logging.getLogger("saturn.environments")
PAUSES_SECONDS = (1.0, 5.0)


async def keep(context: Context, table: Table, row_id: str, resource_id: str, unit: str, moment: str) -> str:
    """Keep what a unit runs on as the environment of a run, version or session. Its digest, empty where nothing is left of the unit.

    At the `start` it is the record that was taken beside the start, later it is taken now. A run keeps the environment that it
    started with, and what it had at its end beside it; of what lives longer the newest counts.
    One that cannot be taken is tried again, each failure is logged, and the last raises BackendUnavailable.
    """
    for pause in (*PAUSES_SECONDS, None):
        try:
            return await _keep_both(context, table, row_id, resource_id, unit, moment)
        except BackendUnavailable as error:
            if pause is None:
                raise
            log.warning("%s It is tried again in %s seconds.", error.message, pause)
            await asyncio.sleep(pause)
    raise AssertionError("the last try returns or raises")


async def _keep_both(context: Context, table: Table, row_id: str, resource_id: str, unit: str, moment: str) -> str:
    if table is runs and not await _known(context, row_id, "start"):
        await _keep(context, table, row_id, resource_id, await _of_start(context, unit), "start", newest=True)
    record = await _of_start(context, unit) if moment == "start" else await context.backend.environment(unit, fresh=True)
    return await _keep(context, table, row_id, resource_id, record, moment, newest=table is not runs)


async def take(context: Context, person: Person, key: Key) -> JSON:
    """What a running workspace or a serving app runs on now. Raises Conflict where neither is the case."""
    async with context.database.begin() as connection:
        row = await load(connection, person, key, Permission.OPERATE)
        if key.kind is Kind.JOB:
            raise Conflict("Runs of a job are recorded when they start and when they end.", code="not_running")
        table, state = (sessions, "running") if key.kind is Kind.WORKSPACE else (versions, "serving")
        found = [each for each in await lives.sessions_of(connection, row["id"]) if each["state"] == state] if table is sessions else []
        found = found or [each for each in await lives.versions_of(connection, row["id"]) if each["state"] == state]
    if not found:
        raise Conflict(f"{key} is not {state}, so there is nothing to record. Start it first.", code="not_running")
    digest = await keep(context, table, found[0]["id"], row["id"], found[0]["unit"], "demand")
    if not digest:
        raise Conflict(f"{key} ended meanwhile, so there is nothing to record.", code="not_running")
    async with context.database.begin() as connection:
        await journal.note(connection, context.now(), person.name, "environment.take", str(key), environment=digest)
    return {"digest": digest}


async def _of_start(context: Context, unit: str) -> JSON | None:
    """The record taken beside the start, or one taken now where that failed."""
    return await context.backend.environment(unit) or await context.backend.environment(unit, fresh=True)


async def _known(context: Context, row_id: str, moment: str) -> bool:
    async with context.database.read() as connection:
        return any(each["detail"].get("moment") == moment for each in await lives.uses(connection, subject=row_id))


async def _keep(context: Context, table: Table, row_id: str, resource_id: str, record: JSON | None, moment: str, *, newest: bool) -> str:
    if record is None:
        log.warning("Nothing is left of %s, so its environment (%s) is not known", row_id, moment)
        return ""
    digest = model.digest(record)
    detail = {"moment": moment, "hardware": record["hardware"], "repositories": record["repositories"]}
    async with context.database.begin() as connection:
        await lives.keep_environment(connection, context.now(), digest, {key: record[key] for key in model.SOFTWARE}, resource_id, row_id, detail)
        if newest:
            await lives.change(connection, table, row_id, environment=digest, repositories=record["repositories"])
    return digest


async def show(context: Context, person: Person, digest: str) -> JSON:
    """An environment and what of the person's ran on it; NotFound where nothing they may see did."""
    async with context.database.begin() as connection:
        row = await lives.environment(connection, digest)
        seen = []
        for use in await lives.uses(connection, digest=digest) if row else []:
            resource = await resources.get(connection, use["resource_id"])
            key = await key_of(connection, resource) if resource else None
            if key and Permission.SEE in permissions(person, key.owner):
                seen.append({"resource": str(key), "subject": use["subject"], "taken_at": iso(use["taken_at"]), **use["detail"]})
    if row is None or not seen:
        raise NotFound(f"There is no environment '{digest}' that you may see.")
    return {"digest": digest, "record": row["record"], "uses": seen}


async def compare(context: Context, person: Person, a: str, b: str) -> JSON:
    """What differs from `a` to `b`."""
    old, new = await show(context, person, a), await show(context, person, b)
    return {"a": a, "b": b, "difference": model.difference(old["record"], new["record"])}
