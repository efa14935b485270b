"""Keep and compare what work ran on."""

from __future__ import annotations

from sqlalchemy import Table

from saturn_hub.engine.context import JSON, Context, iso, key_of
from saturn_hub.errors import NotFound
from saturn_hub.model import environment as model
from saturn_hub.model.access import Permission, Person, permissions
from saturn_hub.store import lives, resources


async def keep(context: Context, table: Table, row_id: str, resource_id: str, unit: str, moment: str) -> None:
    """Take the record of a unit now and keep it as the environment of a run, version or session. Nothing where there is none."""
    record = await context.backend.environment(unit, fresh=True)
    if record is None:
        return
    digest = model.digest(record)
    detail = {"moment": moment, "hardware": record["hardware"], "repositories": record["repositories"]}
    async with context.database.begin() as connection:
        await lives.keep_environment(connection, context.now(), digest, {key: record[key] for key in model.SOFTWARE}, resource_id, row_id, detail)
        await lives.change(connection, table, row_id, environment=digest, repositories=record["repositories"])


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
