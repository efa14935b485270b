"""The page of one resource, and what is done from it."""

from __future__ import annotations

from tornado.web import authenticated

from saturn_hub.engine import apps, environments, jobs, recipes, workspaces
from saturn_hub.engine.context import JSON, Key
from saturn_hub.errors import InvalidInput, NotFound, SaturnError
from saturn_hub.model.access import Person
from saturn_hub.model.workload import Kind
from saturn_hub.web.pages import forms, views
from saturn_hub.web.pages.page import NAMED, Page, key_from


class Resource(Page):
    @authenticated
    async def get(self, kinds: str, owner: str, name: str) -> None:
        await self.resource(key_from(kinds, owner, name))

    async def resource(self, key: Key, **said: object) -> None:
        """The page; `said` is what an action has to say on it (a new token, a problem)."""
        person = await self.person()
        item = await recipes.show(self.context, person, key)
        common = {"item": item, "may": views.may(person, item["owner"]), "watch": str(key), "kind": str(key.kind), "here": f"{key.kind}s"}
        common |= {"revisions": (await recipes.revisions(self.context, person, key))["items"][:20], "token": None, "problems": [], "given": {}, **said}
        show = {Kind.WORKSPACE: self.workspace, Kind.JOB: self.job, Kind.APP: self.app}[key.kind]
        await show(person, key, item, common)

    async def workspace(self, person: Person, key: Key, item: JSON, common: JSON) -> None:
        cards = await self.cards()
        tools = [
            {**each, "url": item["url"].rstrip("/") + found.url}
            for found in self.context.catalog.tools
            for each in cards["tools"]
            if each["name"] == found.name
        ]
        sessions = await workspaces.history(self.context, person, key)
        self.show("workspace.html", sessions=sessions, tools=tools, catalog=cards, **common)

    async def job(self, person: Person, key: Key, item: JSON, common: JSON) -> None:
        found = await jobs.listing(self.context, person, key, after=self.get_query_argument("after", ""))
        strip = views.strip(found["items"])
        schedules = views.schedules(item["recipe"], self.context.now())
        self.show("job.html", runs=found["items"], next=found["next"], strip=strip, schedules=schedules, parameters=views.parameters(item["recipe"]), **common)

    async def app(self, person: Person, key: Key, item: JSON, common: JSON) -> None:
        tokens = (await apps.token_list(self.context, person, key))["items"] if "share" in common["may"] else []
        versions = (await apps.listing(self.context, person, key))["items"]
        self.show("app.html", versions=versions, tokens=tokens, snippets=views.snippets(item["url"]), teams=sorted(person.teams), **common)


class Action(Resource):
    """A posted action, `delete` among them, which asks first."""

    @authenticated
    async def get(self, kinds: str, owner: str, name: str, action: str) -> None:
        key = key_from(kinds, owner, name)
        if action != "delete":
            raise NotFound("There is nothing at this address.")
        item = await recipes.show(self.context, await self.person(), key)
        self.show("confirm.html", item=item, action=self.request.path, here=f"{key.kind}s")

    @authenticated
    async def post(self, kinds: str, owner: str, name: str, action: str) -> None:
        key, person = key_from(kinds, owner, name), await self.person()
        item = await recipes.show(self.context, person, key)
        try:
            if not await self.act(key, person, item, action):
                self.go(key)
        except InvalidInput as error:
            # What was wrong is said on the page where it was typed.
            self.set_status(error.status)
            given = {name: self.field(name) for name in self.request.body_arguments if name != "_xsrf"}
            problems = [{"path": each.path, "message": each.message} for each in error.details] or [{"path": error.path, "message": error.message}]
            await self.resource(key, problems=problems, given=given)

    async def act(self, key: Key, person: Person, item: JSON, action: str) -> bool:
        """Do it; whether that has answered itself."""
        if action == "delete":
            await recipes.delete(self.context, person, key)
            self.redirect(f"{self.base}/{key.kind}s", status=303)
            return True
        if action == "environment":
            await environments.take(self.context, person, key)
        elif action == "restore":
            await recipes.restore(self.context, person, key, int(self.field("revision", "0")))
        elif key.kind is Kind.JOB and action == "run":
            given = {each.removeprefix("parameter_"): self.field(each) for each in self.request.body_arguments if each.startswith("parameter_")}
            run = await jobs.start(self.context, person, key, {name: value for name, value in given.items() if value != ""})
            self.redirect(f"{self.base}/runs/{run['id']}", status=303)
            return True
        elif key.kind is Kind.WORKSPACE:
            await self.act_on_workspace(key, person, item, action)
        elif key.kind is Kind.APP:
            return await self.act_on_app(key, person, action)
        else:
            raise NotFound("There is nothing at this address.")
        return False

    async def act_on_workspace(self, key: Key, person: Person, item: JSON, action: str) -> None:
        if action in ("start", "stop"):
            await self.settings["servers"].act(key.owner.name, key.name, action)
        elif action == "size":
            await recipes.save(self.context, person, {**item["recipe"], "size": self.field("size")}, create=False)
        else:
            raise NotFound("There is nothing at this address.")

    async def act_on_app(self, key: Key, person: Person, action: str) -> bool:
        if action == "deploy":
            await apps.deploy(self.context, person, key)
        elif action == "stop":
            await apps.stop(self.context, person, key)
        elif action == "rollback":
            await apps.roll_back(self.context, person, key, int(self.field("to", "0")) or None)
        elif action == "access":
            people, teams = (self.field(each).replace(",", " ").split() for each in ("people", "teams"))
            await apps.set_access(self.context, person, key, {"who": self.field("who", "private"), "people": people, "teams": teams})
        elif action == "revoke":
            await apps.drop_token(self.context, person, key, self.field("token"))
        elif action == "tokens":
            await self.resource(key, token=await apps.make_token(self.context, person, key, self.field("name").strip()))
            return True
        else:
            raise NotFound("There is nothing at this address.")
        return False


