"""Reads a unit's folder. Everything in it that says something is root's (ours, where there is one trust domain), and written whole."""

from __future__ import annotations

import contextlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from saturn_hub.backends.base import Phase, Status
from saturn_hub.backends.local.process import Process

LINE_BYTES = 65536


def read_json(file: Path) -> Any:
    """A JSON file, None while it is not there."""
    try:
        return json.loads(file.read_text())
    except FileNotFoundError:
        return None


def process_of(folder: Path) -> Process | None:
    """The launcher of a unit, None before it has written down which it is."""
    known = read_json(folder / "process.json")
    return Process(known["pid"], known["started"], known["boot"]) if known else None


def end_of(folder: Path) -> dict[str, Any] | None:
    """How a unit ended; None while it lives. One whose launcher is gone without a word is lost."""
    end: dict[str, Any] | None = read_json(folder / "status.json")
    if end is None and (process := process_of(folder)) is not None and not process.alive:
        # It may have written its last word between our two looks.
        end = read_json(folder / "status.json") or lost()
    return end


def lost() -> dict[str, Any]:
    """The end of a unit that nobody saw end."""
    message = "Its process was ended from outside, or the machine restarted."
    return {"exit_code": None, "code": "lost", "message": message, "path": "", "finished_at": datetime.now(UTC).isoformat()}


def status_of(folder: Path) -> Status:
    """What is known of one unit."""
    if not (folder / "workload.json").exists():
        return Status(Phase.GONE)
    progress = last_line(folder / "progress.jsonl")
    known: dict[str, Any] = {"progress": progress.get("message", ""), "repositories": tuple(read_json(folder / "repositories.json") or ())}
    with contextlib.suppress(FileNotFoundError):
        known["started_at"] = datetime.fromtimestamp((folder / "process.json").stat().st_mtime, UTC)
    if (end := end_of(folder)) is not None:
        finished = datetime.fromisoformat(end["finished_at"])
        return Status(Phase.ENDED, end["exit_code"], end.get("code", ""), end.get("message", ""), end.get("path", ""), finished_at=finished, **known)
    return Status(Phase.RUNNING if progress.get("phase") == "running" else Phase.STARTING, **known)


def last_line(file: Path) -> dict[str, Any]:
    """The newest whole line of a file of JSON lines."""
    try:
        with open(file, "rb") as handle:
            handle.seek(max(0, os.fstat(handle.fileno()).st_size - LINE_BYTES))
            lines = handle.read().split(b"\n")[:-1]
    except FileNotFoundError:
        return {}
    found: dict[str, Any] = json.loads(lines[-1]) if lines else {}
    return found
