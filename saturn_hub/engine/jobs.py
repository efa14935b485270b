"""Start, show and cancel runs of a job."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from saturn_hub.engine.context import JSON, Context, Key, iso, key_of, load, money, owners_of
from saturn_hub.errors import Conflict, InvalidInput, NotFound
from saturn_hub.model import parameters as parameter_model
from saturn_hub.model import recipe as recipes
from saturn_hub.model.access import Permission, Person, permissions
from saturn_hub.model.recipe import Step
from saturn_hub.model.resolve import resolve, step_workload
from saturn_hub.model.states import FINAL_RUN, RunState
from saturn_hub.model.usage import cost
from saturn_hub.model.workload import Kind, Owner, Workload
from saturn_hub.store import journal, lives, people, resources, runs
from saturn_hub.store.database import Row, new_id


async def start(context: Context, person: Person, key: Key, given: Mapping[str, Any], *, idempotency_key: str = "", again_of: str = "") -> JSON:
    """Queue a run. With an `idempotency_key` seen before, the run that it made then.

    Raises InvalidInput for parameters that do not fit; with `again_of` it runs at that run's recorded commits and parameters.
    """
    scoped = f"{person.id}/{key}/{idempotency_key}" if idempotency_key else ""
    async with context.database.begin() as connection:
        row = await load(connection, person, key, Permission.OPERATE)
        if scoped and (made := await journal.made_by(connection, scoped)):
            return await _show(context, connection, await _row(connection, made))
        old = await _row(connection, again_of) if again_of else None
        if old and old["resource_id"] != row["id"]:
            raise NotFound(f"The job '{key.name}' has no run '{again_of}'.")
        run_id = await make(
            context, connection, row, person, given=given or (old["parameters"] if old else {}), trigger="again" if old else "manual", again=old
        )
        if scoped:
            await journal.remember(connection, context.now(), scoped, run_id)
        shown = await _show(context, connection, await _row(connection, run_id))
    context.wake.set()
    return shown


async def make(
    context: Context,
    connection: AsyncConnection,
    row: Row,
    person: Person,
    *,
    given: Mapping[str, Any],
    trigger: str,
    again: Row | None = None,
    schedule: int | None = None,
    scheduled_for: datetime | None = None,
) -> str:
    """Write down a run and its steps, all queued; its id. The reconciler starts what is written here."""
    now, run_id = context.now(), new_id()
    revision = await resources.revision(connection, row["id"], again["revision"] if again else row["revision"])
    assert revision is not None
    recipe = recipes.read(revision["recipe"])
    zone = recipe.schedules[schedule or 0].timezone if recipe.schedules else "UTC"
    values, problems = parameter_model.values(recipe.parameters, given, scheduled_for or now, zone)
    if problems:
        raise InvalidInput.of(problems)
    workload = resolve(recipe, person, context.catalog, context.machine, folder=f"runs/{run_id}", revision=revision["number"])
    if again:
        workload = await _pinned(connection, workload, again)
    run = {
        "id": run_id,
        "resource_id": row["id"],
        "revision": revision["number"],
        "state": RunState.QUEUED,
        "trigger": trigger,
        "parameters": values,
        "created_at": now,
    }
    run |= {
        "schedule": schedule,
        "scheduled_for": scheduled_for,
        "requested_by": person.name,
        "workload": workload.to_json(),
        "again_of": again["id"] if again else None,
    }
    await runs.create(connection, run, _steps(recipe, workload, values, run_id))
    await journal.note(connection, now, person.name, "run.start", f"job/{workload.owner}/{row['name']}", run=run_id, trigger=trigger)
    await journal.tell(connection, now, row["id"], "run", run_id, RunState.QUEUED)
    return run_id


def _steps(recipe: recipes.Recipe, workload: Workload, values: Mapping[str, str], run_id: str) -> list[dict[str, Any]]:
    """The rows of a run's steps, all queued; a job without steps has the one called main."""
    steps: list[tuple[str, Step | None]] = [(each.name, each) for each in recipe.steps] or [("main", None)]
    return [
        {
            "position": n,
            "name": name,
            "needs": step.needs if step else [],
            "workload": step_workload(workload, step, values).to_json(),
            "unit": f"run-{run_id}-{n}",
            "state": RunState.QUEUED,
        }
        for n, (name, step) in enumerate(steps)
    ]


async def make_scheduled(context: Context, row: Row, position: int, scheduled_for: datetime) -> None:
    """The run of one time of a schedule, in the name of the job's owner; nothing where it was made before."""
    try:
        async with context.database.begin() as connection:
            if await runs.of_schedule(connection, row["id"], position, scheduled_for):
                return
            await make(context, connection, row, await _runner(connection, row), given={}, trigger="schedule", schedule=position, scheduled_for=scheduled_for)
    except IntegrityError:
        return  # another scheduler wrote the same time first: the unique constraint is the arbiter


async def cancel(context: Context, person: Person, run_id: str) -> JSON:
    """Ask a run to stop. Asking again, or of one that has ended, is refused with its state."""
    async with context.database.begin() as connection:
        run = await visible(connection, person, run_id, Permission.OPERATE)
        if run["state"] in FINAL_RUN:
            raise Conflict(f"The run has already ended: {run['state']}.", code="run_ended")
        await runs.change(connection, run_id, cancel=True)
        await journal.note(connection, context.now(), person.name, "run.cancel", run_id)
    context.wake.set()
    return await show(context, person, run_id)


