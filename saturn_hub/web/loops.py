"""The loops of the service: scheduler and reconciler, woken by writes and by the backend, with polling as the fallback."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
from pathlib import Path
from typing import IO

from saturn_hub.engine import scheduler
from saturn_hub.engine.context import Context, sweep
from saturn_hub.engine.reconcile import Reconciler

log = logging.getLogger("saturn.loops")
IDLE_SECONDS = 15.0
SWEEP_SECONDS = 3600.0


def take_lease(home: Path) -> IO[str]:
    """Hold the lock that makes this the only process with loops on this folder. Raises BlockingIOError."""
    lock = open(home / "service" / "loops.lock", "w")
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return lock


async def run(context: Context) -> None:
    """Until cancelled."""
    reconciler = Reconciler(context)
    await reconciler.recover()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_watch(context))
            group.create_task(_loop(context, reconciler))
            group.create_task(_sweep(context))
    finally:
        await reconciler.close()


async def _watch(context: Context) -> None:
    async for _ in context.backend.watch():
        context.wake.set()


async def _loop(context: Context, reconciler: Reconciler) -> None:
    while True:
        context.wake.clear()
        wait = IDLE_SECONDS
        try:
            following = await scheduler.tick(context)
            again = await reconciler.tick()
            if following:
                wait = min(wait, max(0.05, (following - context.now()).total_seconds()))
            if again is not None:
                wait = min(wait, max(0.05, again))
        except Exception:
            # The loop has to outlive whatever one pass meets; the log has it whole.
            log.exception("A pass of the loops failed; the next one tries again")
            wait = 1.0
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(context.wake.wait(), wait)


async def _sweep(context: Context) -> None:
    """Drop what has run out: sign-ins of the gateway, old events, keys of starts that nobody repeats any more."""
    while True:
        try:
            await sweep(context)
        except Exception:
            log.exception("What has run out could not be dropped; the next hour tries again")
        await asyncio.sleep(SWEEP_SECONDS)
