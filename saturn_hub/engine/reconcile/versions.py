"""Moves versions of apps on: starts them, sees that they answer, retires the one before, and starts again what ended by itself."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from saturn_hub.backends.base import Phase, Status
from saturn_hub.engine import environments
from saturn_hub.engine.context import Context
from saturn_hub.engine.reconcile.runs import IMAGE_PATIENCE, STOP_GRACE_SECONDS, WAIT_SECONDS
from saturn_hub.engine.reconcile.work import Background, Room
from saturn_hub.errors import BackendUnavailable, ImageUnavailable, OutOfCapacity, SaturnError
from saturn_hub.model.states import LIVE_VERSION, VERSION_CHANGES, VersionState, change
from saturn_hub.model.workload import Workload
from saturn_hub.store import journal, lives, resources
from saturn_hub.store.database import Row
from saturn_hub.store.tables import versions

HEALTH_SECONDS = 0.3
# A version that ended by itself is started again so often, with a pause that doubles; after so long without an end it begins anew.
RESTARTS = 5
RESTART_PAUSE = timedelta(seconds=1)
CALM = timedelta(minutes=10)
# The gateway remembers where an app is for ten seconds: until then the version before goes on answering.
HAND_OVER = timedelta(seconds=11)
SILENT = "It did not answer on $PORT in time. Does it listen on 127.0.0.1 and the port in $PORT?"


class Versions:
    def __init__(self, context: Context, background: Background) -> None:
        self.context, self.background = context, background

    async def move(self, version: Row, others: list[Row], status: Status, room: Room) -> float | None:
        """Move one version on by what the backend says of it. In how many seconds it wants to be looked at again."""
        if version["target"] != "serving":
            return await self._end(version, status)
        if status.phase is Phase.GONE:
            return await self._start(version, room)
        if status.phase is Phase.ENDED:
            return await self._ended(version, status)
        if version["state"] == VersionState.DEPLOYING:
            if status.phase is Phase.STARTING:
                # Whoever recorded the unit may have died before it was launched. Doing it again changes nothing.
                await self.context.backend.start(version["unit"], Workload.from_json(version["workload"]))
            return await self._try_serving(version, others, status)
        return None

    async def _end(self, version: Row, status: Status) -> float | None:
        """Stop what is not wanted any more, a retired one after its visitors have moved over."""
        final = VersionState.RETIRED if version["target"] == "retired" else VersionState.STOPPED
        if status.phase in (Phase.ENDED, Phase.GONE):
            await self._becomes(version, final, at=status.finished_at)
            return None
        left = 0.0
        if final is VersionState.RETIRED and version["target_at"]:
            left = (version["target_at"] + HAND_OVER - self.context.now()).total_seconds()
        if 0 < left <= HAND_OVER.total_seconds():
            return left
        self.background.begin(f"stop {version['unit']}", self._stop(version["unit"]))
        return None

    async def _stop(self, unit: str) -> None:
        await self.context.backend.stop(unit, STOP_GRACE_SECONDS)
        self.context.wake.set()

    async def _start(self, version: Row, room: Room) -> float | None:
        """Start a version whose unit is not there: a new one, or one that ended. It waits where there is no room or no image yet."""
        now, workload = self.context.now(), Workload.from_json(version["workload"])
        pause = RESTART_PAUSE * 2 ** (version["restarts"] - 1) if version["restarts"] else timedelta(0)
        left = ((version["tried_at"] or now) + pause - now).total_seconds()
        if 0 < left <= pause.total_seconds():
            return left
        if lack := room.lacks(workload.hardware):
            return await self._wait(version, lack)
        await self._begin_try(version, now)
        try:
            await self.context.backend.start(version["unit"], workload)
        except (OutOfCapacity, ImageUnavailable) as error:
            if isinstance(error, OutOfCapacity) or now - version["created_at"] < IMAGE_PATIENCE:
                return await self._wait(version, error.message)
            await self._becomes(version, VersionState.FAILED, reason=error.message)
        except BackendUnavailable:
            raise
        except SaturnError as error:
            await self._becomes(version, VersionState.FAILED, reason=f"{error.path}: {error.message}" if error.path else error.message)
        return HEALTH_SECONDS

    async def _begin_try(self, version: Row, now: datetime) -> None:
        size = version["workload"]["hardware"]["name"]
        async with self.context.database.begin() as connection:
            resource = await resources.get(connection, version["resource_id"])
            assert resource is not None
            values: dict[str, Any] = {"tried_at": now}
            if version["state"] != VersionState.DEPLOYING:
                change(VERSION_CHANGES, VersionState(version["state"]), VersionState.DEPLOYING)
                values |= {"state": VersionState.DEPLOYING, "address": None}
                await journal.tell(connection, now, version["resource_id"], "version", version["id"], VersionState.DEPLOYING)
            await lives.change(connection, versions, version["id"], **values)
            await journal.open_span(connection, now, resource, version["id"], size, str(self.context.price(size)))

    async def _wait(self, version: Row, why: str) -> float:
        """It is not there yet, for a reason that may pass. What did never start is not counted."""
        reason = f"Waiting: {why}"
        if version["reason"] != reason:
            async with self.context.database.begin() as connection:
                await lives.change(connection, versions, version["id"], reason=reason[:2000])
                if version["served_at"] is None:
                    await journal.drop_span(connection, version["id"])
                await journal.tell(connection, self.context.now(), version["resource_id"], "version", version["id"], version["state"])
        return WAIT_SECONDS

    async def _ended(self, version: Row, status: Status) -> float | None:
        """Its command ended by itself. One that has served is started again a few times, under a new unit that keeps the old log; others have failed."""
        reason = status.message or f"Its command ended with exit code {status.exit_code}."
        if status.path:
            reason = f"{status.path}: {reason}"
        calm = version["served_at"] and self.context.now() - version["served_at"] > CALM
        restarts = 0 if calm and version["state"] == VersionState.SERVING else version["restarts"]
        if version["served_at"] is None or restarts >= RESTARTS:
            after = f" It was started again {RESTARTS} times." if version["served_at"] else ""
            await self._becomes(version, VersionState.FAILED, reason=f"{reason}{after} Its last lines are in the log.", at=status.finished_at)
            return None
        now, count = self.context.now(), version["restarts"] + 1
        change(VERSION_CHANGES, VersionState(version["state"]), VersionState.DEPLOYING)
        values = {"state": VersionState.DEPLOYING, "address": None, "restarts": restarts + 1, "tried_at": now}
        async with self.context.database.begin() as connection:
            unit = f"app-{version['id']}-{_next_unit(version['unit'], count)}"
            await lives.change(connection, versions, version["id"], unit=unit, reason=f"{reason} It is being started again.", **values)
            await journal.tell(connection, now, version["resource_id"], "version", version["id"], VersionState.DEPLOYING)
        return float(RESTART_PAUSE.total_seconds() * 2**restarts)

    async def _try_serving(self, version: Row, others: list[Row], status: Status) -> float | None:
        address = await self.context.backend.address(version["unit"])
        async with self.context.database.read() as connection:
            revision = await resources.revision(connection, version["resource_id"], version["revision"])
        health = (revision["recipe"] if revision else {}).get("health", {})
        if status.phase is Phase.RUNNING and address and await asyncio.to_thread(answers, f"http://{address[0]}:{address[1]}{health.get('path', '/')}"):
            await self._serve(version, others, status, address)
            return None
        tried = version["tried_at"] or version["created_at"]
        # Preparing has no bound of its own; the time to answer counts from when the command runs.
        since = max(tried, status.started_at or tried)
        if status.phase is Phase.RUNNING and (self.context.now() - since).total_seconds() > health.get("timeout_seconds", 120):
            await self.context.backend.stop(version["unit"], STOP_GRACE_SECONDS)
            await self._becomes(version, VersionState.FAILED, reason=SILENT)
        return HEALTH_SECONDS

    async def _serve(self, version: Row, others: list[Row], status: Status, address: tuple[str, int]) -> None:
        """It answers: send visitors there, and retire the versions before it, in one transaction. Its commits are its for good."""
        now, workload = self.context.now(), version["workload"]
        change(VERSION_CHANGES, VersionState(version["state"]), VersionState.SERVING)
        commits = {each["path"]: each.get("commit") for each in status.repositories}
        found = Workload.from_json(workload)
        pinned = replace(found, repositories=tuple(replace(each, commit=commits.get(each.path) or each.commit) for each in found.repositories))
        values = {"state": VersionState.SERVING, "reason": "", "address": list(address), "served_at": now, "repositories": list(status.repositories)}
        async with self.context.database.begin() as connection:
            await lives.change(connection, versions, version["id"], workload=pinned.to_json(), **values)
            for other in others:
                if other["resource_id"] == version["resource_id"] and other["number"] < version["number"] and other["target"] == "serving":
                    await lives.change(connection, versions, other["id"], target="retired", target_at=now)
            await journal.tell(connection, now, version["resource_id"], "version", version["id"], VersionState.SERVING)
        keep = environments.keep(self.context, versions, version["id"], version["resource_id"], version["unit"], "start")
        self.background.begin(f"record of version {version['id']}", keep)
        self.context.wake.set()

    async def _becomes(self, version: Row, new: VersionState, *, at: datetime | None = None, **values: Any) -> None:
        now = self.context.now()
        change(VERSION_CHANGES, VersionState(version["state"]), new)
        if new not in LIVE_VERSION:
            values["finished_at"] = min(at or now, now)
        async with self.context.database.begin() as connection:
            await lives.change(connection, versions, version["id"], state=new, **values)
            if new not in LIVE_VERSION:
                await journal.close_span(connection, values["finished_at"], version["id"])
            await journal.tell(connection, now, version["resource_id"], "version", version["id"], new)


def _next_unit(unit: str, count: int) -> int:
    """The number of a version's next unit: one more than its last one's, for a count that begins anew may not meet an old unit."""
    last = unit.rpartition("-")[2]
    return int(last) + 1 if last.isdigit() and len(last) < 6 else count


def answers(url: str) -> bool:
    """Whether an app says anything below 500 there."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5):
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
    except (OSError, ValueError):
        return False
