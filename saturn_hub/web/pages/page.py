"""What every page's handler has, and how addresses name resources."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote

from saturn_hub.engine.context import JSON, Key
from saturn_hub.errors import Forbidden, NotFound
from saturn_hub.model.access import Person
from saturn_hub.model.workload import Kind, Owner
from saturn_hub.web.base import Base
from saturn_hub.web.pages.catalog import catalog_view

KINDS = "(workspaces|jobs|apps)"
NAMED = rf"/{KINDS}/([^/]+)/([^/]+)"


def key_from(kinds: str, owner: str, name: str) -> Key:
    try:
        return Key(Kind(kinds[:-1]), Owner.parse(unquote(owner)), unquote(name))
    except ValueError as error:
        raise NotFound("There is nothing at this address.") from error


class Page(Base):
    """A handler whose errors are pages."""

    page = True

    def go(self, key: Key, part: str = "") -> None:
        """To the page of a resource."""
        self.redirect(f"{self.base}/{key.kind}s/{quote(str(key.owner), safe='')}/{key.name}{part}", status=303)

    def form(self) -> dict[str, list[str]]:
        return {name: self.get_body_arguments(name, strip=False) for name in self.request.body_arguments if name != "_xsrf"}

    def field(self, name: str, default: str = "") -> str:
        """The last value of a posted field."""
        return self.get_body_argument(name, default)

    async def admin(self) -> Person:
        """The signed-in admin. Raises Forbidden."""
        person = await self.person()
        if not person.admin:
            raise Forbidden("This page is for admins. Your own work is on the home page.")
        return person

    async def cards(self) -> JSON:
        """The catalog as this person sees it."""
        return catalog_view(self.context.catalog, await self.person(), self.context.machine, self.settings["images"])

    def show(self, template: str, **values: Any) -> None:
        """A page; `watch` names the resources whose events refresh it, `kind` what `n` makes new."""
        self.render_page(template, **{"watch": "", "kind": "", "here": "", **values})
