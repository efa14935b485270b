"""Records what the work runs on: `record.py OUTPUT_FOLDER CODE_FOLDER`, in the work's own environment variables."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

PYTHON = "import importlib.metadata as m, json; print(json.dumps({d.metadata['Name']: d.version for d in list(m.distributions())[::-1] if d.metadata['Name']}))"
R = 'p <- installed.packages()[, c("Package", "Version"), drop = FALSE]; cat(paste(p[, 1], p[, 2], sep = "\\t"), sep = "\\n")'


def said(*words: str) -> str:
    """What a command prints; nothing where it is missing or fails."""
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def table(text: str) -> dict[str, str]:
    return dict(sorted(line.split("\t", 1) for line in text.splitlines() if "\t" in line))


def take(code: Path) -> dict:
    """The whole record."""
    release = platform.freedesktop_os_release() if os.path.exists("/etc/os-release") else {}
    python = said("python", "-c", PYTHON) if shutil.which("python") else ""
    interpreters = [
        ("python", said("python", "-c", "import platform; print(platform.python_version())")),
        ("R", said("Rscript", "-e", "cat(format(getRversion()))")),
    ]
    conda = json.loads(said("conda", "list", "--json") or "[]") if shutil.which("conda") else []
    return {
        "schema": 1,
        "os": {
            "id": release.get("ID", ""),
            "version": release.get("VERSION_ID", ""),
            "packages": table(said("dpkg-query", "-W", "-f", "${Package}\\t${Version}\\n")),
        },
        "hardware": {
            "cpu_model": cpu_model(),
            "cores": os.cpu_count(),
            "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            "gpus": said("nvidia-smi", "-L").splitlines(),
        },
        "interpreters": [{"name": name, "version": version, "path": shutil.which(name) or ""} for name, version in interpreters if version],
        "python": json.loads(python or "{}"),
        "conda": {each["name"]: each["version"] for each in conda},
        "r": table(said("Rscript", "-e", R)) if shutil.which("Rscript") else {},
        "repositories": [repository(code, Path(root)) for root, folders, _ in walk(code) if ".git" in folders],
        "taken_at": datetime.now(timezone.utc).isoformat(),
    }


def walk(code: Path):
    """Folders down to two below `code`, enough to find the checkouts and cheap in a large tree."""
    for root, folders, files in os.walk(code):
        yield root, list(folders), files
        deep = len(Path(root).relative_to(code).parts) >= 2
        folders[:] = [] if deep or ".git" in folders else [each for each in folders if not each.startswith(".")]


def repository(code: Path, folder: Path) -> dict:
    git = ("git", "-C", str(folder))
    commit, dirty = said(*git, "rev-parse", "HEAD"), bool(said(*git, "status", "--porcelain"))
    return {"path": str(folder.relative_to(code)), "url": said(*git, "remote", "get-url", "origin"), "commit": commit, "dirty": dirty}


def cpu_model() -> str:
    with open("/proc/cpuinfo") as file:
        return next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    from prepare import write_whole

    write_whole(Path(sys.argv[1]) / "environment.json", json.dumps(take(Path(sys.argv[2]))))
