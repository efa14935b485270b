"""Brings the hub's people and groups to our tables, page by page: schedules and the gateway have to know them while nobody is there."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from saturn_hub.engine import people
from saturn_hub.engine.context import Context
from saturn_hub.errors import Unavailable

log = logging.getLogger("saturn.mirror")


async def run(context: Context, settings: dict[str, Any], seconds: float) -> None:
    """Until cancelled."""
    while True:
        try:
            await once(context, settings)
        except (Unavailable, ValueError) as error:
            log.warning("The people could not be read from the hub: %s. The next time is in %s seconds.", error, seconds)
        await asyncio.sleep(seconds)


async def once(context: Context, settings: dict[str, Any]) -> None:
    """One pass over everyone. Whoever is with us and no longer with the hub is marked, and keeps what is theirs."""
    await people.mirror_accounts(context)
    seen: set[str] = set()
    async for page in settings["servers"].users():
        found = [people.Seen(each["name"], bool(each.get("admin")), frozenset(each.get("groups", ()))) for each in page]
        await people.mirror(context, found)
        seen |= {each.name for each in found}
    changed = await people.mark_missing(context, seen)
    for name in changed:
        settings["people"].pop(name, None)
