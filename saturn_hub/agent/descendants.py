"""The processes below one, found by their parents: also those that began a session of their own."""

from __future__ import annotations

import os

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def below(root: int, without: int = 0) -> dict[int, int]:
    """Living descendants of `root` with their resident bytes, but for `without` and what is below it."""
    children: dict[int, list[tuple[int, int]]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as file:
                    fields = file.read().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] not in "ZX":
                children.setdefault(int(fields[1]), []).append((int(entry), int(fields[21]) * PAGE_BYTES))
    found, looked_at = {}, [root]
    while looked_at:
        for pid, resident in children.get(looked_at.pop(), ()):
            if pid != without:
                found[pid] = resident
                looked_at.append(pid)
    return found


def used_bytes(processes: dict[int, int], limit: int) -> int:
    """Memory of the processes together. Shared pages count once (PSS), which is only read where the quick sum is over `limit`."""
    quick = sum(processes.values())
    return quick if quick <= limit else sum(_proportional(pid, resident) for pid, resident in processes.items())


def _proportional(pid: int, resident: int) -> int:
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("Pss:")) * 1024
    except (OSError, StopIteration):
        return resident if os.path.exists(f"/proc/{pid}") else 0
