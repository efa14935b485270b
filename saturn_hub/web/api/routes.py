"""Every route of the API below /api/v1."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from urllib.parse import unquote

from saturn_hub.engine import apps, environments, files, jobs, recipes
from saturn_hub.engine.context import Key
from saturn_hub.errors import InvalidInput, NotFound
from saturn_hub.model.workload import Kind, Owner
from saturn_hub.web.base import Base
from saturn_hub.web.pages.catalog import catalog_view

NAMED = r"([^/]+)/([^/]+)"


def key_from(kind: str, owner: str, name: str) -> Key:
    """The key that a path names. Raises NotFound for a kind that there is not."""
    try:
        return Key(Kind(kind), Owner.parse(unquote(owner)), unquote(name))
    except ValueError as error:
        raise NotFound(f"There is no kind of resource called '{kind}'.") from error


class Me(Base):
    async def get(self) -> None:
        person = await self.person()
        self.reply({"name": person.name, "admin": person.admin, "teams": sorted(person.teams)})


class Catalog(Base):
    async def get(self) -> None:
        self.reply(catalog_view(self.context.catalog, await self.person(), self.context.machine, self.settings["images"]))


class Recipes(Base):
    async def get(self) -> None:
        kind = self.get_query_argument("kind", "")
        everyone = self.get_query_argument("all", "") == "1"
        chosen = key_from(kind, "", "").kind if kind else None
        self.reply(await recipes.listing(self.context, await self.person(), chosen, everyone=everyone, after=self.get_query_argument("after", "")))

    async def post(self) -> None:
        self.reply(await recipes.save(self.context, await self.person(), self.body(), create=True), 201)


class Recipe(Base):
    async def get(self, kind: str, owner: str, name: str) -> None:
        self.reply(await recipes.show(self.context, await self.person(), key_from(kind, owner, name)))

    async def put(self, kind: str, owner: str, name: str) -> None:
        key, body = key_from(kind, owner, name), self.body()
        if (body.get("kind", key.kind), body.get("name", key.name)) != (key.kind, key.name):
            raise InvalidInput("The recipe is of another resource than the address names.", path="name", code="name_differs")
        expected = self.request.headers.get("If-Match", "").strip('"')
        person = await self.person()
        full = {"schema": 1, **body, "kind": str(key.kind), "name": key.name, "owner": str(key.owner)}
        self.reply(await recipes.save(self.context, person, full, create=False, expected=int(expected) if expected.isdigit() else None))

    async def delete(self, kind: str, owner: str, name: str) -> None:
        await recipes.delete(self.context, await self.person(), key_from(kind, owner, name))
        self.set_status(204)


class Revisions(Base):
    async def get(self, kind: str, owner: str, name: str) -> None:
        self.reply(await recipes.revisions(self.context, await self.person(), key_from(kind, owner, name)))


class Restore(Base):
    async def post(self, kind: str, owner: str, name: str, number: str) -> None:
        self.reply(await recipes.restore(self.context, await self.person(), key_from(kind, owner, name), int(number)))


class Workspace(Base):
    async def post(self, owner: str, name: str, action: str) -> None:
        key, person = key_from("workspace", owner, name), await self.person()
        await recipes.show(self.context, person, key)
        await self.settings["servers"].act(key.owner.name, key.name, action)
        self.reply(await recipes.show(self.context, person, key), 202)


class Runs(Base):
    async def get(self, owner: str, name: str) -> None:
        self.reply(await jobs.listing(self.context, await self.person(), jobs.job_key(unquote(owner), unquote(name)), self.get_query_argument("after", "")))

    async def post(self, owner: str, name: str) -> None:
        body, person = self.body(), await self.person()
        parameters = body.get("parameters") or {}
        if set(body) - {"parameters", "again_of"} or not isinstance(parameters, dict):
            raise InvalidInput("A run takes `parameters`, an object, and `again_of`.", path="parameters")
        again, once = body.get("again_of", ""), self.request.headers.get("Idempotency-Key", "")
        made = await jobs.start(self.context, person, jobs.job_key(unquote(owner), unquote(name)), parameters, idempotency_key=once, again_of=again)
        self.reply(made, 201)


class Run(Base):
    async def get(self, run_id: str) -> None:
        person, wait = await self.person(), self.get_query_argument("wait", "")
        # `?wait=` answers at once when the run has ended, else after so many seconds at most: no polling for a CLI that waits.
        until = asyncio.get_running_loop().time() + min(float(wait or 0), 30)
        change = self.context.database.changes.next()
        shown = await jobs.show(self.context, person, run_id)
        while shown["finished_at"] is None and (left := until - asyncio.get_running_loop().time()) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(change.wait(), left)
            change = self.context.database.changes.next()
            shown = await jobs.show(self.context, person, run_id)
        self.reply(shown)


class Cancel(Base):
    async def post(self, run_id: str) -> None:
        self.reply(await jobs.cancel(self.context, await self.person(), run_id), 202)


class Logs(Base):
    """A log as text, or with `follow=1` as server-sent events whose id is the byte offset after the chunk."""

    async def stream(self, chunks: AsyncIterator[bytes], offset: int, follow: bool) -> None:
        self.set_header("Content-Type", "text/event-stream" if follow else "text/plain; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        async for chunk in chunks:
            offset += len(chunk)
            text = chunk.decode(errors="replace")
            self.write(f"id: {offset}\ndata: {json.dumps(text)}\n\n" if follow else text)
            await self.flush()
        if follow:
            self.write("event: end\ndata: {}\n\n")

    def start(self) -> tuple[int, bool]:
        given = self.request.headers.get("Last-Event-ID") or self.get_query_argument("offset", "0")
        if not given.isdigit():
            raise InvalidInput("offset is a number of bytes.", path="offset")
        return int(given), self.get_query_argument("follow", "") in ("1", "true")


class RunLogs(Logs):
    async def get(self, run_id: str) -> None:
        person = await self.person()
        offset, follow = self.start()
        await jobs.show(self.context, person, run_id)
        await self.stream(files.run_log(self.context, person, run_id, offset=offset, follow=follow), offset, follow)


class RunFiles(Base):
    async def get(self, run_id: str) -> None:
        self.reply({"items": await files.outputs(self.context, await self.person(), run_id), "next": None})


class RunFile(Base):
    async def get(self, run_id: str, path: str) -> None:
        content = await files.output(self.context, await self.person(), run_id, unquote(path))
        html = path.endswith(".html") and self.get_query_argument("preview", "") == "1"
        self.set_header("Content-Type", "text/html; charset=utf-8" if html else "application/octet-stream")
        # What a run wrote is shown in an origin of its own, so that its scripts are nobody's session.
        self.set_header("Content-Security-Policy", "sandbox allow-scripts; default-src 'unsafe-inline' 'unsafe-eval' data: blob: https:")
        if not html:
            self.set_header("Content-Disposition", f'attachment; filename="{path.rpartition("/")[2]}"')
        async for chunk in content:
            self.write(chunk)
            await self.flush()


class App(Base):
    async def post(self, owner: str, name: str, action: str) -> None:
        key, person, body = apps.app_key(unquote(owner), unquote(name)), await self.person(), self.body()
        if action == "deploy":
            self.reply(await apps.deploy(self.context, person, key, body.get("revision")), 202)
        elif action == "rollback":
            self.reply(await apps.roll_back(self.context, person, key, body.get("to")), 202)
        else:
            await apps.stop(self.context, person, key)
            self.reply(await recipes.show(self.context, person, key), 202)


class Versions(Base):
    async def get(self, owner: str, name: str) -> None:
        self.reply(await apps.listing(self.context, await self.person(), apps.app_key(unquote(owner), unquote(name))))


class AppLogs(Logs):
    async def get(self, owner: str, name: str) -> None:
        unit = await apps.newest_unit(self.context, await self.person(), apps.app_key(unquote(owner), unquote(name)))
        offset, follow = self.start()
        await self.stream(self.context.backend.logs(unit, offset=offset, follow=follow), offset, follow)


class AppAccess(Base):
    async def put(self, owner: str, name: str) -> None:
        self.reply(await apps.set_access(self.context, await self.person(), apps.app_key(unquote(owner), unquote(name)), self.body()))


class Tokens(Base):
    async def get(self, owner: str, name: str) -> None:
        self.reply(await apps.token_list(self.context, await self.person(), apps.app_key(unquote(owner), unquote(name))))

    async def post(self, owner: str, name: str) -> None:
        key = apps.app_key(unquote(owner), unquote(name))
        self.reply(await apps.make_token(self.context, await self.person(), key, str(self.body().get("name", ""))), 201)


class Token(Base):
    async def delete(self, owner: str, name: str, token_id: str) -> None:
        await apps.drop_token(self.context, await self.person(), apps.app_key(unquote(owner), unquote(name)), token_id)
        self.set_status(204)


class Environment(Base):
    async def get(self, digest: str) -> None:
        self.reply(await environments.show(self.context, await self.person(), digest))


class EnvironmentDiff(Base):
    async def get(self) -> None:
        self.reply(await environments.compare(self.context, await self.person(), self.get_query_argument("a"), self.get_query_argument("b")))


class Missing(Base):
    async def prepare(self) -> None:
        raise NotFound("There is nothing at this address.")


ROUTES = [
    (r"/me", Me),
    (r"/catalog", Catalog),
    (r"/recipes", Recipes),
    (rf"/recipes/([^/]+)/{NAMED}", Recipe),
    (rf"/recipes/([^/]+)/{NAMED}/revisions", Revisions),
    (rf"/recipes/([^/]+)/{NAMED}/revisions/(\d+)/restore", Restore),
    (rf"/workspaces/{NAMED}/(start|stop)", Workspace),
    (rf"/jobs/{NAMED}/runs", Runs),
    (r"/runs/([^/]+)", Run),
    (r"/runs/([^/]+)/cancel", Cancel),
    (r"/runs/([^/]+)/logs", RunLogs),
    (r"/runs/([^/]+)/files", RunFiles),
    (r"/runs/([^/]+)/files/(.+)", RunFile),
    (rf"/apps/{NAMED}/(deploy|rollback|stop)", App),
    (rf"/apps/{NAMED}/versions", Versions),
    (rf"/apps/{NAMED}/logs", AppLogs),
    (rf"/apps/{NAMED}/access", AppAccess),
    (rf"/apps/{NAMED}/tokens", Tokens),
    (rf"/apps/{NAMED}/tokens/([^/]+)", Token),
    (r"/environments/diff", EnvironmentDiff),
    (r"/environments/([0-9a-f]+)", Environment),
    (r"/.*", Missing),
]
