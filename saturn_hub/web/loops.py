"""The loops of the service: scheduler and reconciler, woken by writes and by the backend, with polling as the fallback."""

from __future__ import annotations

import asyncio
import fcntl
import logging
from pathlib import Path
from typing import IO

from saturn_hub.engine import scheduler
from saturn_hub.engine.context import Context
from saturn_hub.engine.reconciler import Reconciler
from saturn_hub.store import lives

log = logging.getLogger("saturn.loops")
IDLE_SECONDS = 15.0


def take_lease(home: Path) -> IO[str]:
    """Hold the lock that makes this the only process with loops on this folder. Raises BlockingIOError."""
    lock = open(home / "service" / "loops.lock", "w")
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return lock


async def run(context: Context) -> None:
    """Until cancelled."""
    reconciler = Reconciler(context)
    async with asyncio.TaskGroup() as group:
        group.create_task(_watch(context))
        group.create_task(_loop(context, reconciler))


async def _watch(context: Context) -> None:
    async for _ in context.backend.watch():
        context.wake.set()


async def _loop(context: Context, reconciler: Reconciler) -> None:
    while True:
        context.wake.clear()
        wait = IDLE_SECONDS
        try:
            following = await scheduler.tick(context)
            await reconciler.tick()
            async with context.database.begin() as connection:
                deploying = [each for each in await lives.open_versions(connection) if each["state"] == "deploying"]
            if following:
                wait = min(wait, max(0.05, (following - context.now()).total_seconds()))
            if deploying:
                wait = min(wait, 0.3)
        except Exception:
            # The loop has to outlive whatever one pass meets; the log has it whole.
            log.exception("A pass of the loops failed; the next one tries again")
            wait = 1.0
        try:
            await asyncio.wait_for(context.wake.wait(), wait)
        except TimeoutError:
            continue
