"""The units that live, by one small file each in `live/`, and what each has of the machine. Work costs nothing once it has ended.

A file is written before its unit is made and dropped after the unit's end was seen, always under one lock that the hub's process
and the service share, so that what is handed out never exceeds what there is, and a reader that died anywhere leaves nothing wrong:
a file without a unit is dropped by whoever reserves next.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Reservation:
    """What one unit has of the machine: bytes, and GPUs by their numbers."""

    memory_bytes: int
    gpus: tuple[int, ...] = ()


class Live:
    """The live set of one SATURN_HOME."""

    def __init__(self, home: Path) -> None:
        self.folder, self._lock = home / "live", home / "live.lock"
        self.folder.mkdir(mode=0o700, exist_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of all processes over this folder."""
        with open(self._lock, "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def names(self) -> list[str]:
        return [each.name for each in self.folder.iterdir() if not each.name.endswith(".part")]

    def reservations(self) -> dict[str, Reservation]:
        """What each live unit has; one that ended meanwhile is left out."""
        found = {}
        for name in self.names():
            try:
                known = json.loads((self.folder / name).read_text())
            except FileNotFoundError:
                continue
            found[name] = Reservation(known["memory_bytes"], tuple(known["gpus"]))
        return found

    def add(self, name: str, reservation: Reservation) -> None:
        """Write it down whole. Call it under the lock."""
        part = self.folder / f"{name}.part"
        part.write_text(json.dumps(asdict(reservation)))
        part.replace(self.folder / name)

    def drop(self, name: str) -> None:
        """Call it under the lock, after a look that the unit has really ended."""
        (self.folder / name).unlink(missing_ok=True)
