"""The page of a run: its log, steps, files, and what it ran on beside what earlier ones did."""

from __future__ import annotations

import csv
import io
import mimetypes
from urllib.parse import quote, unquote

from tornado.web import authenticated

from saturn_hub.engine import environments, files, home, jobs
from saturn_hub.engine.context import JSON
from saturn_hub.errors import NotFound
from saturn_hub.model.access import Person
from saturn_hub.web.pages import views
from saturn_hub.web.pages.page import Page

SHOWN_BYTES = 200_000
SHOWN_ROWS = 200
IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml"})
TEXTS = frozenset({".txt", ".log", ".md", ".json", ".yaml", ".yml", ".py", ".r", ".rmd", ".sql", ".sh", ".toml", ".cfg", ".ini", ".xml"})


def preview_of(path: str) -> str:
    """How a file is shown on its page: as a page, an image, a table, text, or not at all."""
    suffix = f".{path.rpartition('.')[2].lower()}" if "." in path else ""
    if suffix in (".html", ".htm"):
        return "page"
    if mimetypes.guess_type(path)[0] in IMAGES:
        return "image"
    return "table" if suffix in (".csv", ".tsv") else "text" if suffix in TEXTS else ""


class Run(Page):
    @authenticated
    async def get(self, run_id: str) -> None:
        person = await self.person()
        run = await jobs.show(self.context, person, run_id)
        raw = f"{self.base}/api/v1/runs/{run_id}/files/"
        found = [{**each, "url": raw + quote(each["path"]), "preview": preview_of(each["path"])} for each in await files.outputs(self.context, person, run_id)]
        for each in found:
            each["page"] = f"{self.base}/runs/{run_id}/files/{quote(each['path'])}"
        compared = await self.compared(person, run)
        key = f"job/{run['job']['owner']}/{run['job']['name']}"
        self.show("run.html", run=run, files=found, compared=compared, may=views.may(person, run["job"]["owner"]), watch=key, kind="job", here="jobs")

    async def compared(self, person: Person, run: JSON) -> list[JSON]:
        """What changed since the last success, and for a run made again since the original."""
        if not run["environment"]:
            return []
        earlier = await home.before(self.context, person, run)
        found = []
        for title, other in (("the original", earlier["original"]), ("the last success", earlier["success"])):
            if other and other["environment"]:
                difference = (await environments.compare(self.context, person, other["environment"], run["environment"]))["difference"]
                moved = views.moved(other["repositories"], run["repositories"])
                found.append({"title": title, "run": other, "changes": views.changes(difference), "moved": moved})
        return found


class RunFile(Page):
    """A file of a run with its preview."""

    @authenticated
    async def get(self, run_id: str, path: str) -> None:
        person, path = await self.person(), unquote(path)
        run = await jobs.show(self.context, person, run_id)
        listed = await files.outputs(self.context, person, run_id)
        file = next((each for each in listed if each["path"] == path), None)
        if file is None:
            raise NotFound(f"The run has no file '{path}'.")
        how = preview_of(path)
        text = await self.text(person, run_id, path) if how in ("table", "text") else ""
        rows = list(csv.reader(io.StringIO(text), delimiter="\t" if path.endswith(".tsv") else ","))[: SHOWN_ROWS + 1] if how == "table" else []
        url, image = f"{self.base}/api/v1/runs/{run_id}/files/{quote(path)}", f"{self.base}/runs/{run_id}/images/{quote(path)}"
        self.show("file.html", run=run, file=file, how=how, text=text, rows=rows, url=url, image=image, cut=file["size"] > SHOWN_BYTES, here="jobs")

    async def text(self, person: Person, run_id: str, path: str) -> str:
        """The beginning of a file."""
        found = b""
        async for chunk in await files.output(self.context, person, run_id, path):
            found += chunk
            if len(found) >= SHOWN_BYTES:
                break
        return found[:SHOWN_BYTES].decode(errors="replace").replace("\0", "�")


class RunImage(Page):
    """An image that a run wrote, for its page alone: nothing in it is run."""

    @authenticated
    async def get(self, run_id: str, path: str) -> None:
        path = unquote(path)
        kind = mimetypes.guess_type(path)[0]
        if kind not in IMAGES:
            raise NotFound(f"'{path}' is not an image.")
        content = await files.output(self.context, await self.person(), run_id, path)
        self.set_header("Content-Type", str(kind))
        self.set_header("Content-Security-Policy", "sandbox; default-src 'none'; style-src 'unsafe-inline'")
        async for chunk in content:
            self.write(chunk)
            await self.flush()


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


ROUTES = [
    (r"/runs/([^/]+)", Run),
    (r"/runs/([^/]+)/(cancel|again)", RunAction),
    (r"/runs/([^/]+)/files/(.+)", RunFile),
    (r"/runs/([^/]+)/images/(.+)", RunImage),
]
