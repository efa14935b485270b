"""What the home page says: what runs, what the last runs did, what it costs, what needs somebody."""

from __future__ import annotations

from decimal import Decimal

from saturn_hub.engine import jobs, recipes
from saturn_hub.engine.context import JSON, Context, cost, key_of, money, owners_of
from saturn_hub.model.access import Person
from saturn_hub.model.workload import Kind
from saturn_hub.store import journal, resources, runs

ALIVE = {"running", "starting", "serving", "deploying", "stopping", "queued"}


async def view(context: Context, person: Person, base: str) -> JSON:
    """The home page of one person."""
    items = (await recipes.listing(context, person, limit=200))["items"]
    now = context.now()
    async with context.database.begin() as connection:
        mine = await owners_of(connection, person)
        month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        spans = [each for each in await journal.spans(connection, month) if (each["owner_kind"], each["owner_id"]) in mine]
        job_ids = [each["id"] for each in items if each["kind"] == Kind.JOB]
        last = await runs.listing(connection, job_ids, limit=10)
        keys = {}
        for resource_id in {each["resource_id"] for each in last}:
            row = await resources.get(connection, resource_id)
            assert row is not None
            keys[resource_id] = await key_of(connection, row)
        recent = await jobs.describe(context, connection, last, keys)
    month_cost = sum((cost(each["price_per_hour"], max(each["started_at"], month), each["finished_at"], now) for each in spans), Decimal(0))
    running = [each for each in items if each["state"] in ALIVE]
    failed = [each for each in items if each["state"] in ("failed", "lost", "timed_out")]
    dirty = [each for each in items if any(one.get("message") for one in each["repositories"])]
    needs = [{"text": f"The {each['kind']} {each['name']} is {each['state'].replace('_', ' ')}: {each['problem']}", "url": _url(base, each)} for each in failed]
    needs += [{"text": f"{each['name']}: {one['message']}", "url": _url(base, each)} for each in dirty for one in each["repositories"] if one.get("message")]
    hourly = sum((Decimal(each["price_per_hour"]) for each in spans if each["finished_at"] is None), Decimal(0))
    totals = {"cost_per_hour": money(hourly), "cost_month": money(month_cost), "currency": context.catalog.currency}
    return {"running": running, "runs": recent, "needs": needs, "resources": items, **totals}


def _url(base: str, item: JSON) -> str:
    return f"{base}/{item['kind']}s/{item['owner']}/{item['name']}"
