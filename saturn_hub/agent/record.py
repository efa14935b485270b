"""Says what the work runs on: `record.py CODE_FOLDER [REPOSITORY…]`, in the work's own environment variables, as JSON on its output."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

PYTHON = (
    "import importlib.metadata as m, json, platform;"
    "found = [(d.metadata['Name'], d.version) for d in m.distributions()][::-1];"
    "print(json.dumps([platform.python_version(), {name: version for name, version in found if name}]))"
)
R = (
    'cat(format(getRversion()), "\\n", sep = ""); p <- installed.packages()[, c("Package", "Version"), drop = FALSE];'
    'p <- p[!duplicated(p[, 1]), , drop = FALSE]; cat(paste(p[, 1], p[, 2], sep = "\\t"), sep = "\\n")'
)


def said(*words: str) -> str:
    """What a command prints; nothing where it is missing or fails."""
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=50, stdin=subprocess.DEVNULL).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def table(text: str) -> dict[str, str]:
    return dict(sorted(line.split("\t", 1) for line in text.splitlines() if "\t" in line))


def take(code: Path, paths: list[str]) -> dict:
    """The whole record."""
    release = platform.freedesktop_os_release() if os.path.exists("/etc/os-release") else {}
    python, packages = json.loads(said("python", "-c", PYTHON) or '["", {}]')
    r, _, r_packages = said("Rscript", "--default-packages=utils", "-e", R).partition("\n")
    julia = said("julia", "--version").removeprefix("julia version ")
    conda = json.loads(said("conda", "list", "--json") or "[]")
    found = dict.fromkeys([*paths, *(os.path.relpath(root, code) for root in checkouts(code))])
    return {
        "schema": 1,
        "os": {"id": release.get("ID", ""), "version": release.get("VERSION_ID", ""), "packages": debian()},
        "hardware": {
            "cpu_model": cpu_model(),
            "cores": os.cpu_count(),
            "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            "gpus": said("nvidia-smi", "-L").splitlines() if os.environ.get("CUDA_VISIBLE_DEVICES") else [],
        },
        "interpreters": [
            {"name": name, "version": version, "path": shutil.which(program) or ""}
            for name, program, version in (("python", "python", python), ("R", "Rscript", r), ("julia", "julia", julia))
            if version
        ],
        "python": packages,
        "conda": {each["name"]: each["version"] for each in conda},
        "r": table(r_packages),
        "repositories": [each for path in found if (each := repository(code, path))],
        "taken_at": datetime.now(timezone.utc).isoformat(),
    }


def debian() -> dict[str, str]:
    """Debian's packages as `dpkg-query -W` names them; the machine's own architecture goes without saying."""
    native = said("dpkg", "--print-architecture")
    return {name.removesuffix(f":{native}"): version for name, version in table(said("dpkg-query", "-W")).items()}


def checkouts(code: Path) -> list[str]:
    """Folders down to two below `code` that are checkouts, also those that a person cloned by hand."""
    found = []
    for root, folders, files in os.walk(code):
        if ".git" in folders or ".git" in files:
            found.append(root)
        deep = len(Path(root).relative_to(code).parts) >= 2
        folders[:] = [] if deep or root in found else [each for each in folders if not each.startswith(".")]
    return sorted(found)


def repository(code: Path, path: str) -> dict | None:
    git = ("git", "-C", str(code / path))
    commit = said(*git, "rev-parse", "HEAD")
    url = said(*git, "remote", "get-url", "origin")
    user, at, rest = url.partition("@")
    url = f"{user.partition('://')[0]}://{rest}" if at and "://" in user else url
    return {"path": path, "url": url, "commit": commit, "dirty": bool(said(*git, "status", "--porcelain"))} if commit else None


def cpu_model() -> str:
    with open("/proc/cpuinfo") as file:
        return next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    json.dump(take(Path(sys.argv[1]), sys.argv[2:]), sys.stdout)
