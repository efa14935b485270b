"""What makes one person's work a world of its own on a shared machine: cgroup, mounts, uid. Needs root; without it nothing is done."""

from __future__ import annotations

import ctypes
import os
import subprocess
import time
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
CLONE_NEWNS = 0x00020000
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
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


def private_world(folder: Path, name: str, uid: int, home: str, kept: list[str]) -> None:
    """A mount namespace with its own /tmp and /dev/shm, an account for the uid, and only its own processes in /proc.

    Of the machine's /tmp only the folders in `kept` stay to be seen, for an installation that lives there.
    """
    if libc.unshare(CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "a mount namespace cannot be made")
    (folder / "passwd").write_text(Path("/etc/passwd").read_text() + f"{name}:x:{uid}:{uid}::{home}:/bin/bash\n")
    (folder / "group").write_text(Path("/etc/group").read_text() + f"{name}:x:{uid}:\n")
    mounts = [["--make-rprivate", "/"]]
    for each in kept:
        if each.startswith("/tmp/"):
            (folder / each[1:]).mkdir(parents=True, exist_ok=True)
            mounts.append(["--rbind", each, str(folder / each[1:])])
    mounts += [
        ["--bind", str(folder / "passwd"), "/etc/passwd"],
        ["--bind", str(folder / "group"), "/etc/group"],
        ["--rbind", str(folder / "tmp"), "/tmp"],
        ["-t", "tmpfs", "-o", "mode=1777,nosuid,nodev", "tmpfs", "/dev/shm"],
        ["-t", "proc", "-o", "hidepid=2", "proc", "/proc"],
    ]
    subprocess.run(["sh", "-ec", "\n".join("mount " + " ".join(f"'{word}'" for word in words) for words in mounts)], check=True)


def become(uid: int) -> None:
    """Drop to `uid` for good, and die with the parent."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0)
