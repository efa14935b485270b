"""Waits for units to move on, woken by the kernel (inotify). A service without live units sleeps."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from asyncinotify import Event, Inotify, Mask, Watch

# Only a launcher that was killed tells nobody; a look at the live ones finds it.
LOOK_SECONDS = 1.0


async def changes(work: Path, live: Callable[[], list[str]], has_ended: Callable[[str], bool]) -> AsyncIterator[str]:
    """Names of units that began, moved on or ended, each when it does."""
    with Inotify() as inotify:
        inotify.add_watch(work, Mask.MOVED_TO)
        watched: dict[str, list[Watch]] = {}
        while True:
            for name in set(live()) - set(watched):
                if watches := _watch(inotify, work / name):
                    watched[name] = watches
                    yield name
            event = await _next(inotify, LOOK_SECONDS if watched else None)
            moved = [name for name, watches in watched.items() if event and event.watch in watches]
            ended = [name for name in (moved if event and event.watch else list(watched)) if has_ended(name)]
            for name in ended:
                _leave(inotify, watched.pop(name))
            for name in {*moved, *ended}:
                yield name


def _watch(inotify: Inotify, folder: Path) -> list[Watch]:
    """Hear of files that are renamed into a unit's folder (its process, its end) and of its progress. Its log makes no noise."""
    try:
        return [inotify.add_watch(folder, Mask.MOVED_TO), inotify.add_watch(folder / "progress.jsonl", Mask.MODIFY)]
    except FileNotFoundError:
        return []  # reserved, and not made yet: its folder's coming is heard of


def _leave(inotify: Inotify, watches: list[Watch]) -> None:
    for watch in watches:
        # Where the folder is gone the kernel has dropped them already.
        with contextlib.suppress(OSError):
            inotify.rm_watch(watch)


async def _next(inotify: Inotify, seconds: float | None) -> Event | None:
    try:
        return await asyncio.wait_for(inotify.get(), seconds)
    except TimeoutError:
        return None
