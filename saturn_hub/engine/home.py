"""What pages show that no single use case gives: the home page, filtered lists, apps shared with me, environments to compare."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import select

from saturn_hub.engine import jobs, recipes
from saturn_hub.engine.context import JSON, Context, iso, money, owner_of, owners_of
from saturn_hub.model.access import Permission, Person, permissions
from saturn_hub.model.states import RunState
from saturn_hub.model.workload import Kind
from saturn_hub.store import journal, resources, runs
from saturn_hub.store.tables import environment_uses

ALIVE = frozenset({"running", "starting", "serving", "deploying", "stopping", "queued"})
ENDED_BADLY = frozenset({"failed", "lost", "timed_out"})
BATCH = 200


@dataclass(frozen=True)
class Wanted:
    """What a list is filtered by; an empty value takes everything."""

    state: str = ""
    owner: str = ""
    search: str = ""

    def takes(self, item: JSON) -> bool:
        """Whether `item` of a listing is wanted. `alive` and `problem` stand for several states."""
        states = {"alive": ALIVE, "problem": ENDED_BADLY}.get(self.state, {self.state})
        text = f"{item['name']} {item['owner']} {item['description']} {item['kind']} {item['size']}".lower()
        return (
            (not self.state or item["state"] in states)
            and (not self.owner or item["owner"] == self.owner)
            and all(word in text for word in self.search.lower().split())
        )


async def listing(context: Context, person: Person, kind: Kind | None, wanted: Wanted, *, everyone: bool = False, after: str = "", limit: int = 50) -> JSON:
    """One page of resources that are wanted, newest first; `next` is the cursor of the following page, None at the end."""
    found: list[JSON] = []
    cursor: str | None = after
    while cursor is not None and len(found) <= limit:
        batch = await recipes.listing(context, person, kind, everyone=everyone, after=cursor, limit=BATCH)
        found += [each for each in batch["items"] if wanted.takes(each)]
        cursor = batch["next"]
    return {"items": found[:limit], "next": found[limit - 1]["id"] if len(found) > limit else None}


async def view(context: Context, person: Person) -> JSON:
    """What runs, what the last runs did, what it costs now and this month, and what the person and their teams have."""
    items = (await recipes.listing(context, person, limit=BATCH))["items"]
    recent = (await jobs.mine(context, person, limit=8))["items"]
    now = context.now()
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    async with context.database.read() as connection:
        owners = {owner_id for _, owner_id in await owners_of(connection, person)}
        month_cost = await journal.spent_since(connection, owners, month, now)
        open_spans = await journal.open_spans(connection, [each["id"] for each in items])
    hourly = sum((Decimal(each["price_per_hour"]) for each in open_spans), Decimal(0))
    totals = {"cost_per_hour": money(hourly), "cost_month": money(month_cost), "currency": context.catalog.currency}
    return {"items": items, "runs": recent, **totals}


async def recorded(context: Context, person: Person, limit: int = 60) -> list[JSON]:
    """Environments that the person may see, the newest use first: what a page of comparison offers to choose from."""
    async with context.database.read() as connection:
        owners = await owners_of(connection, person)
        rows = {each["id"]: each for each in await resources.listing(connection, None, owners, "", BATCH)}
        found: list[JSON] = []
        seen = set()
        query = select(environment_uses).where(environment_uses.c.resource_id.in_(list(rows))).order_by(environment_uses.c.id.desc()).limit(limit * 3)
        for use in (await connection.execute(query)).mappings():
            row = rows[use["resource_id"]]
            if (use["digest"], row["id"]) in seen or len(found) == limit:
                continue
            seen.add((use["digest"], row["id"]))
            owner = await owner_of(connection, row)
            found.append({"digest": use["digest"], "kind": row["kind"], "owner": str(owner), "name": row["name"], "taken_at": iso(use["taken_at"])})
    return found


async def before(context: Context, person: Person, run: JSON) -> JSON:
    """What a run is compared with: the last success before it, and for a run made again the original."""
    async with context.database.read() as connection:
        row = await runs.get(connection, run["id"])
        assert row is not None
        resource = await resources.get(connection, row["resource_id"])
        assert resource is not None
        allowed = Permission.SEE in permissions(person, await owner_of(connection, resource))
        earlier = await runs.listing(connection, [row["resource_id"]], after=run["id"], limit=50) if allowed else []
        original = await runs.get(connection, row["again_of"]) if row["again_of"] and allowed else None
    success = next((each for each in earlier if each["state"] == RunState.SUCCEEDED and each["environment"]), None)
    return {"success": _brief(success), "original": _brief(original)}


def _brief(run: object) -> JSON | None:
    row: JSON | None = dict(run) if run else None  # type: ignore[call-overload]
    return {each: row[each] for each in ("id", "number", "environment")} | {"repositories": row["repositories"] or []} if row else None
