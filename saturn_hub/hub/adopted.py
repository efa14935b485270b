"""A server that JupyterHub's own local spawner started before Saturn Hub came: known by its pid, watched and ended, never started again."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

GRACE_SECONDS = 10
POLL_SECONDS = 0.1


class Adopted:
    """One such process of one person's server."""

    def __init__(self, pid: int, user: str, server: str) -> None:
        self.pid, self.user, self.server = pid, user, server

    @property
    def alive(self) -> bool:
        """Whether the pid is still that server's: its environment says whose it is, for a pid is used again."""
        try:
            entries = Path(f"/proc/{self.pid}/environ").read_bytes().split(b"\0")
        except OSError:
            return False
        wanted = {f"JUPYTERHUB_USER={self.user}".encode(), f"JUPYTERHUB_SERVER_NAME={self.server}".encode()}
        return wanted <= set(entries)

    async def stop(self) -> None:
        """End it: ask, and insist after a while."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)
            for _ in range(int(GRACE_SECONDS / POLL_SECONDS)):
                if not self.alive:
                    return
                await asyncio.sleep(POLL_SECONDS)
