"""Builders for the contract suite: a workload, and waiting for what becomes of it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from saturn_hub.backends.base import Backend, Phase, Status
from saturn_hub.backends.local.owners import uid_of
from saturn_hub.model.workload import Hardware, Kind, Owner, Software, Workload

IMAGES = Path(os.environ.get("SATURN_IMAGES", Path(__file__).parents[2] / ".images"))
SECONDS = 60


def work(command: str, *, owner: str = "ada", folder: str = "runs/1", memory: int = 512 * 2**20, gpu: int = 0, **more: Any) -> Workload:
    """A shell command as a workload."""
    more = {"kind": Kind.JOB, "command": ("sh", "-c", command), **more}
    hardware = Hardware("small", 1, memory, gpu, "medium")
    return Workload(name="x", owner=Owner.parse(owner), hardware=hardware, software=Software("local", "1"), folder=folder, **more)


async def until(backend: Backend, name: str, phase: Phase = Phase.ENDED) -> Status:
    """The status once the unit is in that phase, or has ended."""

    async def look() -> Status | None:
        status = (await backend.statuses([name]))[name]
        return status if status.phase in (phase, Phase.ENDED) else None

    return await eventually(look, f"{name} is not {phase}")


async def eventually(look: Callable[[], Any], message: str) -> Any:
    """What `look` gives once it gives something."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if found := await look():
            return found
        await asyncio.sleep(0.01)
    raise AssertionError(message)


async def listening(backend: Backend, name: str) -> tuple[str, int]:
    """Where a unit listens, once it does."""
    return await eventually(lambda: backend.address(name), f"{name} does not listen")


async def run(backend: Backend, name: str, command: str, **more: Any) -> tuple[Status, str]:
    """Run a command to its end. Its status and its log."""
    await backend.start(name, work(command, **more))
    status = await until(backend, name)
    return status, b"".join([chunk async for chunk in backend.logs(name)]).decode()


def git(*words: str, folder: Path) -> str:
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "safe.directory=*", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, capture_output=True, text=True).stdout.strip()


class Origin:
    """A repository that units clone, owned as the work of ada is."""

    def __init__(self, home: Path, name: str = "origin", branch: str = "main") -> None:
        self.home, self.folder = home, home / name
        self.folder.mkdir()
        git("init", "--quiet", f"--initial-branch={branch}", folder=self.folder)
        git("config", "uploadpack.allowAnySHA1InWant", "true", folder=self.folder)

    @property
    def url(self) -> str:
        return f"file://{self.folder}"

    def git(self, *words: str) -> str:
        said = git(*words, folder=self.folder)
        if (uid := uid_of(self.home, Owner.parse("ada"))) is not None:
            subprocess.run(["chown", "-R", f"{uid}:{uid}", str(self.folder)], check=True)
        return said

    def commit(self, **files: str) -> str:
        """A commit with these files; `a__py` is a.py. Its name."""
        for name, text in files.items():
            (self.folder / name.replace("__", ".")).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=more")
        return self.git("rev-parse", "HEAD")
