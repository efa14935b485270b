"""Runs one unit: `launch.py UNIT_FOLDER`; takes its record now: `launch.py UNIT_FOLDER record`.

It stays as the parent, holds no secrets, and runs nothing of a person's itself. SIGTERM is handed on to the work; SIGUSR1 ends it at once.
All that it hears from below comes through pipes: as root it opens no file that a person could have put there.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import environments
import isolate
import prepare
import recorder
import unit


def main(folder: Path) -> None:
    """Run the unit, unless another launcher has it or had it."""
    signal.signal(signal.SIGTERM, asked_to_stop)
    signal.signal(signal.SIGUSR1, asked_to_stop)
    lock = open(folder / "lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return  # another launcher has this unit: whoever started us had died before it could know
    if (folder / "process.json").exists() or (folder / "status.json").exists():
        return
    order = json.loads((folder / "workload.json").read_text())
    workload, settings = order["workload"], order["settings"]
    size = workload["hardware"]
    name = f"{settings['cgroup']}-{os.getpid()}"
    groups = isolate.make_cgroup(name, size["memory_bytes"], size["cpu"]) if os.geteuid() == 0 and settings["cgroups"] else []
    prepare.write_whole(folder / "process.json", json.dumps({**myself(), "groups": [str(each) for each in groups]}))
    running = unit.Unit(folder, workload, settings, groups)
    try:
        running.layer = environments.ensure(workload, settings, groups, running.hear)
        running.hear({"phase": "starting", "message": "Starting"})
        reports = start(running)
    except prepare.Refused as refused:
        running.finish({"exit_code": 1, **refused.as_dict()})
        isolate.remove(groups)
        return
    except Stopped:
        running.finish({"exit_code": 143, "code": "", "message": "It was stopped while it was being prepared.", "path": ""})
        isolate.remove(groups)
        return
    running.attend(reports)


class Stopped(Exception):
    """Somebody asked us to end before the work had begun."""


def asked_to_stop(*_: object) -> None:
    raise Stopped


def myself() -> dict[str, object]:
    """This process, so that a pid used again is never taken for it."""
    with open("/proc/self/stat") as stat, open("/proc/sys/kernel/random/boot_id") as boot:
        return {"pid": os.getpid(), "started": stat.read().rpartition(")")[2].split()[19], "boot": boot.read().strip()}


def start(running: unit.Unit) -> int:
    """Start the work below us. The pipe on which its preparation reports, which ends when the command stands in its place."""
    isolate.adopt_orphans()
    reading, writing = os.pipe()
    # No signal may come between the fork and the handlers that know of the child.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR1})
    running.started = time.monotonic()
    running.child = os.fork()
    if running.child == 0:
        os.close(reading)
        run_child(running, writing)
    os.close(writing)
    running.own_signals()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGUSR1})
    return reading


def run_child(running: unit.Unit, reports: int) -> None:
    """In the child: enter the world, prepare, and become the command. Never returns."""

    def report(message: dict) -> None:
        os.write(reports, json.dumps(message).encode() + b"\n")

    try:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGUSR1})
        isolate.enter(running.groups)
        if not running.groups:
            isolate.hold_to_cores(running.workload["hardware"]["cpu"])
        recorder.world(running.folder, running.settings)
        isolate.become(running.settings["uid"])
        os.umask(0o077)
        prepare.run(running.folder, running.workload, running.settings, running.layer, report)
    except prepare.Refused as refused:
        report({"refused": refused.as_dict()})
        print(refused.message, file=sys.stderr, flush=True)
        os._exit(1)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def record(folder: Path) -> int:
    """Take the record of a unit, live or ended, in a world like its own. The exit code."""
    order = json.loads((folder / "workload.json").read_text())
    workload, settings = order["workload"], order["settings"]
    taken = recorder.Recorder(folder, workload, settings, environments.kept(workload, settings))
    taken.read_to_end()
    return 0 if taken.finish() else 1


if __name__ == "__main__":
    if sys.argv[2:] == ["record"]:
        sys.exit(record(Path(sys.argv[1])))
    main(Path(sys.argv[1]))
