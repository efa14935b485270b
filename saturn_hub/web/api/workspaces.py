"""Workspaces are started and stopped through the hub, whose named servers they are; their sessions are ours."""

from __future__ import annotations

from typing import Literal

from saturn_hub.engine import recipes, workspaces
from saturn_hub.errors import Forbidden
from saturn_hub.model.access import Permission, permissions
from saturn_hub.web.api import paths, replies
from saturn_hub.web.api.base import Api, Page, needs


class Wanted(Page):
    """Which sessions to list."""

    state: Literal["starting", "running", "stopping", "stopped", "failed"] | None = None


class Sessions(Api):
    @needs(Permission.SEE, query=Wanted, reply=replies.Sessions)
    async def get(self) -> None:
        """Sessions of my workspaces, newest first."""
        asked: Wanted = self.query
        states = (asked.state,) if asked.state else ()
        self.reply(await workspaces.listing(self.context, await self.person(), states, asked.after, asked.limit))


class Start(Api):
    @needs(Permission.OPERATE, reply=replies.Resource, status=202, headers=("Idempotency-Key",))
    async def post(self, owner: str, name: str) -> None:
        """Start a workspace. Starting one that runs changes nothing, with an `Idempotency-Key` or without."""
        paths.once(self.request.headers.get("Idempotency-Key"))
        await _act(self, owner, name, "start")


class Stop(Api):
    @needs(Permission.OPERATE, reply=replies.Resource, status=202)
    async def post(self, owner: str, name: str) -> None:
        """Stop a workspace; its files stay."""
        await _act(self, owner, name, "stop")


async def _act(handler: Api, owner: str, name: str, action: str) -> None:
    key, person = paths.key("workspace", owner, name), await handler.person()
    await recipes.show(handler.context, person, key)
    if Permission.OPERATE not in permissions(person, key.owner):
        raise Forbidden(f"You may see the workspace '{key.name}' of {key.owner}, but not {action} it.")
    await handler.settings["servers"].act(key.owner.name, key.name, action)
    handler.reply(await recipes.show(handler.context, person, key), 202)


ROUTES = [("/sessions", Sessions), ("/workspaces/{owner}/{name}/start", Start), ("/workspaces/{owner}/{name}/stop", Stop)]
