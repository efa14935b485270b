"""What makes one person's work a world of its own on a shared machine: cgroup, mounts, uid. Needs root; without it nothing is done."""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import random
import resource
import signal
import time
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWPID = 0x00020000, 0x08000000, 0x20000000
MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 4096, 16384, 1 << 18
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 36, 38
libc = ctypes.CDLL(None, use_errno=True)


def make_cgroup(name: str, memory_bytes: int, cpu: float) -> list[Path]:
    """Folders of the cgroups that hold a unit to its size (v2's one, v1's two); empty where none can be written."""
    period = 100_000
    try:
        if (CGROUPS / "cgroup.controllers").exists():
            group = CGROUPS / "saturn" / name
            group.mkdir(parents=True, exist_ok=True)
            for folder in (CGROUPS, CGROUPS / "saturn"):
                (folder / "cgroup.subtree_control").write_text("+memory +cpu")
            (group / "memory.max").write_text(str(memory_bytes))
            (group / "cpu.max").write_text(f"{int(cpu * period)} {period}")
            return [group]
        groups = [CGROUPS / "memory" / "saturn" / name, CGROUPS / "cpu" / "saturn" / name]
        for group in groups:
            group.mkdir(parents=True, exist_ok=True)
        (groups[0] / "memory.limit_in_bytes").write_text(str(memory_bytes))
        (groups[1] / "cpu.cfs_quota_us").write_text(str(int(cpu * period)))
        return groups
    except OSError:
        return []


def enter(groups: list[Path]) -> None:
    for group in groups:
        (group / "cgroup.procs").write_text(str(os.getpid()))


def members(groups: list[Path]) -> list[int]:
    try:
        return [int(pid) for pid in (groups[0] / "cgroup.procs").read_text().split()] if groups else []
    except OSError:
        return []


def end_members(groups: list[Path]) -> None:
    """Kill what is in the group until nothing is: what forks meanwhile is met in the next round."""
    for _ in range(200):
        pids = members(groups)
        if not pids:
            return
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)


def ran_out_of_memory(groups: list[Path]) -> bool:
    """Whether the kernel killed something of the group for its limit."""
    for file in ("memory.events", "memory.oom_control"):
        try:
            lines = (groups[0] / file).read_text().splitlines() if groups else []
        except OSError:
            continue
        if any(line.startswith("oom_kill ") and not line.endswith(" 0") for line in lines):
            return True
    return False


def remove(groups: list[Path]) -> None:
    """Drop empty groups; the kernel needs a moment after the last process has gone."""
    for group in groups:
        for _ in range(50):
            try:
                group.rmdir()
                break
            except FileNotFoundError:
                break
            except OSError:
                time.sleep(0.01)


def hold_to_cores(cpu: float) -> None:
    """Without cgroups: stay on as many cores as the size has, rounded up. Which ones is chance, so that units spread."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, random.sample(cores, min(len(cores), max(1, math.ceil(cpu)))))


def private_world(folder: Path, name: str, uid: int, home: str, kept: list[str], hidden: list[str]) -> None:
    """A mount namespace with its own /tmp and /dev/shm, an account for the uid, and only its own processes in /proc.

    Of the machine's /tmp only the folders in `kept` stay to be seen, for an installation that lives there; the devices in
    `hidden` (other people's GPUs) read as empty.
    """
    if libc.unshare(CLONE_NEWNS | CLONE_NEWIPC):
        raise OSError(ctypes.get_errno(), "a mount namespace cannot be made")
    for file, line in (("passwd", f"{name}:x:{uid}:{uid}::{home}:/bin/bash\n"), ("group", f"{name}:x:{uid}:\n")):
        if not (folder / file).exists():
            (folder / file).write_text(Path("/etc", file).read_text() + line)
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
    for each in kept:
        # Made when the unit was, so that root never makes a folder where a person may have left a link.
        if each.startswith("/tmp/") and (folder / each[1:]).is_dir():
            mount(each, str(folder / each[1:]), flags=MS_BIND | MS_REC)
    mount(str(folder / "passwd"), "/etc/passwd", flags=MS_BIND)
    mount(str(folder / "group"), "/etc/group", flags=MS_BIND)
    mount(str(folder / "tmp"), "/tmp", flags=MS_BIND | MS_REC)
    mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
    mount("proc", "/proc", "proc", options="hidepid=2")
    for each in hidden:
        mount("/dev/null", each, flags=MS_BIND)


def mount(source: str, target: str, kind: str | None = None, flags: int = 0, options: str | None = None) -> None:
    """mount(2). Raises OSError with what was to be mounted where."""
    words = [each.encode() if each is not None else None for each in (source, target, kind)]
    if libc.mount(*words, ctypes.c_ulong(flags), options.encode() if options else None):
        number = ctypes.get_errno()
        raise OSError(number, f"{source} cannot be mounted on {target}: {os.strerror(number)}")


def become(uid: int | None) -> None:
    """Drop to `uid` for good (None: stay who we are), gain nothing by setuid programs, leave no core, and die with the parent."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0)


def adopt_orphans() -> None:
    """Be the parent of descendants whose own have gone, so that nothing of a unit gets out of sight."""
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
