"""Brings what runs to what was asked for. Every step is written down before it is taken, so it can be killed at any line.

`runs`, `versions` and `sessions` each move one thing on by one look; this puts them into a pass over what is not final, and over nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from saturn_hub.engine.context import Context
from saturn_hub.engine.reconcile.runs import Runs
from saturn_hub.engine.reconcile.sessions import Sessions
from saturn_hub.engine.reconcile.versions import Versions
from saturn_hub.engine.reconcile.work import Background, Room
from saturn_hub.errors import BackendUnavailable
from saturn_hub.store import lives, runs

log = logging.getLogger("saturn.reconciler")
# Starting work costs this machine's cores; a handful at once is as fast as all at once, and leaves the service its answers.
AT_ONCE = 4


class Reconciler:
    """One pass looks at what is not final. Slow work (a stop, a record) goes on beside it."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.background = Background()
        self.runs, self.versions, self.sessions = Runs(context, self.background), Versions(context, self.background), Sessions(context, self.background)
        self.places = asyncio.Semaphore(AT_ONCE)

    async def recover(self) -> None:
        """What a service that was killed may have left undone, besides what a pass sees: records of ended runs."""
        await self.runs.record_the_ended()

    async def tick(self) -> float | None:
        """One pass. An error of one thing is logged and does not hold up the others. In how many seconds to look again at the latest."""
        async with self.context.database.read() as connection:
            open_runs = await runs.open_runs(connection)
            steps = await runs.steps_of(connection, [each["id"] for each in open_runs])
            open_versions = await lives.open_versions(connection)
            open_sessions = await lives.open_sessions(connection)
        units = [step["unit"] for each in steps.values() for step in each] + [each["unit"] for each in (*open_versions, *open_sessions)]
        if not units:
            return None
        statuses = await self.context.backend.statuses(units)
        room = await Room.of(self.context.backend)
        work = [self.runs.move(run, steps[run["id"]], statuses, room) for run in open_runs]
        work += [self.versions.move(version, open_versions, statuses[version["unit"]], room) for version in open_versions]
        work += [self.sessions.move(session, statuses[session["unit"]]) for session in open_sessions]
        waits = await asyncio.gather(*(self._guarded(each) for each in work))
        return min((each for each in waits if each is not None), default=None)

    async def _guarded(self, work: Coroutine[Any, Any, float | None]) -> float | None:
        async with self.places:
            try:
                return await work
            except (BackendUnavailable, OSError):
                log.exception("The backend does not answer; this will be tried again")
            except Exception:
                log.exception("This could not be moved on; the next pass tries again")
            return 1.0

    async def close(self) -> None:
        await self.background.close()
