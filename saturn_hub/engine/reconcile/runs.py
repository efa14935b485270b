"""Moves runs on: starts their steps in order, follows them, and says how they ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from saturn_hub.backends.base import Phase, Status
from saturn_hub.engine import environments
from saturn_hub.engine.context import Context
from saturn_hub.engine.reconcile.work import TRIES, Background, Room
from saturn_hub.errors import BackendUnavailable, ImageUnavailable, OutOfCapacity, SaturnError
from saturn_hub.model.states import FINAL_RUN, RUN_CHANGES, RunState, change
from saturn_hub.model.workload import Workload
from saturn_hub.store import journal, resources, runs
from saturn_hub.store.database import Row
from saturn_hub.store.tables import runs as run_table

log = logging.getLogger("saturn.reconciler")
# What waits for room or for its image looks again this often; an end of other work wakes it before.
WAIT_SECONDS = 5.0
# Images install behind the hub. One that is not there by then never will be.
IMAGE_PATIENCE = timedelta(hours=1)
STOP_GRACE_SECONDS = 10


class Runs:
    def __init__(self, context: Context, background: Background) -> None:
        self.context, self.background = context, background

    async def move(self, run: Row, steps: list[Row], statuses: Mapping[str, Status], room: Room) -> float | None:
        """Move one run on by what its steps are now. In how many seconds it wants to be looked at again."""
        states = {step["name"]: RunState(step["state"]) for step in steps}
        wait = None
        for step in steps:
            state, status = states[step["name"]], statuses[step["unit"]]
            if state in FINAL_RUN:
                continue
            if run["cancel"]:
                states[step["name"]] = await self._cancel(run, step, status)
            elif state is RunState.QUEUED:
                if any(states[each] in FINAL_RUN and states[each] is not RunState.SUCCEEDED for each in step["needs"]):
                    states[step["name"]] = await self._step(run, step, RunState.SKIPPED)
                elif _may_start(steps, states, step):
                    states[step["name"]] = await self._start(run, step, room)
                    wait = WAIT_SECONDS if states[step["name"]] is RunState.QUEUED else wait
            else:
                states[step["name"]] = await self._follow(run, step, status, room)
        await self._settle(run, states)
        return wait

    async def _cancel(self, run: Row, step: Row, status: Status) -> RunState:
        """End a step that was asked to end: at once where nothing of it is there, else beside the pass."""
        if status.phase is Phase.GONE:
            return await self._step(run, step, RunState.CANCELLED)
        if status.phase is Phase.ENDED:
            return await self._end(run, step, status)
        state = await self._step(run, step, RunState.STOPPING) if step["state"] != RunState.STOPPING else RunState.STOPPING
        self.background.begin(f"stop {step['unit']}", self._stop(step["unit"]))
        return state

    async def _stop(self, unit: str) -> None:
        await self.context.backend.stop(unit, STOP_GRACE_SECONDS)
        self.context.wake.set()

    async def _start(self, run: Row, step: Row, room: Room) -> RunState:
        """Write down that the step starts, then start it; a repeat finds the unit by its name. It waits where there is no room."""
        workload = Workload.from_json(step["workload"])
        if lack := room.lacks(workload.hardware):
            return await self._wait(run, step, lack)
        await self._step(run, step, RunState.STARTING)
        return await self._launch(run, step, workload)

    async def _launch(self, run: Row, step: Row, workload: Workload) -> RunState:
        try:
            await self.context.backend.start(step["unit"], workload)
        except (OutOfCapacity, ImageUnavailable) as error:
            if isinstance(error, OutOfCapacity) or self.context.now() - run["created_at"] < IMAGE_PATIENCE:
                return await self._wait(run, step, error.message)
            return await self._step(run, step, RunState.FAILED, reason=error.message, path=error.path)
        except BackendUnavailable:
            raise
        except SaturnError as error:
            return await self._step(run, step, RunState.FAILED, reason=error.message, path=error.path)
        return RunState.STARTING

    async def _wait(self, run: Row, step: Row, why: str) -> RunState:
        """Back to the queue, with the reason; nothing ran, so nothing is counted."""
        reason = f"Waiting: {why}"
        if step["state"] != RunState.QUEUED or run["reason"] != reason:
            async with self.context.database.begin() as connection:
                await runs.change_step(connection, run["id"], step["position"], state=RunState.QUEUED, started_at=None)
                await journal.drop_span(connection, _subject(run, step))
                await runs.change(connection, run["id"], reason=reason[:2000])
                await journal.tell(connection, self.context.now(), run["resource_id"], "run", run["id"], run["state"])
        return RunState.QUEUED

    async def _follow(self, run: Row, step: Row, status: Status, room: Room) -> RunState:
        """The step's state after what the backend says."""
        state = RunState(step["state"])
        if status.phase is Phase.ENDED:
            return await self._end(run, step, status)
        if status.phase is Phase.GONE and state is not RunState.STARTING:
            return await self._step(run, step, RunState.LOST, reason="Nothing is left of it: its folder was removed from outside.")
        if status.phase in (Phase.GONE, Phase.STARTING):
            # Whoever wrote STARTING may have died before it could start it. Doing it again changes nothing.
            return await self._launch(run, step, Workload.from_json(step["workload"]))
        return await self._step(run, step, RunState.RUNNING) if state is RunState.STARTING else state

    async def _end(self, run: Row, step: Row, status: Status) -> RunState:
        end = _end_of(status, cancelled=run["cancel"])
        reason = status.message or (f"The command ended with exit code {status.exit_code}." if end is RunState.FAILED else "")
        repositories = list(status.repositories)
        return await self._step(run, step, end, reason=reason, path=status.path, exit_code=status.exit_code, repositories=repositories, at=status.finished_at)

    async def _step(
        self,
        run: Row,
        step: Row,
        new: RunState,
        *,
        reason: str = "",
        path: str = "",
        exit_code: int | None = None,
        repositories: list[Any] | None = None,
        at: datetime | None = None,
    ) -> RunState:
        """Write a step's new state with its span of usage. `at`: when the work itself ended, which may be before we saw it."""
        now = self.context.now()
        change(RUN_CHANGES, RunState(step["state"]) if new is not RunState.STARTING else RunState.QUEUED, new)
        values: dict[str, Any] = {"state": new, "reason": reason[:2000], "path": path, "exit_code": exit_code}
        if new is RunState.STARTING:
            values["started_at"] = now
        if new in FINAL_RUN:
            values["finished_at"] = min(at or now, now)
        async with self.context.database.begin() as connection:
            await runs.change_step(connection, run["id"], step["position"], **values)
            if repositories:
                await runs.change(connection, run["id"], repositories=repositories)
            if new is RunState.STARTING:
                resource = await resources.get(connection, run["resource_id"])
                assert resource is not None
                size = step["workload"]["hardware"]["name"]
                await journal.open_span(connection, now, resource, _subject(run, step), size, str(self.context.price(size)))
            elif new in FINAL_RUN:
                await journal.close_span(connection, values["finished_at"], _subject(run, step))
        return new

    async def _settle(self, run: Row, states: dict[str, RunState]) -> None:
        """The run's own state: that of its steps together, with the reason of the first that went wrong."""
        new, now = _together(states, cancelled=run["cancel"]), self.context.now()
        if new == run["state"]:
            return
        old = RunState(run["state"])
        # A step may have started and ended while nobody looked: its run has started then too.
        change(RUN_CHANGES, RunState.STARTING if old is RunState.QUEUED and new not in RUN_CHANGES[old] else old, new)
        values: dict[str, Any] = {"state": new}
        if new is not RunState.QUEUED:
            values["reason"] = ""
        if run["started_at"] is None and new is not RunState.QUEUED:
            values["started_at"] = now
        async with self.context.database.begin() as connection:
            if new in FINAL_RUN:
                ended = (await runs.steps_of(connection, [run["id"]]))[run["id"]]
                decisive = next((each for each in ended if each["state"] not in (RunState.SUCCEEDED, RunState.SKIPPED)), ended[-1])
                values |= {key: decisive[key] for key in ("reason", "path", "exit_code")}
                values["finished_at"] = max((each["finished_at"] for each in ended if each["finished_at"]), default=now)
            await runs.change(connection, run["id"], **values)
            await journal.tell(connection, now, run["resource_id"], "run", run["id"], new)
        if new in FINAL_RUN:
            self.background.begin(f"record of run {run['id']}", self._record(run))

    async def record_the_ended(self) -> None:
        """Keep the environments of runs whose end was written and whose record was not, for their service was killed between."""
        async with self.context.database.read() as connection:
            missing = await runs.unrecorded(connection, self.context.now() - timedelta(days=1))
        for run in missing:
            self.background.begin(f"record of run {run['id']}", self._record(run))

    async def _record(self, run: Row) -> None:
        async with self.context.database.read() as connection:
            steps = (await runs.steps_of(connection, [run["id"]]))[run["id"]]
        started = [step for step in steps if step["started_at"]]
        for turn in range(TRIES if started else 0):
            try:
                await environments.keep(self.context, run_table, run["id"], run["resource_id"], started[-1]["unit"], "stop")
                return
            except Exception:
                if turn == TRIES - 1:
                    raise
                log.exception("The environment of run %s could not be recorded; it is tried again", run["id"])
                await asyncio.sleep(1)


def _subject(run: Row, step: Row) -> str:
    return f"{run['id']}/{step['position']}"


def _may_start(steps: list[Row], states: dict[str, RunState], step: Row) -> bool:
    """Steps run in order: what it needs has succeeded, and all before it have ended."""
    needed = all(states[each] is RunState.SUCCEEDED for each in step["needs"])
    return needed and all(states[each["name"]] in FINAL_RUN for each in steps if each["position"] < step["position"])


def _end_of(status: Status, *, cancelled: bool) -> RunState:
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
