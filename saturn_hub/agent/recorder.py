"""Runs `record.py` beside a unit: in a world like the unit's, as its user, in a cgroup of its own, at the lowest priority."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time
import traceback
from pathlib import Path

import descendants
import isolate
import prepare

SECONDS = 60
LONGEST_BYTES = 32 << 20
MEMORY_BYTES = 1 << 30


def world(folder: Path, settings: dict) -> None:
    """Enter the world of a unit; as root only, without it there is nothing to separate."""
    if settings["uid"] is not None:
        isolate.private_world(folder, settings["account"], settings["uid"], settings["home"], settings["kept"], settings["hidden_devices"])


class Recorder:
    """One taking of a record. Its text comes through `pipe`, for the folder it goes to is root's."""

    def __init__(self, folder: Path, workload: dict, settings: dict, layer: str) -> None:
        self.folder, self.done = folder, False
        self.until = time.monotonic() + SECONDS
        self._text = b""
        name = f"{settings['cgroup']}-{os.getpid()}-record"
        self._groups = isolate.make_cgroup(name, MEMORY_BYTES, 1.0) if os.geteuid() == 0 and settings["cgroups"] else []
        self.pipe, writing = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            self._become(workload, settings, layer, writing)
        os.close(writing)
        os.set_blocking(self.pipe, False)

    def _become(self, workload: dict, settings: dict, layer: str, writing: int) -> None:
        """In the child. Never returns."""
        try:
            os.setsid()
            for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            isolate.enter(self._groups)
            world(self.folder, settings)
            isolate.become(settings["uid"])
            os.umask(0o077)
            os.nice(19)
            with open(os.devnull, "r+b") as null:
                os.dup2(null.fileno(), 0)
                os.dup2(null.fileno(), 2)
            os.dup2(writing, 1)
            code = settings["code"]
            os.chdir(code)
            program = str(Path(__file__).with_name("record.py"))
            paths = [each["path"] for each in workload["repositories"]]
            environment = prepare.variables(self.folder, workload, settings, layer)
            os.execve(sys.executable, [sys.executable, "-I", "-S", program, code, *paths], environment)
        except BaseException:
            traceback.print_exc()
            os._exit(1)

    def read(self, fd: int) -> bool:
        """Take what there is to read. Whether that was all."""
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(fd, 1 << 16):
                self._text += chunk
                if len(self._text) > LONGEST_BYTES:
                    break
            self.done = True
        return self.done

    def read_to_end(self) -> None:
        """Wait for all of it, as long as a record may take."""
        poll = select.poll()
        poll.register(self.pipe, select.POLLIN)
        while not self.done and (left := self.until - time.monotonic()) > 0:
            if poll.poll(left * 1000):
                self.read(self.pipe)
        if not self.done:
            self.end()

    def end(self) -> None:
        """End the recorder and what it started; its pipe ends with them."""
        isolate.end_members(self._groups)
        for pid in (self.pid, *descendants.below(self.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def finish(self, repositories: list[dict] | None = None) -> bool:
        """Write the record down whole, with what the preparation said of each repository. False where there is none."""
        self.end()
        isolate.remove(self._groups)
        try:
            record = json.loads(self._text)
            said = {each["path"]: {"message": each["message"], "reference": each["reference"]} for each in self._prepared(repositories)}
            record["repositories"] = [{**each, **said.get(each["path"], {})} for each in record["repositories"]]
            prepare.write_whole(self.folder / "environment.json", json.dumps(record))
        except (ValueError, KeyError, TypeError, OSError):
            return False
        return True

    def _prepared(self, repositories: list[dict] | None) -> list[dict]:
        if repositories is not None:
            return repositories
        file = self.folder / "repositories.json"
        return json.loads(file.read_text()) if file.exists() else []
