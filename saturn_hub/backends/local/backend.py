"""The local backend: units as folders under `work/`, each with a launcher in a session of its own."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from saturn_hub.backends.base import Capacity, Phase, Status
from saturn_hub.backends.local import firewall
from saturn_hub.backends.local.owners import own, uid_of
from saturn_hub.backends.local.process import Process, send, tree
from saturn_hub.backends.local.settings import AGENT, settings_of
from saturn_hub.errors import BackendUnavailable, ImageUnavailable, OutOfCapacity
from saturn_hub.model.workload import Workload

POLL_SECONDS = 0.05
RECORDED_SECONDS = 30


class LocalBackend:
    """Runs workloads as processes of this machine. `home` is SATURN_HOME, `images` holds the prepared prefixes."""

    def __init__(self, home: Path, images: Path) -> None:
        self.home, self.images = home.resolve(), images.resolve()
        self.work = self.home / "work"
        self.work.mkdir(parents=True, exist_ok=True)
        (self.home / "environments").mkdir(exist_ok=True)

    async def start(self, name: str, workload: Workload) -> None:
        folder = self.work / name
        if not (folder / "workload.json").exists():
            self._check(workload)
            self._make(folder, name, workload)
        if not (folder / "process.json").exists() and not (folder / "status.json").exists():
            self._launch(folder)
            await self._recorded(folder)

    def _check(self, workload: Workload) -> None:
        prefix = self.images / workload.software.name
        if not (prefix / "bin" / "python").exists():
            raise ImageUnavailable(f"The image '{workload.software.name}' is not installed here yet. Its card says how.", path="image")
        free, wanted = self._capacity(), workload.hardware
        if wanted.memory_bytes > free.free_memory_bytes:
            raise OutOfCapacity(
                f"The size '{wanted.name}' needs {wanted.memory_bytes / 2**30:.3g} GiB of memory and {free.free_memory_bytes / 2**30:.3g} GiB are free here.",
                path="size",
            )
        if wanted.gpu > free.free_gpu:
            raise OutOfCapacity(f"The size '{wanted.name}' needs {wanted.gpu} GPU and {free.free_gpu} are free here.", path="size")

    def _make(self, folder: Path, name: str, workload: Workload) -> None:
        uid = uid_of(self.home, workload.owner)
        for parent in (self.home / "homes", (self.home / "homes" / workload.folder).parent):
            parent.mkdir(parents=True, exist_ok=True)
            parent.chmod(0o711)
        own(self.home / "homes" / workload.folder, uid)
        part = self.work / f".{name}.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(mode=0o711)
        for each in ("agent", "tmp"):
            own(part / each, uid)
        for each in ("log", "progress.jsonl"):
            (part / each).touch(mode=0o600)
            if uid is not None:
                os.chown(part / each, uid, uid)
        port = free_port() if workload.listens else None
        if port is not None and uid is not None:
            firewall.allow(self.home, port, uid)
        order = {"workload": workload.to_json(), "settings": settings_of(self.home, self.images, name, workload, uid, port)}
        with open(os.open(part / "workload.json", os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
            json.dump(order, file)
        part.rename(folder)

    def _launch(self, folder: Path) -> None:
        """Start the launcher. It writes down which process it is, under a lock: of two, the second ends at once."""
        with open(folder / "log", "ab") as log:
            command = [sys.executable, "-I", "-S", str(AGENT / "launch.py"), str(folder)]
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/")
        # Somebody has to collect the launcher when it ends; a daemon thread holds up no exit of ours.
        threading.Thread(target=child.wait, daemon=True).start()

    async def _recorded(self, folder: Path) -> None:
        """Until the launcher has written down which process it is. Raises BackendUnavailable, after which a repeat starts it again."""
        loop = asyncio.get_running_loop()
        until = loop.time() + RECORDED_SECONDS
        while not (folder / "process.json").exists():
            if loop.time() > until:
                raise BackendUnavailable(f"The launcher of '{folder.name}' did not start in {RECORDED_SECONDS} seconds.")
            await asyncio.sleep(0.005)

    async def stop(self, name: str, grace_seconds: float = 10) -> None:
        folder = self.work / name
        process = _process(folder)
        if process is None or not process.alive:
            return
        send([process.pid], signal.SIGTERM)
        if not await self._ended(process, grace_seconds):
            send([process.pid], signal.SIGUSR1)
            if not await self._ended(process, 5):
                send([*tree(process.pid), process.pid], signal.SIGKILL)
                await self._ended(process, 5)

    async def forget(self, name: str) -> None:
        folder = self.work / name
        if folder.exists():
            settings = json.loads((folder / "workload.json").read_text())["settings"]
            if settings["port"] is not None and settings["uid"] is not None:
                firewall.release(self.home, settings["port"], settings["uid"])
            shutil.rmtree(folder)

    async def statuses(self, names: Collection[str] | None = None) -> dict[str, Status]:
        known = {each.name for each in self.work.iterdir() if not each.name.startswith(".")}
        return {name: self._status(self.work / name) if name in known else Status(Phase.GONE) for name in (known if names is None else names)}

    async def watch(self) -> AsyncIterator[str]:
        """Names whose unit has moved on, from a look at small files; a pause that no person notices."""
        seen: dict[str, tuple[int, bool, bool]] = {}
        while True:
            for folder in self.work.iterdir():
                if folder.name.startswith(".") or seen.get(folder.name, (0, False, False))[2]:
                    continue
                progress = folder / "progress.jsonl"
                process = _process(folder)
                ended = (folder / "status.json").exists() or (process is not None and not process.alive)
                mark = (progress.stat().st_size if progress.exists() else 0, process is not None, ended)
                if seen.get(folder.name) != mark:
                    seen[folder.name] = mark
                    yield folder.name
            await asyncio.sleep(POLL_SECONDS)

    async def logs(self, name: str, *, offset: int = 0, follow: bool = False) -> AsyncIterator[bytes]:
        file = self.work / name / "log"
        while file.exists():
            ended = self._status(file.parent).phase is Phase.ENDED
            with open(file, "rb") as handle:
                handle.seek(offset)
                chunk = handle.read(65536)
            offset += len(chunk)
            if chunk:
                yield chunk
            elif not follow or ended:
                return
            else:
                await asyncio.sleep(2 * POLL_SECONDS)

    async def address(self, name: str) -> tuple[str, int] | None:
        file = self.work / name / "workload.json"
        port = json.loads(file.read_text())["settings"]["port"] if file.exists() else None
        return ("127.0.0.1", port) if port else None

    async def environment(self, name: str, *, fresh: bool = False) -> dict[str, Any] | None:
        agent = self.work / name / "agent"
        if fresh and agent.exists():
            settings = json.loads((agent.parent / "workload.json").read_text())["settings"]
            variables = dict(settings["environment"])
            layer = agent / "jupyter" / "kernels" / "python3" / "kernel.json"
            if layer.exists():
                variables["PATH"] = f"{Path(json.loads(layer.read_text())['argv'][0]).parent}:{variables['PATH']}"
            identity = {} if settings["uid"] is None else {"user": settings["uid"], "group": settings["uid"], "extra_groups": []}
            command = (sys.executable, "-I", "-S", str(AGENT / "record.py"), str(agent), settings["code"])
            done = await asyncio.create_subprocess_exec(*command, env=variables, cwd=settings["code"], **identity)
            await asyncio.wait_for(done.wait(), 60)
        record: dict[str, Any] | None = _read(agent / "environment.json")
        return record

    async def capacity(self) -> Capacity:
        return self._capacity()

    def _capacity(self) -> Capacity:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        used = 0
        for folder in self.work.iterdir():
            if not folder.name.startswith(".") and self._status(folder).phase is not Phase.ENDED:
                used += json.loads((folder / "workload.json").read_text())["workload"]["hardware"]["memory_bytes"]
        return Capacity(cpu=float(os.cpu_count() or 1), memory_bytes=memory, gpu=0, free_memory_bytes=memory - used, free_gpu=0)

    def _status(self, folder: Path) -> Status:
        progress = _last_line(folder / "progress.jsonl")
        repositories = _read(folder / "agent" / "repositories.json") or []
        process = _process(folder)
        known: dict[str, Any] = {"progress": progress.get("message", ""), "repositories": tuple(repositories)}
        known["started_at"] = datetime.fromtimestamp((folder / "process.json").stat().st_mtime, UTC) if process else None
        end = _read(folder / "status.json")
        if end is None and process is not None and not process.alive:
            end = _read(folder / "status.json") or {
                "exit_code": None,
                "code": "lost",
                "message": "Its process was ended from outside, or the machine restarted.",
                "path": "",
                "finished_at": datetime.now(UTC).isoformat(),
            }
        if end is not None:
            finished = datetime.fromisoformat(end["finished_at"])
            return Status(Phase.ENDED, end["exit_code"], end.get("code", ""), end.get("message", ""), end.get("path", ""), finished_at=finished, **known)
        return Status(Phase.RUNNING if progress.get("phase") == "running" else Phase.STARTING, **known)

    async def _ended(self, process: Process, seconds: float) -> bool:
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while process.alive:
            if loop.time() > until:
                return False
            await asyncio.sleep(POLL_SECONDS)
        return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _process(folder: Path) -> Process | None:
    known = _read(folder / "process.json")
    return Process(**known) if known else None


def _read(file: Path) -> Any:
    """A JSON file, None while it is not there. A link is not followed: the folder may be a person's, and we may be root."""
    try:
        with open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW)) as handle:
            return json.load(handle)
    except FileNotFoundError:
        return None


def _last_line(file: Path) -> dict[str, Any]:
    try:
        lines = file.read_text().splitlines()
    except FileNotFoundError:
        return {}
    return json.loads(lines[-1]) if lines else {}
