"""One unit while it runs: what it reports, what holds it to its size and its time, and how it ended."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import time
from datetime import datetime, timezone
from pathlib import Path

import descendants
import isolate
import prepare
import recorder

SAMPLE_SECONDS = 0.5
GRACE_SECONDS = 5.0
ROUNDS = 200


class Unit:
    """What the launcher knows of the work below it."""

    def __init__(self, folder: Path, workload: dict, settings: dict, groups: list[Path]) -> None:
        self.folder, self.workload, self.settings, self.groups = folder, workload, settings, groups
        self.layer = ""
        self.child = 0
        self.why = ""
        self.refused: dict | None = None
        self.repositories: list[dict] = []
        self.recorder: recorder.Recorder | None = None
        self.ended = False
        self.prepared = False
        self.started = time.monotonic()
        self.kill_at: float | None = None
        self._statuses: dict[int, int] = {}
        self._heard = b""
        self._reported = False

    def hear(self, message: dict) -> None:
        """One report of the preparation: a sentence for the page that waits, what it did with the repositories, or why it cannot go on."""
        if "refused" in message:
            self.refused = message["refused"]
        elif "repositories" in message:
            self.repositories = message["repositories"]
            prepare.write_whole(self.folder / "repositories.json", json.dumps(self.repositories))
        else:
            self.prepared = message["phase"] == "running"
            line = json.dumps({"time": datetime.now(timezone.utc).isoformat(), **message})
            with open(self.folder / "progress.jsonl", "a") as file:
                file.write(line + "\n")

    def own_signals(self) -> None:
        """From now on a signal is for the work, and children are collected as they end."""
        signal.signal(signal.SIGTERM, lambda *_: self.signal(signal.SIGTERM))
        signal.signal(signal.SIGUSR1, lambda *_: self.signal(signal.SIGKILL))
        self._pidfd = os.pidfd_open(self.child)
        signal.signal(signal.SIGCHLD, lambda *_: self._collect())
        self._collect()

    def attend(self, reports: int) -> None:
        """Until the work and its record have ended. The end of the work is written down at once, the record may come after it."""
        os.set_blocking(reports, False)
        self._poll, self._handlers = select.poll(), {}
        self._listen(reports, self._read_reports)
        self._listen(self._pidfd, lambda _: self._end(reports))
        while self._handlers:
            for fd, _ in self._poll.poll(self._pause()):
                if self._handlers[fd](fd):
                    self._poll.unregister(fd)
                    del self._handlers[fd]
            self._enforce()
        isolate.remove(self.groups)

    def _listen(self, fd: int, handler) -> None:
        self._handlers[fd] = handler
        self._poll.register(fd, select.POLLIN)

    def signal(self, number: int) -> None:
        """To everything of the work, but not to the recorder beside it."""
        for pid in isolate.members(self.groups) or self._processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _processes(self) -> dict[int, int]:
        return descendants.below(os.getpid(), without=self.recorder.pid if self.recorder else 0)

    def _collect(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                self._statuses[ended[0]] = ended[1]

    def _read_reports(self, fd: int) -> bool:
        """Whether the reports are over: the command runs, or the preparation was refused."""
        while not self._reported:
            try:
                chunk = os.read(fd, 65536)
            except BlockingIOError:
                return False
            self._heard += chunk
            *lines, self._heard = self._heard.split(b"\n")
            for line in lines:
                self.hear(json.loads(line))
            if not chunk:
                self._reported = True
                if self.prepared:
                    self.recorder = recorder.Recorder(self.folder, self.workload, self.settings, self.layer)
                    self._listen(self.recorder.pipe, self._read_record)
        return True

    def _read_record(self, fd: int) -> bool:
        """Whether the record is over; then it is written down."""
        assert self.recorder is not None
        if not self.recorder.read(fd):
            return False
        # Without a record whoever asks for it has one taken, and says so.
        self.recorder.finish(self.repositories)
        return True

    def _end(self, reports: int) -> bool:
        """The command has ended: end what it left behind, and write down how it ended."""
        self._collect()
        if self.groups:
            isolate.end_members(self.groups)
        for _ in range(ROUNDS):
            if self.groups or not self._processes():
                break
            self.signal(signal.SIGKILL)
            time.sleep(0.005)
            self._collect()
        # What is still in the pipe may say why it was refused.
        self._read_reports(reports)
        self.ended = True
        self.finish(self._verdict(self._statuses.get(self.child, 0)))
        return True

    def _pause(self) -> float | None:
        """Milliseconds until there is something to look at by itself."""
        now, until = time.monotonic(), []
        if not self.ended:
            if not self.groups:
                until.append(now + SAMPLE_SECONDS)
            if self.kill_at:
                until.append(self.kill_at)
            elif self.workload["timeout_seconds"]:
                until.append(self.started + self.workload["timeout_seconds"])
        if self.recorder and not self.recorder.done:
            until.append(self.recorder.until)
        return max(0.0, min(until) - now) * 1000 + 1 if until else None

    def _enforce(self) -> None:
        """Time and, where no cgroup does it, memory."""
        now = time.monotonic()
        if self.recorder and not self.recorder.done and now > self.recorder.until:
            self.recorder.end()
        if self.ended:
            return
        timeout, limit = self.workload["timeout_seconds"], self.workload["hardware"]["memory_bytes"]
        if self.kill_at and now > self.kill_at:
            self.signal(signal.SIGKILL)
            self.kill_at = now + GRACE_SECONDS
        elif timeout and not self.why and now - self.started > timeout:
            self.why, self.kill_at = "timed_out", now + GRACE_SECONDS
            self.signal(signal.SIGTERM)
        elif not self.groups and not self.why and descendants.used_bytes(self._processes(), limit) > limit:
            self.why, self.kill_at = "out_of_memory", now + GRACE_SECONDS
            self.signal(signal.SIGKILL)

    def _verdict(self, ended: int) -> dict:
        """How it ended, in the words of `backends.base.Status`."""
        code, size = os.waitstatus_to_exitcode(ended), self.workload["hardware"]
        if self.refused:
            return {"exit_code": code, **self.refused}
        if self.why == "timed_out":
            message = f"It ran longer than its {self.workload['timeout_seconds']} seconds and was ended."
            return {"exit_code": 128 - code if code < 0 else code, "code": "timed_out", "message": message, "path": "timeout_seconds"}
        if self.why == "out_of_memory" or (code != 0 and isolate.ran_out_of_memory(self.groups)):
            larger = f" The size {size['next_size']} has more." if size["next_size"] else " No size here has more."
            message = f"It used more than the {size['memory_bytes'] / 2**30:.3g} GiB of memory that the size {size['name']} has.{larger}"
            return {"exit_code": 137, "code": "out_of_memory", "message": message, "path": "size"}
        return {"exit_code": 128 - code if code < 0 else code, "code": "", "message": "", "path": ""}

    def finish(self, result: dict) -> None:
        """Write down how it ended."""
        result["finished_at"] = datetime.now(timezone.utc).isoformat()
        # The folder is gone where somebody forgot the unit meanwhile.
        with contextlib.suppress(FileNotFoundError):
            prepare.write_whole(self.folder / "status.json", json.dumps(result))
