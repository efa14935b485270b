"""Environments: what work ran on, and what differs between two."""

from __future__ import annotations

from pydantic import Field

from saturn_hub.engine import environments
from saturn_hub.model.access import Permission
from saturn_hub.web.api import replies
from saturn_hub.web.api.base import Api, Query, needs

DIGEST = r"^[0-9a-f]{64}$"


class Two(Query):
    """The digests of the environment before and after."""

    a: str = Field(pattern=DIGEST)
    b: str = Field(pattern=DIGEST)


class Environment(Api):
    @needs(Permission.SEE, reply=replies.Environment)
    async def get(self, digest: str) -> None:
        """An environment, and what of mine ran on it."""
        self.reply(await environments.show(self.context, await self.person(), digest))


class Difference(Api):
    @needs(Permission.SEE, query=Two, reply=replies.Difference)
    async def get(self) -> None:
        """What was added, removed and changed from `a` to `b`."""
        self.reply(await environments.compare(self.context, await self.person(), self.query.a, self.query.b))


ROUTES = [("/environments/diff", Difference), ("/environments/{digest}", Environment)]
