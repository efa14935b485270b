"""Brings the hub's people and groups to our tables, page by page: schedules and the gateway have to know them while nobody is there."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

from tornado.httpclient import AsyncHTTPClient, HTTPClientError

from saturn_hub.engine import people
from saturn_hub.engine.context import Context

log = logging.getLogger("saturn.mirror")
PAGE = 200
# What the hub's API calls a page of a list, with where the next one begins.
PAGINATION = "application/jupyterhub-pagination+json"


async def run(context: Context, settings: dict[str, Any], seconds: float) -> None:
    """Until cancelled."""
    while True:
        try:
            await once(context, settings)
        except (OSError, HTTPClientError, ValueError) as error:
            log.warning("The people could not be read from the hub: %s. The next time is in %s seconds.", error, seconds)
        await asyncio.sleep(seconds)


async def once(context: Context, settings: dict[str, Any]) -> None:
    """One pass over everyone. Whoever is with us and no longer with the hub is marked, and keeps what is theirs."""
    seen: set[str] = set()
    async for page in _pages(settings):
        found = [people.Seen(each["name"], bool(each.get("admin")), frozenset(each.get("groups", ()))) for each in page]
        await people.mirror(context, found)
        seen |= {each.name for each in found}
    changed = await people.mark_missing(context, seen)
    for name in changed:
        settings["people"].pop(name, None)


async def _pages(settings: dict[str, Any]) -> AsyncIterator[list[dict[str, Any]]]:
    """The hub's users, some at a time."""
    auth, offset = settings["hub_auth"], 0
    headers = {"Authorization": f"token {auth.api_token}", "Accept": PAGINATION}
    while True:
        answer = await AsyncHTTPClient().fetch(f"{auth.api_url}/users?offset={offset}&limit={PAGE}", headers=headers, request_timeout=60)
        page = json.loads(answer.body)
        yield page["items"]
        following = page["_pagination"]["next"]
        if not following:
            return
        offset = following["offset"]
