"""A uid of its own for each owner, kept for good in `uids.json`."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

from saturn_hub.model.workload import Owner

# The two that install packages for all, and above them the owners.
FETCHER_UID, BUILDER_UID = 60_999, 61_000


def uid_of(home: Path, owner: Owner) -> int | None:
    """The uid of an owner, given out at the first call; None where we are not root and all share ours."""
    if one_trust_domain(home):
        return None
    file = home / "uids.json"
    with open(home / "uids.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        uids: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
        if str(owner) not in uids:
            uids[str(owner)] = max(uids.values(), default=BUILDER_UID) + 1
            part = file.with_suffix(".part")
            part.touch(mode=0o600)
            part.write_text(json.dumps(uids))
            part.replace(file)
        return uids[str(owner)]


def one_trust_domain(home: Path) -> bool:
    """Whether everyone's work runs as we do: we are not root, or other users cannot pass to where our programs are."""
    return os.geteuid() != 0 or mark_of(home).exists()


def mark_of(home: Path) -> Path:
    """The file that says so where we are root: it names the folder that others cannot pass."""
    return home / "one-trust-domain"


def own(folder: Path, uid: int | None) -> None:
    """Make a folder that is its owner's alone."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    if uid is not None:
        os.chown(folder, uid, uid)
