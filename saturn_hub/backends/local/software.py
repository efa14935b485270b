"""What of the prepared software is there, is being installed, or is missing: one small JSON file for each part, `IMAGES/status/PART.json`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from saturn_hub.backends.local.process import Process

INSTALL = "make install"


@dataclass(frozen=True)
class Installation:
    """How one part stands: `installing`, `installed`, `failed` or `missing` (only root can install it; `message` is the line to type)."""

    state: str
    since: str
    message: str = ""
    process: dict[str, object] | None = None


def file_of(images: Path, part: str) -> Path:
    return images / "status" / f"{part}.json"


def write(images: Path, part: str, installation: Installation) -> None:
    """Say how a part stands, whole or not at all."""
    file = file_of(images, part)
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps(asdict(installation)))
    fresh.chmod(0o644)
    fresh.replace(file)


def read(images: Path, part: str) -> Installation | None:
    """How a part stands, None where nobody installed it by our installer."""
    try:
        return Installation(**json.loads(file_of(images, part).read_text()))
    except FileNotFoundError:
        return None


def why_missing(images: Path, part: str, now: datetime) -> str:
    """Why a part cannot be used now, in a sentence with what to do; empty where nothing is known against it."""
    found = read(images, part)
    if found is None or found.state == "installed":
        return ""
    if found.state == "missing":
        return f"Not installed here. Type: {found.message}"
    if found.state == "failed":
        return f"The installation failed: {found.message} Repeat it with: {INSTALL}"
    if found.process and not Process(**found.process).alive:  # type: ignore[arg-type]
        return f"The installation was interrupted. Repeat it with: {INSTALL}"
    return f"Being installed, {elapsed(datetime.fromisoformat(found.since), now)} so far."


def elapsed(since: datetime, now: datetime) -> str:
    """A duration in the words of a person who waits."""
    minutes = int((now - since).total_seconds() // 60)
    return "less than a minute" if minutes < 1 else "1 minute" if minutes == 1 else f"{minutes} minutes"


def why_no_image(images: Path, name: str, now: datetime) -> str:
    """Why nothing can start from an image now, empty where it can."""
    whole = (images / name / "bin" / "python").exists()
    # One that was whole before goes on to be used while it is brought up to date.
    if not (whole and (images / name / ".installed.txt").exists()) and (reason := why_missing(images, name, now)):
        return reason
    return "" if whole else f"Not installed here yet. Type: {INSTALL}"


def why_no_vscode(images: Path, now: datetime) -> str:
    """Why there is no VS Code now, empty where there is."""
    entry = images / "code-server" / "node_modules" / "code-server" / "out" / "node" / "entry.js"
    if not (images / "code-server" / ".installed.txt").exists() and (reason := why_missing(images, "vscode", now)):
        return reason
    return "" if entry.exists() else f"Not installed here yet. Type: {INSTALL}"
