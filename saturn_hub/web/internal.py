"""What the hub's spawner and the gateway ask."""

from __future__ import annotations

from saturn_hub.engine import apps, workspaces
from saturn_hub.engine import people as arriving
from saturn_hub.errors import Forbidden
from saturn_hub.model.access import Person
from saturn_hub.store import people
from saturn_hub.web.base import Internal
from saturn_hub.web.pages.catalog import catalog_view


class Form(Internal):
    async def get(self) -> None:
        user = self.get_query_argument("user")
        async with self.context.database.begin() as connection:
            person = await people.by_name(connection, user) or Person("", user)
        view = catalog_view(self.context.catalog, person, self.context.machine, self.settings["images"])
        self.reply({"html": self.settings["pages"].get_template("spawn_form.html").render(catalog=view, base=self.settings["base"])})


class Sessions(Internal):
    async def post(self) -> None:
        body = self.body()
        person = await arriving.arrive(self.context, body["user"], bool(body.get("admin")), body.get("groups") or ())
        if person.disabled:
            raise Forbidden(f"{person.name} is disabled here: ask an admin.", code="disabled")
        self.reply(await workspaces.begin(self.context, body["user"], body["server_name"], body.get("user_options") or {}), 201)


class SessionByUnit(Internal):
    async def put(self, unit: str) -> None:
        body = self.body()
        changed = await workspaces.tell(self.context, unit, body["state"], body.get("message", ""))
        self.reply({})
        if changed and body["state"] in ("running", "stopped"):
            # The spawner has its answer already: recording delays nobody.
            await workspaces.record(self.context, changed, "start" if body["state"] == "running" else "stop")


class People(Internal):
    async def post(self) -> None:
        body = self.body()
        await arriving.arrive(self.context, body["name"], bool(body.get("admin")), body.get("groups") or ())
        self.settings["people"].pop(body["name"], None)
        self.reply({}, 201)


class Decide(Internal):
    async def post(self) -> None:
        body = self.body()
        self.reply(await apps.decide(self.context, body["host"], body.get("cookie"), body.get("token")))


class Redeem(Internal):
    async def post(self) -> None:
        body = self.body()
        self.reply({"cookie": await apps.redeem(self.context, body["host"], body["code"], body["nonce"])})


ROUTES = [
    (r"/internal/form", Form),
    (r"/internal/sessions", Sessions),
    (r"/internal/sessions/by-unit/([^/]+)", SessionByUnit),
    (r"/internal/people", People),
    (r"/internal/gateway/decide", Decide),
    (r"/internal/gateway/redeem", Redeem),
]
