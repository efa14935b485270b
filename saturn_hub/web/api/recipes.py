"""Resources by their recipes, and the revisions of these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from saturn_hub.engine import environments, recipes
from saturn_hub.engine.context import Key
from saturn_hub.errors import Forbidden, InvalidInput, NotFound
from saturn_hub.model.access import Permission, permissions
from saturn_hub.model.recipe import Recipe as RecipeModel
from saturn_hub.model.recipe import read
from saturn_hub.model.workload import Kind
from saturn_hub.web.api import paths, replies
from saturn_hub.web.api.base import Api, DryRun, Page, needs


class Wanted(Page):
    """What of the resources to list; `all` is for admins."""

    limit: int = Field(default=100, ge=1, le=200)
    kind: Literal["workspace", "job", "app"] | None = None
    state: str = Field(default="", max_length=20, pattern=r"^[a-z_]*$")
    search: str = Field(default="", max_length=100)
    all: bool = False


class Recipes(Api):
    @needs(Permission.SEE, query=Wanted, reply=replies.Resources)
    async def get(self) -> None:
        """What I and my teams have, newest first."""
        asked: Wanted = self.query
        person = await self.person()
        if asked.all and not person.admin:
            raise Forbidden("What everyone has is for admins to see. Leave `all` out to see yours.", code="admins_only")
        kind = Kind(asked.kind) if asked.kind else None
        chosen = {"after": asked.after, "limit": asked.limit, "state": asked.state, "search": asked.search}
        self.reply(await recipes.listing(self.context, person, kind, everyone=asked.all, **chosen))

    @needs(Permission.EDIT, query=DryRun, body=RecipeModel, reply=replies.Resource, status=201)
    async def post(self) -> None:
        """Make a resource. With `dry_run=1` say every problem, or 200 with the recipe as it is read, and write nothing."""
        person = await self.person()
        if self.query.dry_run:
            self.reply(await _check(self, self.sent, create=True))
            return
        made = await recipes.save(self.context, person, self.sent, create=True)
        self.set_header("ETag", f'"{made["revision"]}"')
        self.reply(made, 201)


class Recipe(Api):
    @needs(Permission.SEE, reply=replies.Resource)
    async def get(self, kind: str, owner: str, name: str) -> None:
        """One resource. `ETag` is its revision."""
        found = await recipes.show(self.context, await self.person(), paths.key(kind, owner, name))
        self.set_header("ETag", f'"{found["revision"]}"')
        self.reply(found)

    @needs(Permission.EDIT, query=DryRun, body=RecipeModel, reply=replies.Resource, headers=("If-Match",))
    async def put(self, kind: str, owner: str, name: str) -> None:
        """Give a resource a new revision, or make it. With `dry_run=1` as for a new one."""
        key, expected = paths.key(kind, owner, name), paths.revision(self.request.headers.get("If-Match"))
        person = await self.person()
        allowed = permissions(person, key.owner)
        if not allowed:
            raise NotFound(f"There is no {key.kind} '{key.name}' of {key.owner} that you may see.")
        if Permission.EDIT not in allowed:
            raise Forbidden(f"You may see what {key.owner} has, but not change it.")
        document = {"schema": 1, **self.sent, **_named(self.sent, key)}
        if self.query.dry_run:
            self.reply(await _check(self, document, create=False))
            return
        saved = await recipes.save(self.context, person, document, create=False, expected=expected)
        self.set_header("ETag", f'"{saved["revision"]}"')
        self.reply(saved)

    @needs(Permission.EDIT, headers=("If-Match",), status=204)
    async def delete(self, kind: str, owner: str, name: str) -> None:
        """Take a resource away. Refused while it runs."""
        expected = paths.revision(self.request.headers.get("If-Match"))
        await recipes.delete(self.context, await self.person(), paths.key(kind, owner, name), expected=expected)
        self.set_status(204)


class Revisions(Api):
    @needs(Permission.SEE, reply=replies.Revisions)
    async def get(self, kind: str, owner: str, name: str) -> None:
        """The revisions of a recipe, newest first."""
        self.reply(await recipes.revisions(self.context, await self.person(), paths.key(kind, owner, name)))


class Restore(Api):
    @needs(Permission.EDIT, reply=replies.Resource, headers=("If-Match",))
    async def post(self, kind: str, owner: str, name: str, number: str) -> None:
        """Make an earlier revision's recipe the newest revision."""
        expected = paths.revision(self.request.headers.get("If-Match"))
        self.reply(await recipes.restore(self.context, await self.person(), paths.key(kind, owner, name), int(number), expected=expected))


class TakeEnvironment(Api):
    @needs(Permission.OPERATE, reply=replies.Taken, status=201)
    async def post(self, kind: str, owner: str, name: str) -> None:
        """Record what a running workspace or a serving app runs on now."""
        self.reply(await environments.take(self.context, await self.person(), paths.key(kind, owner, name)), 201)


async def _check(handler: Api, document: Mapping[str, Any], *, create: bool) -> dict[str, Any]:
    if problems := await recipes.check(handler.context, await handler.person(), document, create=create):
        raise InvalidInput.of(problems)
    return {"valid": True, "recipe": read(document).document()}


def _named(document: Mapping[str, Any], key: Key) -> dict[str, str]:
    """What the address says of a recipe. Raises InvalidInput where the recipe says something else."""
    named = {"kind": str(key.kind), "name": key.name, "owner": str(key.owner)}
    for field, value in named.items():
        if document.get(field, value) != value:
            raise InvalidInput(
                f"The address says {field} '{value}', and the recipe another. Leave it out, or make them equal.", path=field, code=f"{field}_differs"
            )
    return named


NAMED = "/recipes/{kind}/{owner}/{name}"
ROUTES = [
    ("/recipes", Recipes),
    (NAMED, Recipe),
    (f"{NAMED}/revisions", Revisions),
    (f"{NAMED}/revisions/{{number}}/restore", Restore),
    (f"{NAMED}/environment", TakeEnvironment),
]
