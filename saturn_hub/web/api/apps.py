"""Apps: deployed, rolled back and stopped; who may open them; tokens for their callers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from saturn_hub.engine import apps, recipes
from saturn_hub.model.access import Permission
from saturn_hub.web.api import paths, replies
from saturn_hub.web.api.base import NUMBER_MAXIMUM, Api, Body, needs


class Deploy(Body):
    """The revision to deploy, the current one where none is named."""

    revision: int | None = Field(default=None, ge=1, le=NUMBER_MAXIMUM)


class RollBack(Body):
    """The number of the version to go back to, the one before where none is named."""

    to: int | None = Field(default=None, ge=1, le=NUMBER_MAXIMUM)


class Access(Body):
    """Who may open the app besides its owner: `people` and `teams` count where `who` is `people`."""

    who: Literal["private", "people", "signed_in", "public"] = "private"
    people: list[str] = Field(default_factory=list, max_length=500)
    teams: list[str] = Field(default_factory=list, max_length=500)


class NewToken(Body):
    """What the token is for."""

    name: str = Field(min_length=1, max_length=100)


class Deployment(Api):
    @needs(Permission.OPERATE, body=Deploy, reply=replies.Version, status=202, headers=("Idempotency-Key",))
    async def post(self, owner: str, name: str) -> None:
        """Deploy a version. What serves goes on until the new one answers."""
        once, key = paths.once(self.request.headers.get("Idempotency-Key")), paths.key("app", owner, name)
        self.reply(await apps.deploy(self.context, await self.person(), key, self.sent.revision, idempotency_key=once), 202)


class Rollback(Api):
    @needs(Permission.OPERATE, body=RollBack, reply=replies.Version, status=202)
    async def post(self, owner: str, name: str) -> None:
        """Serve an earlier version again."""
        self.reply(await apps.roll_back(self.context, await self.person(), paths.key("app", owner, name), self.sent.to), 202)


class Stop(Api):
    @needs(Permission.OPERATE, reply=replies.Resource, status=202)
    async def post(self, owner: str, name: str) -> None:
        """Serve nothing any more."""
        key, person = paths.key("app", owner, name), await self.person()
        await apps.stop(self.context, person, key)
        self.reply(await recipes.show(self.context, person, key), 202)


class Versions(Api):
    @needs(Permission.SEE, reply=replies.Versions)
    async def get(self, owner: str, name: str) -> None:
        """The versions of an app, newest first."""
        self.reply(await apps.listing(self.context, await self.person(), paths.key("app", owner, name)))


class AppAccess(Api):
    @needs(Permission.SHARE, body=Access, reply=replies.Access)
    async def put(self, owner: str, name: str) -> None:
        """Say who may open an app. It applies at once."""
        self.reply(await apps.set_access(self.context, await self.person(), paths.key("app", owner, name), self.sent.model_dump()))


class Tokens(Api):
    @needs(Permission.SHARE, reply=replies.Tokens)
    async def get(self, owner: str, name: str) -> None:
        """The tokens of an app, without their text."""
        self.reply(await apps.token_list(self.context, await self.person(), paths.key("app", owner, name)))

    @needs(Permission.SHARE, body=NewToken, reply=replies.MadeToken, status=201)
    async def post(self, owner: str, name: str) -> None:
        """Make a token with which a script calls this app alone. Its text is in this reply and nowhere else."""
        self.reply(await apps.make_token(self.context, await self.person(), paths.key("app", owner, name), self.sent.name), 201)


class Token(Api):
    @needs(Permission.SHARE, status=204)
    async def delete(self, owner: str, name: str, token_id: str) -> None:
        """Take a token back."""
        await apps.drop_token(self.context, await self.person(), paths.key("app", owner, name), token_id)
        self.set_status(204)


NAMED = "/apps/{owner}/{name}"
ROUTES = [
    (f"{NAMED}/deploy", Deployment),
    (f"{NAMED}/rollback", Rollback),
    (f"{NAMED}/stop", Stop),
    (f"{NAMED}/versions", Versions),
    (f"{NAMED}/access", AppAccess),
    (f"{NAMED}/tokens", Tokens),
    (f"{NAMED}/tokens/{{token_id}}", Token),
]
