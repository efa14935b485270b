"""The engine, its transactions, and the schema's version."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from alembic.command import upgrade
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, RowMapping, create_engine, event
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from saturn_hub.errors import ConfigurationError

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# Set on a connection by `journal.tell`: its transaction wrote an event.
TOLD = "saturn_told"
READS = "saturn_reads"
Row = RowMapping


def new_id() -> str:
    """26 letters that sort by the time they were made in (the form of a ULID)."""
    value = (time.time_ns() // 1_000_000 << 80) | secrets.randbits(80)
    return "".join(ALPHABET[value >> shift & 31] for shift in range(125, -1, -5)).lower()


class Changes:
    """Wakes those that wait for an event to be written. Take `next()` before you look, wait for it after: nothing is missed between."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def next(self) -> asyncio.Event:
        return self._event

    def tell(self) -> None:
        event, self._event = self._event, asyncio.Event()
        event.set()


class Database:
    """One database by its SQLAlchemy URL, `sqlite:///PATH` or `postgresql://…`. `changes` wakes after each commit that wrote an event."""

    def __init__(self, url: str) -> None:
        self.url, self.changes = url, Changes()
        self.engine = create_async_engine(url.replace("sqlite:", "sqlite+aiosqlite:", 1).replace("postgresql:", "postgresql+psycopg:", 1))
        if url.startswith("sqlite:"):
            event.listen(self.engine.sync_engine, "connect", _sqlite_settings)
            event.listen(self.engine.sync_engine, "begin", _sqlite_begin)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A transaction: committed at the end, rolled back by any exception."""
        async with self.engine.begin() as connection:
            connection.info.pop(TOLD, None)
            yield connection
            told = connection.info.pop(TOLD, False)
        if told:
            self.changes.tell()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that only looks: on SQLite it waits for no writer and holds none up."""
        async with self.engine.connect() as connection:
            await connection.execution_options(**{READS: True})
            async with connection.begin():
                yield connection

    def migrate(self) -> None:
        """Bring the schema to this code's version. Raises ConfigurationError where it is newer than the code."""
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        engine = create_engine(self.url.replace("postgresql:", "postgresql+psycopg:", 1))
        with engine.begin() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
            known = {each.revision for each in ScriptDirectory.from_config(config).walk_revisions()}
            if current and current not in known:
                raise ConfigurationError(
                    f"The database {engine.url!r} has schema {current}, newer than this version of Saturn Hub. Install that version again."
                )
            config.attributes["connection"] = connection
            upgrade(config, "head")
        engine.dispose()

    async def close(self) -> None:
        await self.engine.dispose()


def _sqlite_settings(connection: Any, _record: Any) -> None:
    # BEGIN is ours (below), for the driver's own begins late and lets two writers deadlock.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "foreign_keys=ON", "busy_timeout=10000", "synchronous=FULL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _sqlite_begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get(READS) else "BEGIN IMMEDIATE")
