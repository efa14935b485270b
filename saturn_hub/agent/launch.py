"""Runs one unit: `launch.py UNIT_FOLDER`. Makes its world, waits for its end, and writes down how it ended.

It stays as the parent, holds no secrets, and runs nothing of a person's itself. SIGTERM is handed on to the work; SIGUSR1 ends it at once.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import sys
import time
import traceback
from datetime import datetime, timezone
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import environments
import isolate
import prepare


def main(folder: Path) -> None:
    lock = open(folder / "lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return  # another launcher has this unit: whoever started us had died before it could know
    if (folder / "process.json").exists():
        return
    with open("/proc/self/stat") as stat, open("/proc/sys/kernel/random/boot_id") as boot:
        known = {"pid": os.getpid(), "started": stat.read().rpartition(")")[2].split()[19], "boot": boot.read().strip()}
    prepare.write_whole(folder / "process.json", json.dumps(known))
    order = json.loads((folder / "workload.json").read_text())
    workload, settings = order["workload"], order["settings"]
    hardware = workload["hardware"]
    root = os.geteuid() == 0
    groups = isolate.make_cgroup(settings["cgroup"], hardware["memory_bytes"], hardware["cpu"]) if root else []
    try:
        layer = environments.ensure(workload, settings, folder, prepare.progress)
    except prepare.Refused as refused:
        finish(folder, {"exit_code": 1, **refused.as_dict()}, groups, settings)
        return
    prepare.progress(folder, "starting", "Starting")
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        run_child(folder, workload, settings, layer, groups)
    ended, why = wait(child, folder, groups, hardware, workload["timeout_seconds"], started)
    for pid in isolate.members(groups):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    finish(folder, verdict(folder, ended, why, groups, hardware, workload), groups, settings)


def run_child(folder: Path, workload: dict, settings: dict, layer: str, groups: list[Path]) -> None:
    """In the child: enter the world, prepare, and become the command. Never returns."""
    try:
        os.setsid()
        isolate.enter(groups)
        if settings["uid"] is not None:
            isolate.private_world(folder, settings["account"], settings["uid"], settings["home"], settings["kept"])
            isolate.become(settings["uid"])
        os.umask(0o077)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        prepare.run(folder, workload, settings, layer)
    except prepare.Refused as refused:
        prepare.write_whole(folder / "agent" / "refused.json", json.dumps(refused.as_dict()))
        print(refused.message, file=sys.stderr, flush=True)
        os._exit(1)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def wait(child: int, folder: Path, groups: list[Path], hardware: dict, timeout: int | None, started: float) -> tuple[int, str]:
    """The raw wait status of the child, and why we ended it (empty, timed_out, out_of_memory)."""
    why = ""
    signal.signal(signal.SIGTERM, lambda *_: signal_tree(child, groups, signal.SIGTERM))
    signal.signal(signal.SIGUSR1, lambda *_: signal_tree(child, groups, signal.SIGKILL))
    poll = select.poll()
    poll.register(os.pidfd_open(child), select.POLLIN)
    pause = 500 if not groups or timeout else None
    while not poll.poll(pause):
        if timeout and not why and time.monotonic() - started > timeout:
            why = "timed_out"
            signal_tree(child, groups, signal.SIGTERM)
            poll.poll(5000)
            signal_tree(child, groups, signal.SIGKILL)
        elif not groups and not why and resident_bytes(child) > hardware["memory_bytes"]:
            why = "out_of_memory"
            signal_tree(child, groups, signal.SIGKILL)
    return os.waitpid(child, 0)[1], why


def signal_tree(child: int, groups: list[Path], number: int) -> None:
    for pid in isolate.members(groups) or session(child):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def session(leader: int) -> list[int]:
    return [pid for pid, fields in processes() if fields[3] == str(leader)]


def resident_bytes(leader: int) -> int:
    return sum(int(fields[21]) for _, fields in processes() if fields[3] == str(leader)) * os.sysconf("SC_PAGE_SIZE")


def processes() -> list[tuple[int, list[str]]]:
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as file:
                    found.append((int(entry), file.read().rpartition(")")[2].split()))
            except OSError:
                continue
    return found


def verdict(folder: Path, ended: int, why: str, groups: list[Path], hardware: dict, workload: dict) -> dict:
    """How it ended, in the words of `backends.base.Status`."""
    code = os.waitstatus_to_exitcode(ended)
    refused = folder / "agent" / "refused.json"
    if refused.exists() and not refused.is_symlink():
        return {"exit_code": code, **json.loads(refused.read_text())}
    if why == "timed_out":
        return {
            "exit_code": 128 - code if code < 0 else code,
            "code": why,
            "message": f"It ran longer than its {workload['timeout_seconds']} seconds and was ended.",
            "path": "timeout_seconds",
        }
    if why == "out_of_memory" or (code != 0 and isolate.ran_out_of_memory(groups)):
        larger = f" The size {hardware['next_size']} has more." if hardware["next_size"] else " No size here has more."
        gib = f"{hardware['memory_bytes'] / 2**30:.3g} GiB"
        return {
            "exit_code": 137,
            "code": "out_of_memory",
            "message": f"It used more than the {gib} of memory that the size {hardware['name']} has.{larger}",
            "path": "size",
        }
    return {"exit_code": 128 - code if code < 0 else code, "code": "", "message": "", "path": ""}


def finish(folder: Path, result: dict, groups: list[Path], settings: dict) -> None:
    """Write the end down first, then clean up."""
    result["finished_at"] = datetime.now(timezone.utc).isoformat()
    prepare.write_whole(folder / "status.json", json.dumps(result))
    isolate.remove(groups)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
