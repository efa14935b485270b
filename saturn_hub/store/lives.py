"""What lives for a while beside runs: app versions and workspace sessions, app tokens and logins, environment records."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Select, Table, delete, func, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from saturn_hub.model.states import LIVE_SESSION, VersionState
from saturn_hub.store.database import Row, new_id
from saturn_hub.store.tables import app_logins, environment_uses, environments, resources, sessions, tokens, versions


async def add_version(connection: AsyncConnection, values: Mapping[str, Any]) -> int:
    """A new version of an app; its number."""
    number = (
        await connection.execute(select(func.coalesce(func.max(versions.c.number), 0)).where(versions.c.resource_id == values["resource_id"]))
    ).scalar_one() + 1
    await connection.execute(insert(versions).values(number=number, reason="", restarts=0, **values))
    return int(number)


async def versions_of(connection: AsyncConnection, resource_id: str, limit: int = 50) -> list[Row]:
    """The newest versions of an app first."""
    query = select(versions).where(versions.c.resource_id == resource_id).order_by(versions.c.number.desc()).limit(limit)
    return list((await connection.execute(query)).mappings())


async def version(connection: AsyncConnection, resource_id: str, number: int) -> Row | None:
    return (await connection.execute(select(versions).where(versions.c.resource_id == resource_id, versions.c.number == number))).mappings().first()


async def serving_version(connection: AsyncConnection, resource_id: str) -> Row | None:
    """The newest version that serves and is to go on."""
    condition = (versions.c.resource_id == resource_id, versions.c.state == VersionState.SERVING, versions.c.target == "serving")
    return (await connection.execute(select(versions).where(*condition).order_by(versions.c.number.desc()).limit(1))).mappings().first()


async def open_versions(connection: AsyncConnection) -> list[Row]:
    """Versions that are to serve, or still run though they should not."""
    return list((await connection.execute(select(versions).where(versions.c.finished_at.is_(None)).order_by(versions.c.id))).mappings())


async def open_sessions(connection: AsyncConnection) -> list[Row]:
    return list((await connection.execute(select(sessions).where(sessions.c.state.in_(LIVE_SESSION)).order_by(sessions.c.id))).mappings())


async def sessions_of(connection: AsyncConnection, resource_id: str, limit: int = 20) -> list[Row]:
    query = select(sessions).where(sessions.c.resource_id == resource_id).order_by(sessions.c.id.desc()).limit(limit)
    return list((await connection.execute(query)).mappings())


async def sessions_of_owners(
    connection: AsyncConnection, owners: Collection[tuple[str, str]], states: Collection[str] = (), after: str = "", limit: int = 50
) -> list[Row]:
    """Sessions of all workspaces of these owners, the newest first; in `states` alone where any are named."""
    joined = select(sessions).join(resources, resources.c.id == sessions.c.resource_id)
    query = joined.where(tuple_(resources.c.owner_kind, resources.c.owner_id).in_(list(owners))).order_by(sessions.c.id.desc()).limit(limit)
    if states:
        query = query.where(sessions.c.state.in_(list(states)))
    return list((await connection.execute(query.where(sessions.c.id < after) if after else query)).mappings())


async def session_of_unit(connection: AsyncConnection, unit: str) -> Row | None:
    return (await connection.execute(select(sessions).where(sessions.c.unit == unit).order_by(sessions.c.id.desc()).limit(1))).mappings().first()


async def newest_of_each(connection: AsyncConnection, table: Table, resource_ids: Collection[str]) -> dict[str, Row]:
    """The newest row of `table` (versions or sessions) of each resource."""
    return {row["resource_id"]: row for row in (await connection.execute(newest_rows(table, resource_ids))).mappings()}


def newest_rows(table: Table, resource_ids: Collection[str]) -> Select[Any]:
    """The newest row of `table` of each resource: one look at an index for each, however many rows there are."""
    newest = select(table.c.id).where(table.c.resource_id == resources.c.id).order_by(table.c.id.desc()).limit(1).correlate(resources).scalar_subquery()
    return select(table).where(table.c.id.in_(select(newest).where(resources.c.id.in_(list(resource_ids)))))


async def add(connection: AsyncConnection, table: Table, **values: Any) -> None:
    await connection.execute(insert(table).values(**values))


async def change(connection: AsyncConnection, table: Table, row_id: str, **values: Any) -> None:
    await connection.execute(update(table).where(table.c.id == row_id).values(**values))


async def keep_environment(
    connection: AsyncConnection, now: datetime, digest: str, record: Mapping[str, Any], resource_id: str, subject: str, detail: Mapping[str, Any]
) -> None:
    """Keep an environment once, and that `subject` ran on it."""
    if not (await connection.execute(select(environments.c.digest).where(environments.c.digest == digest))).scalar():
        await connection.execute(insert(environments).values(digest=digest, record=dict(record), taken_at=now))
    uses = {"digest": digest, "resource_id": resource_id, "subject": subject, "taken_at": now, "detail": dict(detail)}
    await connection.execute(insert(environment_uses).values(id=new_id(), **uses))


async def environment(connection: AsyncConnection, digest: str) -> Row | None:
    return (await connection.execute(select(environments).where(environments.c.digest == digest))).mappings().first()


async def uses(connection: AsyncConnection, *, digest: str = "", subject: str = "") -> list[Row]:
    """What ran on an environment, or what a subject ran on; oldest first."""
    condition = environment_uses.c.digest == digest if digest else environment_uses.c.subject == subject
    return list((await connection.execute(select(environment_uses).where(condition).order_by(environment_uses.c.id))).mappings())


async def tokens_of(connection: AsyncConnection, resource_id: str) -> list[Row]:
    return list((await connection.execute(select(tokens).where(tokens.c.resource_id == resource_id).order_by(tokens.c.id))).mappings())


async def token(connection: AsyncConnection, resource_id: str, hashed: str) -> Row | None:
    return (await connection.execute(select(tokens).where(tokens.c.resource_id == resource_id, tokens.c.hash == hashed))).mappings().first()


async def drop_token(connection: AsyncConnection, resource_id: str, token_id: str) -> int:
    return (await connection.execute(delete(tokens).where(tokens.c.resource_id == resource_id, tokens.c.id == token_id))).rowcount


async def app_login(connection: AsyncConnection, hashed: str, purpose: str, host: str, now: datetime) -> Row | None:
    """A code or cookie of the gateway that is still good."""
    condition = (app_logins.c.hash == hashed, app_logins.c.purpose == purpose, app_logins.c.host == host, app_logins.c.expires_at > now)
    return (await connection.execute(select(app_logins).where(*condition))).mappings().first()


async def drop_app_login(connection: AsyncConnection, hashed: str) -> int:
    return (await connection.execute(delete(app_logins).where(app_logins.c.hash == hashed))).rowcount
