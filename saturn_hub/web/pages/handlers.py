"""Every route of the pages. Each page works by plain GET and POST."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from tornado.web import authenticated

from saturn_hub.engine import apps
from saturn_hub.errors import NotFound
from saturn_hub.web.pages import environments, lists, people, resources, runs
from saturn_hub.web.pages.assets import Assets, HubStyle
from saturn_hub.web.pages.page import Page


class Open(Page):
    """Sends a browser that the gateway sent here back with a one-use code."""

    @authenticated
    async def get(self) -> None:
        host = self.get_query_argument("host")
        code = await apps.open_code(self.context, await self.person(), host, self.get_query_argument("nonce"))
        following = self.get_query_argument("next", "/")
        self.redirect(f"{self.context.app_url(host)}.saturn/login?{urlencode({'code': code, 'next': following})}")


class Missing(Page):
    async def prepare(self) -> Any:
        await super().prepare()
        raise NotFound("There is nothing at this address.")


ROUTES = [
    (r"/assets/[0-9a-f]+/hub.css", HubStyle),
    (r"/assets/[0-9a-f]+/(.*)", Assets),
    *lists.ROUTES,
    *environments.ROUTES,
    *runs.ROUTES,
    *people.ROUTES,
    *resources.ROUTES,
    (r"/open", Open),
]
