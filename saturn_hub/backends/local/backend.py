"""The local backend: units as folders under `work/`, each with a launcher in a session of its own."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from saturn_hub.agent import isolate
from saturn_hub.backends.base import Capacity, Status
from saturn_hub.backends.local import firewall, gpus
from saturn_hub.backends.local.live import Live, Reservation
from saturn_hub.backends.local.owners import own, uid_of
from saturn_hub.backends.local.ports import free_port, listens
from saturn_hub.backends.local.process import send, tagged
from saturn_hub.backends.local.reading import end_of, process_of, read_json, status_of
from saturn_hub.backends.local.settings import AGENT, settings_of
from saturn_hub.backends.local.software import why_no_image
from saturn_hub.backends.local.watching import changes
from saturn_hub.errors import BackendUnavailable, ImageUnavailable, OutOfCapacity
from saturn_hub.model.workload import Workload

POLL_SECONDS = 0.01
FOLLOW_SECONDS = 0.1
RECORDED_SECONDS = 30
RECORD_SECONDS = 90


class LocalBackend:
    """Runs workloads as processes of this machine. `home` is SATURN_HOME, `images` holds the prepared prefixes.

    Without `cgroups`, or where none can be written, units are held to their size by sampling.
    """

    def __init__(self, home: Path, images: Path, *, cgroups: bool = True) -> None:
        self.home, self.images, self.cgroups = home.resolve(), images.resolve(), cgroups
        self.work = self.home / "work"
        for folder in (self.work, self.home / "environments"):
            folder.mkdir(parents=True, exist_ok=True)
            # Passed through by whoever knows a name in it, and listed by nobody.
            folder.chmod(0o711)
        self.live = Live(self.home)

    async def start(self, name: str, workload: Workload) -> None:
        folder = self.work / name
        if not (folder / "workload.json").exists():
            await asyncio.to_thread(self._reserve, name, workload)
        if not (folder / "process.json").exists() and not (folder / "status.json").exists():
            self._launch(folder)
            await self._recorded(folder)

    def _reserve(self, name: str, workload: Workload) -> None:
        """Under the lock of all who start units: see that there is room, write down what is taken, and make the unit."""
        if reason := why_no_image(self.images, workload.software.name, datetime.now(UTC)):
            raise ImageUnavailable(f"The image '{workload.software.name}': {reason}", path="image")
        with self.live.locked():
            if (self.work / name / "workload.json").exists():
                return
            self._drop_ended()
            given = self._take(workload)
            self.live.add(name, given)
            self._make(self.work / name, name, workload, given)

    def _drop_ended(self) -> None:
        for name in self.live.names():
            if not (self.work / name / "workload.json").exists() or end_of(self.work / name) is not None:
                self._settle(name)

    def _take(self, workload: Workload) -> Reservation:
        """What of the machine the workload gets. Raises OutOfCapacity. CPU is shared, so it is not counted."""
        taken, wanted = self.live.reservations().values(), workload.hardware
        free = _memory_bytes() - sum(each.memory_bytes for each in taken)
        if wanted.memory_bytes > free:
            message = f"The size '{wanted.name}' needs {wanted.memory_bytes / 2**30:.3g} GiB of memory and {max(0, free) / 2**30:.3g} GiB are free here."
            raise OutOfCapacity(message, path="size")
        numbers = gpus.free({number for each in taken for number in each.gpus}) if wanted.gpu else []
        if wanted.gpu > len(numbers):
            raise OutOfCapacity(f"The size '{wanted.name}' needs {wanted.gpu} GPU and {len(numbers)} are free here.", path="size")
        return Reservation(wanted.memory_bytes, tuple(numbers[: wanted.gpu]))

    def _make(self, folder: Path, name: str, workload: Workload, given: Reservation) -> None:
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
            # Programs open their output again by /dev/stdout. The folder is ours, so no link can be put in its place.
            os.chown(part / "log", uid, uid)
        port = free_port() if workload.listens else None
        if port is not None and uid is not None:
            firewall.allow(self.home, port, uid)
        settings = settings_of(self.home, self.images, name, workload, uid, port, given.gpus, cgroups=self.cgroups)
        for each in settings["kept"]:
            if uid is not None and each.startswith("/tmp/"):
                (part / each[1:]).mkdir(parents=True, exist_ok=True)
        with open(os.open(part / "workload.json", os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
            json.dump({"workload": workload.to_json(), "settings": settings}, file)
        part.rename(folder)

    def _launch(self, folder: Path) -> None:
        """Start the launcher. It writes down which process it is, under a lock: of two, the second ends at once."""
        with open(folder / "log", "ab") as log:
            child = subprocess.Popen(_agent(folder), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/")
        # Somebody has to collect the launcher when it ends; a daemon thread holds up no exit of ours.
        threading.Thread(target=child.wait, daemon=True).start()

    async def _recorded(self, folder: Path) -> None:
        """Until the launcher has written down which process it is. Raises BackendUnavailable, after which a repeat starts it again."""
        if not await _until((folder / "process.json").exists, RECORDED_SECONDS):
            raise BackendUnavailable(f"The launcher of '{folder.name}' did not start in {RECORDED_SECONDS} seconds.")

    async def stop(self, name: str, grace_seconds: float = 10) -> None:
        folder = self.work / name
        process = process_of(folder)
        if process is None or end_of(folder) is not None:
            await asyncio.to_thread(self._has_ended, name)
            return
        send([process.pid], signal.SIGTERM)
        if not await self._ended(folder, grace_seconds):
            send([process.pid], signal.SIGUSR1)
            if not await self._ended(folder, 5):
                send([process.pid], signal.SIGKILL)
                await self._ended(folder, 5)
        await asyncio.to_thread(self._has_ended, name)

    async def forget(self, name: str) -> None:
        await asyncio.to_thread(self._forget, name)

    def _forget(self, name: str) -> None:
        folder = self.work / name
        with self.live.locked():
            self._settle(name)
            order = read_json(folder / "workload.json")
            if order and order["settings"]["port"] is not None and order["settings"]["uid"] is not None:
                firewall.release(self.home, order["settings"]["port"], order["settings"]["uid"])
            shutil.rmtree(folder, ignore_errors=True)

    async def statuses(self, names: Collection[str] | None = None) -> dict[str, Status]:
        return {name: status_of(self.work / name) for name in (self.live.names() if names is None else names)}

    def watch(self) -> AsyncIterator[str]:
        return changes(self.work, self.live.names, self._has_ended)

    def _has_ended(self, name: str) -> bool:
        """Whether a unit has ended; its place in the live set is then free."""
        if end_of(self.work / name) is None:
            return False
        with self.live.locked():
            # Looked at again: under this name another unit may have begun.
            if end_of(self.work / name) is not None:
                self._settle(name)
        return True

    def _settle(self, name: str) -> None:
        """Of a unit that has ended, or was never made: end what a killed launcher left behind, write that down, and free its place."""
        folder = self.work / name
        end = end_of(folder)
        if end is not None and not (folder / "status.json").exists():
            groups = [Path(each) for each in read_json(folder / "process.json")["groups"]]
            # The recorder beside it has a group of its own, of the same name and more.
            for each in (groups, [group.with_name(f"{group.name}-record") for group in groups]):
                isolate.end_members(each)
                isolate.remove(each)
            send(tagged(str(folder)), signal.SIGKILL)
            part = folder / "status.json.part"
            part.touch(mode=0o600)
            part.write_text(json.dumps(end))
            part.replace(folder / "status.json")
        self.live.drop(name)

    async def logs(self, name: str, *, offset: int = 0, follow: bool = False) -> AsyncIterator[bytes]:
        file = self.work / name / "log"
        while file.exists():
            ended = end_of(file.parent) is not None
            with open(file, "rb") as handle:
                handle.seek(offset)
                chunk = handle.read(65536)
            offset += len(chunk)
            if chunk:
                yield chunk
            elif not follow or ended:
                return
            else:
                await asyncio.sleep(FOLLOW_SECONDS)

    async def address(self, name: str) -> tuple[str, int] | None:
        order = read_json(self.work / name / "workload.json")
        port = order["settings"]["port"] if order else None
        # A port that somebody else took before the unit could is not the unit's address.
        return ("127.0.0.1", port) if port and listens(port, order["settings"]["uid"]) else None

    async def environment(self, name: str, *, fresh: bool = False) -> dict[str, Any] | None:
        folder = self.work / name
        if not (folder / "workload.json").exists():
            return None
        if fresh:
            done = await asyncio.create_subprocess_exec(*_agent(folder, "record"), stdin=asyncio.subprocess.DEVNULL, cwd="/")
            if await asyncio.wait_for(done.wait(), RECORD_SECONDS):
                raise BackendUnavailable(f"The environment of '{name}' could not be recorded; the log of the service tells why.")
        else:
            process = process_of(folder)
            await _until(lambda: (folder / "environment.json").exists() or process is None or not process.alive, RECORD_SECONDS)
        record: dict[str, Any] | None = read_json(folder / "environment.json")
        return record

    async def capacity(self) -> Capacity:
        taken = self.live.reservations().values()
        memory, number = _memory_bytes(), gpus.count()
        free_gpu = len(gpus.free({each for reservation in taken for each in reservation.gpus}))
        return Capacity(float(os.cpu_count() or 1), memory, number, memory - sum(each.memory_bytes for each in taken), free_gpu)

    async def _ended(self, folder: Path, seconds: float) -> bool:
        return await _until(lambda: end_of(folder) is not None, seconds)


def _agent(folder: Path, *words: str) -> list[str]:
    return [sys.executable, "-I", "-S", str(AGENT / "launch.py"), str(folder), *words]


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


async def _until(condition: Any, seconds: float) -> bool:
    """Whether the condition came to hold in time."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while not condition():
        if loop.time() > until:
            return False
        await asyncio.sleep(POLL_SECONDS)
    return True
