"""Home, the lists, the search over everything, the gallery of apps, and the admin's view of everyone's."""

from __future__ import annotations

from urllib.parse import urlencode

from tornado.web import authenticated

from saturn_hub.engine import apps, home
from saturn_hub.engine.home import Wanted
from saturn_hub.model.workload import Kind
from saturn_hub.web.pages import views
from saturn_hub.web.pages.page import KINDS, Page


class Home(Page):
    @authenticated
    async def get(self) -> None:
        person = await self.person()
        found, shared = await home.view(self.context, person), await apps.gallery(self.context, person)
        self.show("home.html", here="home", watch="*", **views.home(found, shared))


class Filtered(Page):
    """A list whose filter is in its address."""

    async def items(self, kind: Kind | None, *, everyone: bool = False) -> dict[str, object]:
        wanted = Wanted(*(self.get_query_argument(each, "") for each in ("state", "owner", "q")))
        person, after = await self.person(), self.get_query_argument("after", "")
        found = await home.listing(self.context, person, kind, wanted, everyone=everyone, after=after)
        chosen = {"state": wanted.state, "owner": wanted.owner, "q": wanted.search}
        address = urlencode({key: value for key, value in {**chosen, "after": found["next"] or ""}.items() if value})
        filters = {"state": wanted.state, "owner": wanted.owner, "search": wanted.search, "filtered": any(chosen.values())}
        return {"items": found["items"], "next": f"?{address}" if found["next"] else "", "first": not after, **filters}


class Listing(Filtered):
    @authenticated
    async def get(self, kinds: str) -> None:
        kind = Kind(kinds[:-1])
        self.show("list.html", here=kinds, kind=str(kind), watch="*", states=views.STATES[kind], **await self.items(kind))


class Search(Filtered):
    @authenticated
    async def get(self) -> None:
        words = self.get_query_argument("q", "")
        shared = [each for each in await apps.gallery(self.context, await self.person()) if views.has_words(each, words)]
        self.show("search.html", shared=shared, **await self.items(None))


class Gallery(Page):
    @authenticated
    async def get(self) -> None:
        words = self.get_query_argument("q", "")
        found = [each for each in await apps.gallery(self.context, await self.person()) if views.has_words(each, words)]
        self.show("gallery.html", here="gallery", kind="app", items=found, search=words)


class Admin(Filtered):
    @authenticated
    async def get(self) -> None:
        await self.admin()
        kind = self.get_query_argument("kind", "")
        chosen = Kind(kind) if kind in list(Kind) else None
        self.show("admin.html", here="admin", watch="*", chosen=kind, **await self.items(chosen, everyone=True))


ROUTES = [(r"/?", Home), (rf"/{KINDS}", Listing), (r"/search", Search), (r"/gallery", Gallery), (r"/admin", Admin)]
