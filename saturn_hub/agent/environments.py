"""Environments of pip packages kept by content hash: built once by a user of their own, then root's and read-only, shared by all."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import layers
import prepare


def digest(workload: dict, image_python: str) -> str:
    """What the environment is: the image, its interpreter, and the requirements in any order."""
    software = workload["software"]
    content = [software["name"], software["version"], os.path.realpath(image_python), sorted(workload["pip"])]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]


def ensure(workload: dict, settings: dict, unit: Path, progress) -> str:
    """The folder of the environment that the workload asks for, built if it is new; empty where it asks for none."""
    if not workload["pip"]:
        return ""
    kept = Path(settings["environments"]) / digest(workload, settings["image_python"])
    with open(f"{kept}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (kept / "lock.txt").exists():
            return str(kept)
        progress(unit, "installing", f"Installing {', '.join(workload['pip'][:5])}{' …' if len(workload['pip']) > 5 else ''}")
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir(mode=0o755)
        try:
            _build(kept, workload, settings)
        except BaseException:
            shutil.rmtree(kept, ignore_errors=True)
            raise
    return str(kept)


def _build(kept: Path, workload: dict, settings: dict) -> None:
    layers.make(kept, settings["image_python"], settings["image_site"])
    builder = settings["builder_uid"]
    identity = {"user": builder, "group": builder, "extra_groups": []} if builder is not None else {}
    if builder is not None:
        _give(kept, builder)
    cache = Path(settings["environments"]) / ".cache"
    cache.mkdir(mode=0o700, exist_ok=True)
    if builder is not None:
        os.chown(cache, builder, builder)
    variables = {**settings["environment"], "HOME": str(cache), "TMPDIR": str(cache), "PIP_CACHE_DIR": str(cache / "pip"), "PIP_NO_INPUT": "1"}
    pip = [str(kept / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*pip, "install", *workload["pip"]], env=variables, cwd=cache, capture_output=True, text=True, umask=0o022, **identity)
    print(done.stdout + done.stderr, end="", flush=True)
    if done.returncode:
        raise refusal(done.stderr, workload["pip"])
    frozen = subprocess.run(
        [*pip, "list", "--format=freeze", "--path", str(next(kept.glob("lib/python*/site-packages")))],
        env=variables,
        cwd=cache,
        capture_output=True,
        text=True,
        **identity,
    )
    if builder is not None:
        _give(kept, 0)
    prepare.write_whole(kept / "lock.txt", frozen.stdout)


def refusal(output: str, requirements: list[str]) -> prepare.Refused:
    """What pip said as one sentence, with the path of the requirement that it is about."""
    errors = [line.removeprefix("ERROR: ") for line in output.splitlines() if line.startswith("ERROR: ")]
    said = next((line for line in errors if "No matching" in line), errors[0] if errors else "pip failed")
    for index, requirement in enumerate(requirements):
        name = re.split(r"[\s=<>!~;\[@]", requirement)[0]
        if requirement in output or re.search(rf"\b{re.escape(name)}\b", said):
            return prepare.Refused("packages_failed", f"pip says: {said}", f"packages.pip[{index}]")
    return prepare.Refused("packages_failed", f"pip says: {said}", "packages.pip")


def _give(folder: Path, uid: int) -> None:
    for root, folders, files in os.walk(folder):
        for name in [root, *(os.path.join(root, each) for each in folders + files)]:
            os.chown(name, uid, uid, follow_symlinks=False)
