"""Brings what runs to what was asked for. Every step is written down before it is taken, so it can be killed at any line."""

from __future__ import annotations

import asyncio
import logging
import urllib.error
import urllib.request
from typing import Any

from saturn_hub.backends.base import Phase, Status
from saturn_hub.engine import environments
from saturn_hub.engine.context import Context
from saturn_hub.errors import BackendUnavailable, OutOfCapacity, SaturnError
from saturn_hub.model.states import FINAL_RUN, LIVE_VERSION, RUN_CHANGES, VERSION_CHANGES, RunState, VersionState, change
from saturn_hub.model.workload import Workload
from saturn_hub.store import journal, lives, resources, runs
from saturn_hub.store.database import Row
from saturn_hub.store.tables import runs as run_table
from saturn_hub.store.tables import versions

log = logging.getLogger("saturn.reconciler")


class Reconciler:
    """One pass looks at what is not final, and at nothing else."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.background: set[asyncio.Task[None]] = set()

    async def tick(self) -> None:
        """One pass over open runs and versions. An error of one is logged and does not hold up the others."""
        async with self.context.database.begin() as connection:
            open_runs = await runs.open_runs(connection)
            steps = await runs.steps_of(connection, [each["id"] for each in open_runs])
            open_versions = await lives.open_versions(connection)
        units = [step["unit"] for each in steps.values() for step in each] + [each["unit"] for each in open_versions]
        statuses = await self.context.backend.statuses(units)
        for run in open_runs:
            await self._guarded(self._run(run, steps[run["id"]], statuses))
        for version in open_versions:
            await self._guarded(self._version(version, open_versions, statuses[version["unit"]]))

    async def _guarded(self, work: Any) -> None:
        try:
            await work
        except (BackendUnavailable, OSError):
            log.exception("The backend does not answer; this will be tried again")

    async def _run(self, run: Row, steps: list[Row], statuses: dict[str, Status]) -> None:
        """Move one run on by what its steps are now."""
        states = {step["name"]: RunState(step["state"]) for step in steps}
        for step in steps:
            status = statuses[step["unit"]]
            state = RunState(step["state"])
            if run["cancel"] and state not in FINAL_RUN and status.phase not in (Phase.ENDED, Phase.GONE):
                await self._step(run, step, RunState.STOPPING)
                await self.context.backend.stop(step["unit"])
                status = (await self.context.backend.statuses([step["unit"]]))[step["unit"]]
            if state is RunState.QUEUED:
                needs = [states[each] for each in step["needs"]]
                if run["cancel"] or any(each in FINAL_RUN and each is not RunState.SUCCEEDED for each in needs):
                    await self._step(run, step, RunState.CANCELLED if run["cancel"] else RunState.SKIPPED)
                    states[step["name"]] = RunState.CANCELLED if run["cancel"] else RunState.SKIPPED
                elif all(each is RunState.SUCCEEDED for each in needs) and _may_start(steps, states, step):
                    states[step["name"]] = await self._start(run, step)
            elif state not in FINAL_RUN:
                states[step["name"]] = await self._follow(run, step, status)
        await self._settle(run, states)

    async def _start(self, run: Row, step: Row) -> RunState:
        """Write down that the step starts, then start it; a repeat finds the unit by its name."""
        await self._step(run, step, RunState.STARTING)
        try:
            await self.context.backend.start(step["unit"], Workload.from_json(step["workload"]))
        except OutOfCapacity as error:
            async with self.context.database.begin() as connection:
                await runs.change_step(connection, run["id"], step["position"], state=RunState.QUEUED, reason=error.message, started_at=None)
                await runs.change(connection, run["id"], reason=f"Waiting: {error.message}")
            return RunState.QUEUED
        except SaturnError as error:
            await self._step(run, step, RunState.FAILED, reason=error.message, path=error.path)
            return RunState.FAILED
        return RunState.STARTING

    async def _follow(self, run: Row, step: Row, status: Status) -> RunState:
        """The step's state after what the backend says."""
        state = RunState(step["state"])
        if status.phase is Phase.GONE:
            return await self._start(run, step) if state is RunState.STARTING else await self._step(run, step, RunState.LOST, reason="Nothing is left of it.")
        if status.phase is Phase.RUNNING and state is RunState.STARTING:
            return await self._step(run, step, RunState.RUNNING)
        if status.phase is not Phase.ENDED:
            if status.phase is Phase.STARTING:
                await self.context.backend.start(step["unit"], Workload.from_json(step["workload"]))
            return state
        end = _end(status, cancelled=run["cancel"])
        reason = status.message or (
            "" if end is RunState.SUCCEEDED else f"The command ended with exit code {status.exit_code}." if end is RunState.FAILED else ""
        )
        return await self._step(run, step, end, reason=reason, path=status.path, exit_code=status.exit_code, repositories=list(status.repositories))

    async def _step(
        self, run: Row, step: Row, new: RunState, *, reason: str = "", path: str = "", exit_code: int | None = None, repositories: list[Any] | None = None
    ) -> RunState:
        now = self.context.now()
        change(RUN_CHANGES, RunState(step["state"]), new)
        values: dict[str, Any] = {"state": new, "reason": reason[:2000], "exit_code": exit_code}
        if new is RunState.STARTING:
            values["started_at"] = now
        if new in FINAL_RUN:
            values["finished_at"] = now
        async with self.context.database.begin() as connection:
            await runs.change_step(connection, run["id"], step["position"], **values)
            if repositories:
                await runs.change(connection, run["id"], repositories=repositories)
            if new in FINAL_RUN and (reason or exit_code is not None):
                await runs.change(connection, run["id"], reason=reason[:2000], path=path, exit_code=exit_code)
            subject = f"{run['id']}/{step['position']}"
            resource = await resources.get(connection, run["resource_id"])
            assert resource is not None
            size = step["workload"]["hardware"]["name"]
            if new is RunState.STARTING:
                await journal.open_span(connection, now, resource, subject, size, str(self.context.price(size)))
            elif new in FINAL_RUN:
                await journal.close_span(connection, now, subject)
        return new

    async def _settle(self, run: Row, states: dict[str, RunState]) -> None:
        """The run's own state: that of its steps together."""
        new, now = _together(states, cancelled=run["cancel"]), self.context.now()
        if new == run["state"]:
            return
        values: dict[str, Any] = {"state": new}
        if run["started_at"] is None and new is not RunState.QUEUED:
            values["started_at"] = now
        if new in FINAL_RUN:
            values["finished_at"] = now
        async with self.context.database.begin() as connection:
            await runs.change(connection, run["id"], **values)
            await journal.tell(connection, now, run["resource_id"], "run", run["id"], new)
        if new in FINAL_RUN:
            self._later(self._record(run))

    async def _record(self, run: Row) -> None:
        async with self.context.database.begin() as connection:
            steps = (await runs.steps_of(connection, [run["id"]]))[run["id"]]
        started = [step for step in steps if step["started_at"]]
        if started:
            await environments.keep(self.context, run_table, run["id"], run["resource_id"], started[-1]["unit"], "stop")

    async def _version(self, version: Row, others: list[Row], status: Status) -> None:
        """Move one version on: start it, see that it answers, retire the one before, stop what is not wanted."""
        state = VersionState(version["state"])
        if version["target"] != "serving":
            await self.context.backend.stop(version["unit"])
            await self._version_becomes(version, VersionState.RETIRED if version["target"] == "retired" else VersionState.STOPPED)
        elif status.phase is Phase.GONE:
            try:
                await self._span(version)
                await self.context.backend.start(version["unit"], Workload.from_json(version["workload"]))
            except SaturnError as error:
                await self._version_becomes(version, VersionState.FAILED, reason=error.message)
        elif status.phase is Phase.ENDED:
            reason = status.message or f"The command ended with exit code {status.exit_code}; its last lines are in the log."
            await self._version_becomes(version, VersionState.FAILED, reason=reason)
        elif state is VersionState.DEPLOYING:
            await self._try_serving(version, others)

    async def _try_serving(self, version: Row, others: list[Row]) -> None:
        address = await self.context.backend.address(version["unit"])
        async with self.context.database.begin() as connection:
            revision = await resources.revision(connection, version["resource_id"], version["revision"])
        health = (revision["recipe"] if revision else {}).get("health", {})
        path = health.get("path", "/")
        healthy = await asyncio.to_thread(answers, f"http://{address[0]}:{address[1]}{path}") if address is not None else False
        if address is not None and healthy:
            await self._version_becomes(version, VersionState.SERVING, address=list(address))
            for other in others:
                if other["resource_id"] == version["resource_id"] and other["number"] < version["number"]:
                    async with self.context.database.begin() as connection:
                        await lives.change(connection, versions, other["id"], target="retired")
            self._later(environments.keep(self.context, versions, version["id"], version["resource_id"], version["unit"], "start"))
            self.context.wake.set()
        elif (self.context.now() - version["created_at"]).total_seconds() > health.get("timeout_seconds", 120):
            await self.context.backend.stop(version["unit"])
            await self._version_becomes(
                version, VersionState.FAILED, reason="It did not answer on $PORT in time. Does it listen on 127.0.0.1 and the port in $PORT?"
            )

    async def _version_becomes(self, version: Row, new: VersionState, **values: Any) -> None:
        now = self.context.now()
        change(VERSION_CHANGES, VersionState(version["state"]), new)
        if new not in LIVE_VERSION:
            values["finished_at"] = now
        async with self.context.database.begin() as connection:
            await lives.change(connection, versions, version["id"], state=new, **values)
            if new not in LIVE_VERSION:
                await journal.close_span(connection, now, version["id"])
            await journal.tell(connection, now, version["resource_id"], "version", version["id"], new)

    async def _span(self, version: Row) -> None:
        size = version["workload"]["hardware"]["name"]
        async with self.context.database.begin() as connection:
            resource = await resources.get(connection, version["resource_id"])
            assert resource is not None
            await journal.open_span(connection, self.context.now(), resource, version["id"], size, str(self.context.price(size)))

    def _later(self, work: Any) -> None:
        """Do something slow beside the loop, and keep it from being collected meanwhile."""
        task = asyncio.create_task(work)
        self.background.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self.background.discard(task)
        if not task.cancelled() and task.exception():
            log.error("An environment could not be recorded", exc_info=task.exception())


