"""What the passes share: slow work beside them, and the room that is left on the machine."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from saturn_hub.backends.base import Backend
from saturn_hub.model.workload import Hardware

log = logging.getLogger("saturn.reconciler")
TRIES = 3


class Background:
    """Slow work beside the passes, one task under each name: asking for it again while it goes on changes nothing."""

    def __init__(self) -> None:
        self.tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self, name: str, work: Coroutine[Any, Any, Any]) -> None:
        if name in self.tasks:
            work.close()
            return
        task = self.tasks[name] = asyncio.create_task(work)
        task.add_done_callback(lambda done: self._done(name, done))

    def _done(self, name: str, task: asyncio.Task[None]) -> None:
        del self.tasks[name]
        if not task.cancelled() and task.exception():
            log.error("%s failed", name, exc_info=task.exception())

    async def close(self) -> None:
        for task in list(self.tasks.values()):
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)


@dataclass
class Room:
    """What is free in this pass. Taken by each start, so that one look serves all and the oldest comes first."""

    memory_bytes: int
    gpu: int

    @classmethod
    async def of(cls, backend: Backend) -> Room:
        free = await backend.capacity()
        return cls(free.free_memory_bytes, free.free_gpu)

    def lacks(self, hardware: Hardware) -> str:
        """Why there is no room for this now; empty, and the room is taken, where there is."""
        if hardware.memory_bytes > self.memory_bytes:
            return (
                f"the size '{hardware.name}' needs {hardware.memory_bytes / 2**30:.3g} GiB of memory, and {max(0, self.memory_bytes) / 2**30:.3g} GiB are free."
            )
        if hardware.gpu > self.gpu:
            return f"the size '{hardware.name}' needs {hardware.gpu} GPU, and {self.gpu} are free."
        self.memory_bytes -= hardware.memory_bytes
        self.gpu -= hardware.gpu
        return ""
