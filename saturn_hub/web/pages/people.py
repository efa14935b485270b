"""People and teams, for admins."""

from __future__ import annotations

from typing import Any

from tornado.web import authenticated

from saturn_hub.engine import people
from saturn_hub.engine.context import JSON
from saturn_hub.errors import NotFound, SaturnError
from saturn_hub.web.pages.page import Page


class People(Page):
    @authenticated
    async def get(self) -> None:
        await self.admin()
        await self.everyone()

    @authenticated
    async def post(self) -> None:
        person = await self.admin()
        document = {"name": self.field("name").strip(), "admin": self.field("admin") == "1", "teams": self.teams()}
        try:
            made = await people.add(self.context, person, document)
        except SaturnError as error:
            self.set_status(error.status)
            await self.everyone(problem=error.message, given=document)
            return
        await self.everyone(password=made)

    def teams(self) -> list[str]:
        return sorted({*self.field("teams").replace(",", " ").split()})

    async def everyone(self, **said: Any) -> None:
        found = await people.listing(self.context, await self.admin())
        managed = any(each["managed"] for each in found["items"])
        self.show("people.html", here="people", managed=managed, **{"password": None, "problem": "", "given": {}, **found, **said})


class PersonAction(People):
    @authenticated
    async def post(self, name: str, action: str) -> None:
        person = await self.admin()
        changes: dict[str, JSON] = {
            "teams": {"teams": self.teams()},
            "disable": {"disabled": True},
            "enable": {"disabled": False},
            "promote": {"admin": True},
            "demote": {"admin": False},
        }
        try:
            if action == "password":
                made = await people.new_password(self.context, person, name)
                await self.everyone(password={"name": name, **made})
                return
            if action not in changes:
                raise NotFound("There is nothing at this address.")
            await people.change(self.context, person, name, changes[action])
        except SaturnError as error:
            self.set_status(error.status)
            await self.everyone(problem=error.message)
            return
        self.redirect(f"{self.base}/people", status=303)


ROUTES = [(r"/people", People), (r"/people/([^/]+)/(\w+)", PersonAction)]
