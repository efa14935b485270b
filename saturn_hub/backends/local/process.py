"""Processes known by pid, start time and boot, so that a pid used again is never taken for ours."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def start_time(pid: int) -> str | None:
    """Field 22 of /proc/PID/stat (see proc(5)), None where there is no such process or it is a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields[19]


@dataclass(frozen=True)
class Process:
    """One process of this or an earlier boot."""

    pid: int
    started: str
    boot: str

    @property
    def alive(self) -> bool:
        return self.boot == boot_id() and start_time(self.pid) == self.started


def tagged(unit: str) -> list[int]:
    """Living processes that carry a unit's folder in their variables: what a launcher that was killed left behind."""
    tag, found = f"SATURN_UNIT={unit}".encode(), []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                if tag in Path(f"/proc/{entry}/environ").read_bytes().split(b"\0"):
                    found.append(int(entry))
            except OSError:
                continue
    return found


def send(pids: list[int], number: signal.Signals) -> None:
    """Signal each process; one that has gone meanwhile is no error."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