async def show(context: Context, person: Person, run_id: str) -> JSON:
    async with context.database.read() as connection:
        return await _show(context, connection, await visible(connection, person, run_id, Permission.SEE))


async def listing(context: Context, person: Person, key: Key, after: str = "", limit: int = 50) -> JSON:
    """Runs of one job, newest first."""
    async with context.database.read() as connection:
        row = await load(connection, person, key, Permission.SEE)
        found = await runs.listing(connection, [row["id"]], after, limit)
        return {"items": await describe(context, connection, found, {row["id"]: key}), "next": found[-1]["id"] if len(found) == limit else None}


async def mine(context: Context, person: Person, states: Collection[str] = (), after: str = "", limit: int = 50) -> JSON:
    """Runs of all jobs that `person` and their teams have, newest first; in `states` alone where any are named."""
    async with context.database.read() as connection:
        found = await runs.of_owners(connection, await owners_of(connection, person), states, after, limit)
        keys = {}
        for resource_id in {each["resource_id"] for each in found}:
            row = await resources.get(connection, resource_id)
            assert row is not None
            keys[resource_id] = await key_of(connection, row)
        return {"items": await describe(context, connection, found, keys), "next": found[-1]["id"] if len(found) == limit else None}


async def visible(connection: AsyncConnection, person: Person, run_id: str, permission: Permission) -> Row:
    """The row of a run that `person` may do this with, else NotFound."""
    run = await runs.get(connection, run_id)
    row = await resources.get(connection, run["resource_id"]) if run else None
    if run is None or row is None or permission not in permissions(person, (await key_of(connection, row)).owner):
        raise NotFound(f"There is no run '{run_id}' that you may see.")
    return run


async def describe(context: Context, connection: AsyncConnection, rows: list[Row], keys: Mapping[str, Key]) -> list[JSON]:
    """Runs as the API gives them."""
    steps = await runs.steps_of(connection, [each["id"] for each in rows])
    spent: dict[str, Decimal] = {}
    for span in await journal.spans_of(connection, [f"{row['id']}/{step['position']}" for row in rows for step in steps[row["id"]]]):
        run_id = span["subject"].partition("/")[0]
        spent[run_id] = spent.get(run_id, Decimal(0)) + cost(span["price_per_hour"], span["started_at"], span["finished_at"] or context.now())
    return [_run(context, row, keys[row["resource_id"]], steps[row["id"]], spent.get(row["id"], Decimal(0))) for row in rows]


async def _show(context: Context, connection: AsyncConnection, run: Row) -> JSON:
    row = await resources.get(connection, run["resource_id"])
    assert row is not None
    return (await describe(context, connection, [run], {row["id"]: await key_of(connection, row)}))[0]


def _run(context: Context, run: Row, key: Key, steps: list[Row], spent: Decimal) -> JSON:
    size = run["workload"]["hardware"]["name"]
    taken = ("id", "number", "state", "trigger", "reason", "path", "exit_code", "parameters", "requested_by", "revision", "environment", "again_of")
    return {
        **{name: run[name] for name in taken},
        "job": {"owner": str(key.owner), "name": key.name},
        "size": size,
        "created_at": iso(run["created_at"]),
        "started_at": iso(run["started_at"]),
        "finished_at": iso(run["finished_at"]),
        "scheduled_for": iso(run["scheduled_for"]),
        "repositories": run["repositories"] or [],
        "cost": money(spent),
        "currency": context.catalog.currency,
        "steps": [
            {
                **{name: step[name] for name in ("name", "needs", "state", "reason", "exit_code")},
                "started_at": iso(step["started_at"]),
                "finished_at": iso(step["finished_at"]),
            }
            for step in steps
        ],
    }


async def _row(connection: AsyncConnection, run_id: str) -> Row:
    run = await runs.get(connection, run_id)
    if run is None:
        raise NotFound(f"There is no run '{run_id}'.")
    return run


async def _pinned(connection: AsyncConnection, workload: Workload, again: Row) -> Workload:
    """The workload at the commits, and at the versions of the packages it asked for, that `again` is recorded with."""
    commits = {each["path"]: each.get("commit") for each in again["repositories"] or []}
    checkouts = tuple(replace(each, commit=commits.get(each.path)) for each in workload.repositories)
    kept = await lives.environment(connection, again["environment"]) if again["environment"] else None
    pins = tuple(_pin(each, kept["record"].get("python", {}) if kept else {}) for each in workload.pip)
    return replace(workload, repositories=checkouts, pip=pins)


def _pin(requirement: str, recorded: Mapping[str, str]) -> str:
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    try:
        name = canonicalize_name(Requirement(requirement).name)
    except InvalidRequirement:
        return requirement
    version = {canonicalize_name(each): version for each, version in recorded.items()}.get(name)
    return f"{name}=={version}" if version else requirement


async def _runner(connection: AsyncConnection, row: Row) -> Person:
    """In whose name a schedule runs: the owner, or for a team whoever is of that team and nothing more."""
    owner: Owner = (await key_of(connection, row)).owner
    person = await people.by_name(connection, owner.name) if not str(owner).startswith("team:") else None
    return person or Person(id=row["owner_id"], name=row["created_by"], teams=frozenset({owner.name}))


def job_key(owner: str, name: str) -> Key:
    return Key(Kind.JOB, Owner.parse(owner), name)
