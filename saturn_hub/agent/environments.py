"""Environments of pip packages kept by content hash: built once by a user of their own, then root's and read-only, shared by all.

Code of a package that runs while it is built (a setup.py) is nobody's that we know. So packages are first taken as wheels, which
run nothing, by one uid with a cache; only where that fails are they built from source, by another uid that nothing of ours
belongs to, alone, in a process namespace that ends with it, and without the cache, so that it cannot change what others get.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import signal
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

import isolate
import layers
import prepare
from refused import Refused

Report = Callable[[dict], None]


def digest(workload: dict, settings: dict) -> str:
    """What the environment is: the image and what it has, its interpreter, pip's configuration, and the requirements in any order."""
    software, site = workload["software"], Path(settings["image_site"])
    below = sorted(each.name for each in site.glob("*.dist-info")) if site.is_dir() else []
    pip = [sorted((key, value) for key, value in settings["machine"].items() if key.startswith("PIP_")), _configuration()]
    content = [software["name"], software["version"], os.path.realpath(settings["image_python"]), below, pip, sorted(workload["pip"])]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]


def _configuration() -> str:
    file = Path("/etc/pip.conf")
    return file.read_text() if file.exists() else ""


def kept(workload: dict, settings: dict) -> str:
    """The folder of the environment that the workload asks for, empty where it asks for none or it is not built."""
    folder = Path(settings["environments"]) / digest(workload, settings) if workload["pip"] else None
    return str(folder) if folder and (folder / "lock.txt").exists() else ""


def ensure(workload: dict, settings: dict, groups: list[Path], report: Report) -> str:
    """The folder of the environment that the workload asks for, built if it is new; empty where it asks for none."""
    if not workload["pip"] or (found := kept(workload, settings)):
        return found if workload["pip"] else ""
    folder = Path(settings["environments"]) / digest(workload, settings)
    with open(f"{folder}.lock", "w") as lock:
        _wait_for(lock, report, "Waiting for a start that installs the same packages")
        if not (folder / "lock.txt").exists():
            names = ", ".join(workload["pip"][:5]) + (" …" if len(workload["pip"]) > 5 else "")
            report({"phase": "installing", "message": f"Installing {names}"})
            try:
                _build(folder, workload["pip"], settings, groups, report)
            except OSError as error:
                raise Refused("packages_failed", f"The packages cannot be kept on this machine: {error.strerror}.", "packages.pip") from error
            finally:
                if not (folder / "lock.txt").exists():
                    shutil.rmtree(folder, ignore_errors=True)
    return str(folder)


def _wait_for(lock, report: Report, message: str) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        report({"phase": "installing", "message": message})
        fcntl.flock(lock, fcntl.LOCK_EX)


def _build(folder: Path, requirements: list[str], settings: dict, groups: list[Path], report: Report) -> None:
    kept_all = Path(settings["environments"])
    output = ""
    if not any("@" in each for each in requirements):
        cache = kept_all / ".cache"
        cache.mkdir(mode=0o700, exist_ok=True)
        _give(cache, settings["fetcher_uid"], deep=False)
        code, output = _pip(folder, ["--only-binary=:all:", *requirements], settings, settings["fetcher_uid"], cache, groups)
        if not code:
            _seal(folder, settings)
            return
    with open(kept_all / ".builder.lock", "w") as lock:
        _wait_for(lock, report, "Waiting for packages that another start builds from source")
        for left in kept_all.glob(".build-*"):
            shutil.rmtree(left, ignore_errors=True)
        scratch = Path(tempfile.mkdtemp(prefix=".build-", dir=kept_all))
        try:
            _give(scratch, settings["builder_uid"])
            code, output = _pip(folder, requirements, settings, settings["builder_uid"], scratch, groups)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    if code:
        print(output, flush=True)
        raise refusal(output, requirements)
    _seal(folder, settings)


def _pip(folder: Path, words: list[str], settings: dict, uid: int | None, cache: Path, groups: list[Path]) -> tuple[int, str]:
    """Make the layer new and let pip install into it as `uid`. Its exit code and what it said."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o755)
    layers.make(folder, settings["image_python"], settings["image_site"])
    _give(folder, uid)
    # Of the machine's variables only: a person's own must not decide what others get under this hash.
    variables = {**settings["machine"], "HOME": str(cache), "TMPDIR": str(cache), "PIP_CACHE_DIR": str(cache / "pip"), "PIP_NO_INPUT": "1"}
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check", "install", *words]
    with tempfile.TemporaryFile() as said:
        pid = os.fork()
        if pid == 0:
            _become_pip(pip, variables, uid, cache, groups, said.fileno())
        try:
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise
        said.seek(0)
        return code, said.read().decode(errors="replace")


def _become_pip(words: list[str], variables: dict[str, str], uid: int | None, cache: Path, groups: list[Path], output: int) -> None:
    """In the child: its first process in a namespace that ends with it, so that nothing of a build is left. Never returns."""
    try:
        for number in (signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, signal.SIG_DFL)
        isolate.libc.prctl(isolate.PR_SET_PDEATHSIG, 9, 0, 0, 0)
        isolate.enter(groups)
        os.setsid()
        if uid is not None and isolate.libc.unshare(isolate.CLONE_NEWPID | isolate.CLONE_NEWNS | isolate.CLONE_NEWIPC):
            raise OSError(ctypes.get_errno(), "a process namespace cannot be made")
        pid = os.fork()
        if pid:
            os._exit(abs(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])))
        if uid is not None:
            isolate.mount("none", "/", flags=isolate.MS_REC | isolate.MS_PRIVATE)
            isolate.mount("proc", "/proc", "proc")
        isolate.become(uid)
        os.umask(0o022)
        os.chdir(cache)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.execve(words[0], words, variables)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def _seal(folder: Path, settings: dict) -> None:
    """Make it root's, and say by `lock.txt`, written last, that it is whole. Nothing of what was installed is run for that."""
    if settings["uid"] is not None:
        _give(folder, 0)
    site = next(folder.glob("lib/python*/site-packages"))
    found = {(each.metadata["Name"] or "").lower(): each.version for each in importlib.metadata.distributions(path=[str(site)])}
    prepare.write_whole(folder / "lock.txt", "".join(f"{name}=={version}\n" for name, version in sorted(found.items()) if name))


def refusal(output: str, requirements: list[str]) -> Refused:
    """What pip said as one sentence, with the path of the requirement that it is about."""
    if "No space left on device" in output or "Disk quota exceeded" in output:
        return Refused("disk_full", "The disk of this machine is full, so the packages could not be installed. Make room, then start it again.", "packages.pip")
    errors = [line.removeprefix("ERROR: ") for line in output.splitlines() if line.startswith("ERROR: ")]
    said = next((line for line in errors if "No matching" in line), errors[0] if errors else (output.strip().splitlines() or ["it failed"])[-1])
    for index, requirement in enumerate(requirements):
        name = re.split(r"[\s=<>!~;\[@]", requirement)[0]
        if requirement in said or re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", said):
            return Refused("packages_failed", f"pip says: {said}", f"packages.pip[{index}]")
    return Refused("packages_failed", f"pip says: {said}", "packages.pip")


def _give(folder: Path, uid: int | None, *, deep: bool = True) -> None:
    if uid is None or os.geteuid() != 0:
        return
    os.chown(folder, uid, uid)
    for root, folders, files in os.walk(folder) if deep else ():
        for name in folders + files:
            os.chown(os.path.join(root, name), uid, uid, follow_symlinks=False)
