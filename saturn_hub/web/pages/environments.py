"""An environment, and two of them side by side."""

from __future__ import annotations

from tornado.web import authenticated

from saturn_hub.engine import environments, home
from saturn_hub.web.pages import views
from saturn_hub.web.pages.page import Page


class Environment(Page):
    @authenticated
    async def get(self, digest: str) -> None:
        person = await self.person()
        found = await environments.show(self.context, person, digest)
        others = [each for each in await home.recorded(self.context, person) if each["digest"] != digest]
        self.show("environment.html", **found, packages=views.packages(found["record"]), others=others)


class Compare(Page):
    """Two recorded environments, chosen from lists."""

    @authenticated
    async def get(self) -> None:
        person = await self.person()
        a, b = self.get_query_argument("a", ""), self.get_query_argument("b", "")
        changes = views.changes((await environments.compare(self.context, person, a, b))["difference"]) if a and b else None
        self.show("compare.html", a=a, b=b, changes=changes, recorded=await home.recorded(self.context, person))


ROUTES = [(r"/environments/compare", Compare), (r"/environments/([0-9a-f]+)", Environment)]