class Recipe(Page):
    """The form and the YAML of one recipe, for a new resource or the next revision of one."""

    async def written(self, kind: Kind, document: JSON, problems: list[dict[str, str]], **more: object) -> None:
        text = more.pop("text", None)
        given = {**document, "kind": str(kind)}
        found = {"form": forms.form_of(given), "yaml": text if text is not None else forms.write_yaml(given)}
        self.show("recipe.html", kind=str(kind), problems=problems, catalog=await self.cards(), **found, **more)

    async def posted(self, kind: Kind, **more: object) -> JSON | None:
        """The posted recipe, or None where the page has been shown again: for the other view, or because it cannot be read."""
        try:
            document = forms.document_of(str(kind), self.form())
        except SaturnError as error:
            self.set_status(error.status)
            await self.written(kind, {}, forms.at_fields([error]), text=self.field("yaml"), view="yaml", **more)
            return None
        if other := self.field("as"):
            await self.written(kind, document, [], view=other, **more)
            return None
        return document

    async def refused(self, kind: Kind, document: JSON, error: SaturnError, **more: object) -> None:
        self.set_status(error.status)
        text = self.field("yaml") if "yaml" in self.request.body_arguments else None
        await self.written(kind, document, forms.at_fields(error.details or [error]), text=text, view="yaml" if text is not None else "form", **more)


class New(Recipe):
    @authenticated
    async def get(self, kind: str) -> None:
        asked = {name: self.get_query_argument(name) for name in ("name", "owner", "size", "image", "tool", "command") if self.get_query_argument(name, "")}
        await self.written(Kind(kind), asked, [], view=self.get_query_argument("as", "form"), item=None, here=f"{kind}s")

    @authenticated
    async def post(self, kind: str) -> None:
        person, more = await self.person(), {"item": None, "here": f"{kind}s"}
        document = await self.posted(Kind(kind), **more)
        if document is None:
            return
        try:
            saved = await recipes.save(self.context, person, document, create=True)
        except SaturnError as error:
            await self.refused(Kind(kind), document, error, **more)
            return
        key = key_from(f"{kind}s", saved["owner"], saved["name"])
        if key.kind is Kind.WORKSPACE:
            await self.settings["servers"].act(key.owner.name, key.name, "start")
        if key.kind is Kind.APP:
            await apps.deploy(self.context, person, key)
        self.go(key)


class Edit(Recipe):
    @authenticated
    async def get(self, kinds: str, owner: str, name: str) -> None:
        key = key_from(kinds, owner, name)
        item = await recipes.show(self.context, await self.person(), key)
        await self.written(key.kind, item["recipe"], [], view=self.get_query_argument("as", "form"), item=item, here=kinds)

    @authenticated
    async def post(self, kinds: str, owner: str, name: str) -> None:
        key, person = key_from(kinds, owner, name), await self.person()
        more = {"item": await recipes.show(self.context, person, key), "here": kinds}
        document = await self.posted(key.kind, **more)
        if document is None:
            return
        try:
            await recipes.save(self.context, person, {**document, "name": key.name, "owner": str(key.owner)}, create=False)
        except SaturnError as error:
            await self.refused(key.kind, document, error, **more)
            return
        self.go(key)


class Check(Page):
    """What is wrong with the recipe on the page, and what it costs, before the click. Writes nothing."""

    page = False

    @authenticated
    async def post(self, kind: str) -> None:
        person = await self.person()
        try:
            document = forms.document_of(kind, self.form())
        except SaturnError as error:
            self.reply({"problems": forms.at_fields([error]), "costs": "", "schedule": "", "state": error.message})
            return
        problems = await recipes.check(self.context, person, document, create=self.get_query_argument("edit", "") != "1")
        self.reply(views.checked(document, forms.at_fields(problems), self.context.catalog, self.context.now()))


ROUTES = [
    (r"/new/(workspace|job|app)", New),
    (r"/check/(workspace|job|app)", Check),
    (NAMED, Resource),
    (rf"{NAMED}/edit", Edit),
    (rf"{NAMED}/(\w+)", Action),
]
