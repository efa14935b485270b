"""The tables. Ids are text ordered by time, times are aware and in UTC, money is text of a Decimal."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Column, DateTime, ForeignKey, Index, Integer, MetaData, String, Table, UniqueConstraint
from sqlalchemy.types import TypeDecorator

metadata = MetaData(naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s"})


class Moment(TypeDecorator[datetime]):
    """An aware time, kept in UTC also where the database knows no zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


def _id() -> Column[str]:
    return Column("id", String(26), primary_key=True)


def _resource() -> Column[str]:
    return Column("resource_id", String(26), ForeignKey("resources.id"), nullable=False)


people = Table(
    "people",
    metadata,
    _id(),
    Column("name", String(255), nullable=False, unique=True),
    Column("admin", Boolean, nullable=False),
    Column("disabled", Boolean, nullable=False, default=False),
    # When the hub was seen to know them no more; what is theirs stays.
    Column("removed_at", Moment),
    Column("seen_at", Moment),
)
teams = Table("teams", metadata, _id(), Column("name", String(255), nullable=False, unique=True))
memberships = Table(
    "memberships", metadata, Column("person_id", ForeignKey("people.id"), primary_key=True), Column("team_id", ForeignKey("teams.id"), primary_key=True)
)
resources = Table(
    "resources",
    metadata,
    _id(),
    Column("kind", String(10), nullable=False),
    Column("owner_kind", String(10), nullable=False),
    Column("owner_id", String(26), nullable=False),
    Column("name", String(30), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("access", JSON, nullable=False),
    # Whether `access` lets anybody in besides the owner: what a gallery looks for.
    Column("shared", Boolean, nullable=False, default=False, index=True),
    Column("host", String(63), unique=True),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(255), nullable=False),
    Column("updated_at", Moment, nullable=False),
    # What its ended spans have cost, in billionths of the currency: kept here, so that a list adds up no spans.
    Column("spent", BigInteger, nullable=False, default=0),
    # The row's own id once it is deleted, so that the name is free again.
    Column("deleted", String(26), nullable=False, default=""),
    UniqueConstraint("kind", "owner_kind", "owner_id", "name", "deleted"),
)
revisions = Table(
    "revisions",
    metadata,
    Column("resource_id", ForeignKey("resources.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("recipe", JSON, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(255), nullable=False),
)
schedules = Table(
    "schedules",
    metadata,
    Column("resource_id", ForeignKey("resources.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("schedule", JSON, nullable=False),
    Column("next_at", Moment, index=True),
)
runs = Table(
    "runs",
    metadata,
    _id(),
    _resource(),
    Column("number", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("state", String(12), nullable=False),
    Column("cancel", Boolean, nullable=False, default=False),
    Column("trigger", String(12), nullable=False),
    Column("schedule", Integer),
    Column("scheduled_for", Moment),
    Column("parameters", JSON, nullable=False),
    Column("requested_by", String(255), nullable=False),
    Column("workload", JSON, nullable=False),
    Column("reason", String(2000), nullable=False, default=""),
    Column("path", String(300), nullable=False, default=""),
    Column("exit_code", Integer),
    Column("environment", String(64)),
    Column("repositories", JSON),
    Column("again_of", String(26)),
    Column("created_at", Moment, nullable=False),
    Column("started_at", Moment),
    Column("finished_at", Moment),
    UniqueConstraint("resource_id", "schedule", "scheduled_for"),
    UniqueConstraint("resource_id", "number"),
    Index("ix_runs_state", "state"),
    Index("ix_runs_resource_id_id", "resource_id", "id"),
)
steps = Table(
    "steps",
    metadata,
    Column("run_id", ForeignKey("runs.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("name", String(30), nullable=False),
    Column("needs", JSON, nullable=False),
    Column("workload", JSON, nullable=False),
    Column("unit", String(80), nullable=False),
    Column("state", String(12), nullable=False),
    Column("reason", String(2000), nullable=False, default=""),
    Column("path", String(300), nullable=False, default=""),
    Column("exit_code", Integer),
    Column("started_at", Moment),
    Column("finished_at", Moment),
)
versions = Table(
    "versions",
    metadata,
    _id(),
    _resource(),
    Column("number", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("state", String(12), nullable=False, index=True),
    Column("target", String(12), nullable=False),
    Column("workload", JSON, nullable=False),
    Column("unit", String(80), nullable=False),
    Column("reason", String(2000), nullable=False, default=""),
    Column("address", JSON),
    # How often its command ended by itself and was started again, since it last served for long.
    Column("restarts", Integer, nullable=False, default=0),
    # When this try to deploy it began, when it last began to serve, and when its target changed.
    Column("tried_at", Moment),
    Column("served_at", Moment),
    Column("target_at", Moment),
    Column("environment", String(64)),
    Column("repositories", JSON),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(255), nullable=False),
    Column("finished_at", Moment),
    UniqueConstraint("resource_id", "number"),
    Index("ix_versions_resource_id_id", "resource_id", "id"),
)
sessions = Table(
    "sessions",
    metadata,
    _id(),
    _resource(),
    Column("revision", Integer, nullable=False),
    Column("state", String(12), nullable=False, index=True),
    Column("unit", String(80), nullable=False, index=True),
    Column("workload", JSON, nullable=False),
    Column("reason", String(2000), nullable=False, default=""),
    Column("environment", String(64)),
    Column("repositories", JSON),
    Column("created_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Index("ix_sessions_resource_id_id", "resource_id", "id"),
)
environments = Table(
    "environments", metadata, Column("digest", String(64), primary_key=True), Column("record", JSON, nullable=False), Column("taken_at", Moment, nullable=False)
)
environment_uses = Table(
    "environment_uses",
    metadata,
    _id(),
    Column("digest", ForeignKey("environments.digest"), nullable=False, index=True),
    _resource(),
    Column("subject", String(40), nullable=False, index=True),
    Column("taken_at", Moment, nullable=False),
    Column("detail", JSON, nullable=False),
)
usage = Table(
    "usage",
    metadata,
    _id(),
    _resource(),
    Column("subject", String(40), nullable=False, unique=True),
    Column("owner_kind", String(10), nullable=False),
    Column("owner_id", String(26), nullable=False),
    Column("size", String(60), nullable=False),
    Column("price_per_hour", String(30), nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment, index=True),
    # What it cost, in billionths of the currency, once it has ended.
    Column("amount", BigInteger),
    Index("ix_usage_owner_id_started_at", "owner_id", "started_at"),
)
tokens = Table(
    "tokens",
    metadata,
    _id(),
    _resource(),
    Column("name", String(100), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(255), nullable=False),
)
app_logins = Table(
    "app_logins",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("purpose", String(6), nullable=False),
    Column("host", String(63), nullable=False),
    Column("nonce", String(64), nullable=False),
    Column("person_id", ForeignKey("people.id"), nullable=False),
    Column("expires_at", Moment, nullable=False, index=True),
)
audit = Table(
    "audit",
    metadata,
    _id(),
    Column("at", Moment, nullable=False),
    Column("who", String(255), nullable=False),
    Column("action", String(60), nullable=False),
    Column("subject", String(300), nullable=False),
    Column("detail", JSON, nullable=False),
)
events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", Moment, nullable=False),
    Column("resource_id", String(26), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("subject", String(40), nullable=False),
    Column("state", String(12), nullable=False),
)
idempotency = Table(
    "idempotency",
    metadata,
    Column("key", String(300), primary_key=True),
    Column("subject", String(40), nullable=False),
    Column("at", Moment, nullable=False),
)
