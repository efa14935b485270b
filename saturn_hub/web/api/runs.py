"""Runs of jobs: started, listed, waited for, cancelled; what they wrote."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Literal
from urllib.parse import quote

from pydantic import Field

from saturn_hub.engine import files, jobs
from saturn_hub.model.access import Permission
from saturn_hub.model.states import RunState
from saturn_hub.web.api import paths, replies
from saturn_hub.web.api.base import Api, Body, Page, Query, needs

WAIT_MAXIMUM = 30
STATES = tuple(str(each) for each in RunState if each is not RunState.SKIPPED)
# What a run wrote is shown in an origin of its own, so that its scripts are nobody's session.
SANDBOX = "sandbox allow-scripts; default-src 'unsafe-inline' 'unsafe-eval' data: blob: https:"


class StartRun(Body):
    """How to start: values of the job's parameters, or the run whose commits, packages and parameters to use again."""

    parameters: dict[str, str | int | float | bool | None] = Field(default_factory=dict)
    again_of: str = Field(default="", max_length=26)


class Wanted(Page):
    """Which runs to list."""

    state: Literal[STATES] | None = None  # type: ignore[valid-type]


class Wait(Query):
    """Answer when the run has ended, after so many seconds at most."""

    wait: float = Field(default=0, ge=0, le=WAIT_MAXIMUM, allow_inf_nan=False)


class Preview(Query):
    """Show an HTML file rather than hand it over for saving."""

    preview: bool = False


class JobRuns(Api):
    @needs(Permission.SEE, query=Page, reply=replies.Runs)
    async def get(self, owner: str, name: str) -> None:
        """Runs of one job, newest first."""
        asked: Page = self.query
        self.reply(await jobs.listing(self.context, await self.person(), paths.key("job", owner, name), asked.after, asked.limit))

    @needs(Permission.OPERATE, body=StartRun, reply=replies.Run, status=201, headers=("Idempotency-Key",))
    async def post(self, owner: str, name: str) -> None:
        """Start a run. The same `Idempotency-Key` again gives the run that it made then."""
        sent: StartRun = self.sent
        once = paths.once(self.request.headers.get("Idempotency-Key"))
        given = {each: value for each, value in sent.parameters.items() if value is not None}
        key = paths.key("job", owner, name)
        self.reply(await jobs.start(self.context, await self.person(), key, given, idempotency_key=once, again_of=sent.again_of), 201)


class Runs(Api):
    @needs(Permission.SEE, query=Wanted, reply=replies.Runs)
    async def get(self) -> None:
        """Runs of all jobs that I and my teams have, newest first."""
        asked: Wanted = self.query
        states = (asked.state,) if asked.state else ()
        self.reply(await jobs.mine(self.context, await self.person(), states, asked.after, asked.limit))


class Run(Api):
    @needs(Permission.SEE, query=Wait, reply=replies.Run)
    async def get(self, run_id: str) -> None:
        """One run."""
        self.reply(await self.ended(run_id, self.query.wait))

    async def ended(self, run_id: str, seconds: float) -> dict[str, Any]:
        """The run when it has ended, or after `seconds`; woken by each commit, so that nobody polls."""
        person, loop = await self.person(), asyncio.get_running_loop()
        until = loop.time() + seconds
        while True:
            change = self.context.database.changes.next()
            shown = await jobs.show(self.context, person, run_id)
            left = until - loop.time()
            if shown["finished_at"] is not None or left <= 0:
                return shown
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(change.wait(), left)


class Cancel(Api):
    @needs(Permission.OPERATE, reply=replies.Run, status=202)
    async def post(self, run_id: str) -> None:
        """Ask a run to stop."""
        self.reply(await jobs.cancel(self.context, await self.person(), run_id), 202)


class Files(Api):
    @needs(Permission.SEE, reply=replies.Files)
    async def get(self, run_id: str) -> None:
        """What a run wrote."""
        self.reply({"items": await files.outputs(self.context, await self.person(), run_id), "next": None})


class File(Api):
    @needs(Permission.SEE, query=Preview, reply="application/octet-stream")
    async def get(self, run_id: str, path: str) -> None:
        """One file that a run wrote."""
        content = await files.output(self.context, await self.person(), run_id, path)
        shown = path.endswith(".html") and self.query.preview
        self.set_header("Content-Type", "text/html; charset=utf-8" if shown else "application/octet-stream")
        self.set_header("Content-Security-Policy", SANDBOX)
        if not shown:
            self.set_header("Content-Disposition", f"attachment; filename*=UTF-8''{quote(path.rpartition('/')[2], safe='')}")
        async for chunk in content:
            self.write(chunk)
            await self.flush()


ROUTES = [
    ("/jobs/{owner}/{name}/runs", JobRuns),
    ("/runs", Runs),
    ("/runs/{run_id}", Run),
    ("/runs/{run_id}/cancel", Cancel),
    ("/runs/{run_id}/files", Files),
    ("/runs/{run_id}/files/{path}", File),
]
