"""Who is asking, and what they may take."""

from __future__ import annotations

from saturn_hub.web.api import replies
from saturn_hub.web.api.base import Api, needs
from saturn_hub.web.pages.catalog import catalog_view


class Me(Api):
    @needs("signed_in", reply=replies.Me)
    async def get(self) -> None:
        """Who I am."""
        person = await self.person()
        self.reply({"name": person.name, "admin": person.admin, "teams": sorted(person.teams)})


class Catalog(Api):
    @needs("signed_in", reply=replies.Catalog)
    async def get(self) -> None:
        """Sizes, images and tools, each with the `reason` why I cannot have it, empty where I can."""
        self.reply(catalog_view(self.context.catalog, await self.person(), self.context.machine, self.settings["images"]))


ROUTES = [("/me", Me), ("/catalog", Catalog)]
