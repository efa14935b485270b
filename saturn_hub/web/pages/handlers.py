"""The pages. Each works by plain GET and POST."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote, urlencode

from tornado.web import authenticated

from saturn_hub.engine import apps, environments, files, home, jobs, recipes, workspaces
from saturn_hub.engine.context import Key
from saturn_hub.errors import Forbidden, InvalidInput, NotFound
from saturn_hub.model.recipe import read_yaml, write_yaml
from saturn_hub.model.workload import Kind, Owner
from saturn_hub.web.base import Base
from saturn_hub.web.pages import forms
from saturn_hub.web.pages.catalog import catalog_view

KINDS = "(workspaces|jobs|apps)"
NAMED = rf"/{KINDS}/([^/]+)/([^/]+)"
READERS = {Kind.WORKSPACE: forms.workspace_recipe, Kind.JOB: forms.job_recipe, Kind.APP: forms.app_recipe}


def key_from(kinds: str, owner: str, name: str) -> Key:
    return Key(Kind(kinds[:-1]), Owner.parse(unquote(owner)), unquote(name))


class Page(Base):
    """A handler whose errors are pages."""

    page = True

    def go(self, key: Key) -> None:
        """To the page of a resource."""
        self.redirect(f"{self.base}/{key.kind}s/{quote(str(key.owner), safe='')}/{key.name}", status=303)

    def form(self) -> dict[str, list[str]]:
        return {name: self.get_body_arguments(name) for name in self.request.body_arguments if name != "_xsrf"}


class Home(Page):
    @authenticated
    async def get(self) -> None:
        self.render_page("home.html", **await home.view(self.context, await self.person(), self.base))


class Listing(Page):
    @authenticated
    async def get(self, kinds: str) -> None:
        found = await recipes.listing(self.context, await self.person(), Kind(kinds[:-1]), after=self.get_query_argument("after", ""))
        self.render_page("list.html", kind=kinds[:-1], scope="mine", **found)


class New(Page):
    @authenticated
    async def get(self, kind: str) -> None:
        form = {name: self.get_query_argument(name) for name in self.request.query_arguments}
        await self.show(kind, form, [])

    @authenticated
    async def post(self, kind: str) -> None:
        form, person = self.form(), await self.person()
        try:
            document = READERS[Kind(kind)](form)
            await recipes.save(self.context, person, document, create=True)
        except Exception as error:
            problems = getattr(error, "details", ()) or ((error,) if hasattr(error, "path") else ())
            if not problems:
                raise
            self.set_status(400)
            await self.show(kind, {name: values[-1] for name, values in form.items()}, [{"path": each.path, "message": each.message} for each in problems])
            return
        key = Key(Kind(kind), Owner.parse(document.get("owner") or person.name), document["name"])
        if key.kind is Kind.WORKSPACE:
            await self.settings["servers"].act(key.owner.name, key.name, "start")
        if key.kind is Kind.APP:
            await apps.deploy(self.context, person, key)
        self.go(key)

    async def show(self, kind: str, form: dict[str, str], problems: list[dict[str, str]]) -> None:
        view = catalog_view(self.context.catalog, await self.person(), self.context.machine, self.settings["images"])
        self.render_page("new.html", kind=kind, catalog=view, form=form, problems=problems)


class Resource(Page):
    @authenticated
    async def get(self, kinds: str, owner: str, name: str) -> None:
        await self.show(key_from(kinds, owner, name))

    async def show(self, key: Key, new_token: str = "") -> None:
        person = await self.person()
        item = await recipes.show(self.context, person, key)
        if key.kind is Kind.WORKSPACE:
            view = catalog_view(self.context.catalog, person, self.context.machine, self.settings["images"])
            tools = [
                {"title": t.title, "url": item["url"].rstrip("/") + t.url}
                for t, v in zip(self.context.catalog.tools, view["tools"], strict=True)
                if not v["reason"]
            ]
            self.render_page(
                "workspace.html", item=item, sessions=await workspaces.history(self.context, person, key), tools=tools, sizes=view["sizes"], catalog=view
            )
        elif key.kind is Kind.JOB:
            self.render_page("job.html", item=item, runs=(await jobs.listing(self.context, person, key))["items"])
        else:
            tokens = (await apps.token_list(self.context, person, key))["items"] if item["owner"] in (person.name, *(f"team:{t}" for t in person.teams)) else []
            self.render_page("app.html", item=item, versions=(await apps.listing(self.context, person, key))["items"], tokens=tokens, new_token=new_token)


class Action(Resource):
    @authenticated
    async def get(self, kinds: str, owner: str, name: str, action: str) -> None:
        key = key_from(kinds, owner, name)
        if action != "delete":
            raise NotFound("There is nothing at this address.")
        item = await recipes.show(self.context, await self.person(), key)
        text = f"This takes the {key.kind} '{key.name}' away, with its page and its schedules."
        self.render_page("confirm.html", title=f"Delete {item['name']}?", text=text, action=self.request.path, danger=True)

    @authenticated
    async def post(self, kinds: str, owner: str, name: str, action: str) -> None:
        key, person, form = key_from(kinds, owner, name), await self.person(), self.form()
        item = await recipes.show(self.context, person, key)
        if action == "delete":
            await recipes.delete(self.context, person, key)
            self.redirect(f"{self.base}/{kinds}", status=303)
            return
        if key.kind is Kind.WORKSPACE and action in ("start", "stop"):
            await self.settings["servers"].act(key.owner.name, key.name, action)
        elif key.kind is Kind.WORKSPACE and action == "size":
            await recipes.save(self.context, person, {**item["recipe"], "size": form["size"][-1]}, create=False)
        elif key.kind is Kind.JOB and action == "run":
            parameters = {each.removeprefix("parameter_"): values[-1] for each, values in form.items() if each.startswith("parameter_") and values[-1] != ""}
            run = await jobs.start(self.context, person, key, parameters)
            self.redirect(f"{self.base}/runs/{run['id']}", status=303)
            return
        elif key.kind is Kind.APP and await self.app(key, action, form):
            return
        self.go(key)

    async def app(self, key: Key, action: str, form: dict[str, list[str]]) -> bool:
        """An action of an app; whether it has answered itself."""
        person = await self.person()
        if action == "deploy":
            await apps.deploy(self.context, person, key)
        elif action == "stop":
            await apps.stop(self.context, person, key)
        elif action == "rollback":
            await apps.roll_back(self.context, person, key, int(form["to"][-1]) if form.get("to") else None)
        elif action == "access":
            people = [each.strip() for each in form.get("people", [""])[-1].replace(",", " ").split()]
            teams = [each.strip() for each in form.get("teams", [""])[-1].replace(",", " ").split()]
            await apps.set_access(self.context, person, key, {"who": form.get("who", ["private"])[-1], "people": people, "teams": teams})
        elif action == "tokens" and form.get("delete"):
            await apps.drop_token(self.context, person, key, form["delete"][-1])
        elif action == "tokens":
            made = await apps.make_token(self.context, person, key, form.get("name", [""])[-1])
            await self.show(key, made["token"])
            return True
        return False


class Edit(Page):
    @authenticated
    async def get(self, kinds: str, owner: str, name: str) -> None:
        item = await recipes.show(self.context, await self.person(), key_from(kinds, owner, name))
        self.render_page("edit.html", item=item, yaml=write_yaml(item["recipe"]), problems=[])

    @authenticated
    async def post(self, kinds: str, owner: str, name: str) -> None:
        key, person = key_from(kinds, owner, name), await self.person()
        item, text = await recipes.show(self.context, person, key), self.get_body_argument("yaml")
        try:
            document = {**read_yaml(text), "kind": str(key.kind), "name": key.name, "owner": str(key.owner)}
            await recipes.save(self.context, person, document, create=False)
        except InvalidInput as error:
            self.set_status(400)
            problems = [{"path": each.path, "message": each.message} for each in error.details] or [{"path": error.path, "message": error.message}]
            self.render_page("edit.html", item=item, yaml=text, problems=problems)
            return
        self.go(key)


class Run(Page):
    @authenticated
    async def get(self, run_id: str) -> None:
        person = await self.person()
        run = await jobs.show(self.context, person, run_id)
        base = f"{self.base}/api/v1/runs/{run_id}/files/"
        found = [
            {**each, "url": base + quote(each["path"]), "preview": base + quote(each["path"]) + "?preview=1" if each["path"].endswith(".html") else ""}
            for each in await files.outputs(self.context, person, run_id)
        ]
        self.render_page("run.html", run=run, files=found)


class RunAction(Page):
    @authenticated
    async def post(self, run_id: str, action: str) -> None:
        person = await self.person()
        run = await jobs.show(self.context, person, run_id)
        if action == "cancel":
            await jobs.cancel(self.context, person, run_id)
        else:
            run = await jobs.start(self.context, person, jobs.job_key(run["job"]["owner"], run["job"]["name"]), {}, again_of=run_id)
        self.redirect(f"{self.base}/runs/{run['id']}", status=303)


class Environment(Page):
    @authenticated
    async def get(self, digest: str) -> None:
        self.render_page("environment.html", **await environments.show(self.context, await self.person(), digest))


class Compare(Page):
    @authenticated
    async def get(self) -> None:
        found = await environments.compare(self.context, await self.person(), self.get_query_argument("a"), self.get_query_argument("b"))
        self.render_page("compare.html", **found)


class Admin(Page):
    @authenticated
    async def get(self) -> None:
        person = await self.person()
        if not person.admin:
            raise Forbidden("This page is for admins.")
        self.render_page("admin.html", items=(await recipes.listing(self.context, person, everyone=True))["items"])


class Open(Page):
    """Sends a browser that the gateway sent here back with a one-use code."""

    @authenticated
    async def get(self) -> None:
        host = self.get_query_argument("host")
        code = await apps.open_code(self.context, await self.person(), host, self.get_query_argument("nonce"))
        following = self.get_query_argument("next", "/")
        self.redirect(f"{self.context.app_url(host)}.saturn/login?{urlencode({'code': code, 'next': following})}")


class Missing(Page):
    def prepare(self) -> Any:
        raise NotFound("There is nothing at this address.")


ROUTES = [
    (r"/?", Home),
    (rf"/{KINDS}", Listing),
    (r"/new/(workspace|job|app)", New),
    (NAMED, Resource),
    (rf"{NAMED}/edit", Edit),
    (rf"{NAMED}/(\w+)", Action),
    (r"/runs/([^/]+)", Run),
    (r"/runs/([^/]+)/(cancel|again)", RunAction),
    (r"/environments/compare", Compare),
    (r"/environments/([0-9a-f]+)", Environment),
    (r"/admin", Admin),
    (r"/open", Open),
]