def answers(url: str) -> bool:
    """Whether an app says anything below 500 there."""
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False


def _may_start(steps: list[Row], states: dict[str, RunState], step: Row) -> bool:
    """Steps run in order: all before this one have ended."""
    return all(states[each["name"]] in FINAL_RUN for each in steps if each["position"] < step["position"])


def _end(status: Status, *, cancelled: bool) -> RunState:
    if status.code == "timed_out":
        return RunState.TIMED_OUT
    if status.exit_code == 0:
        return RunState.SUCCEEDED
    if cancelled:
        return RunState.CANCELLED
    return RunState.LOST if status.code == "lost" else RunState.FAILED


def _together(states: dict[str, RunState], *, cancelled: bool) -> RunState:
    every = list(states.values())
    if all(each in FINAL_RUN for each in every):
        worst = [each for each in every if each not in (RunState.SUCCEEDED, RunState.SKIPPED)]
        return worst[0] if worst else RunState.SUCCEEDED
    if cancelled:
        return RunState.STOPPING if any(each not in (RunState.QUEUED, *FINAL_RUN) for each in every) else RunState.QUEUED
    if any(each is RunState.RUNNING for each in every) or any(each in FINAL_RUN for each in every):
        return RunState.RUNNING
    return RunState.STARTING if RunState.STARTING in every else RunState.QUEUED
