"""Environment records: what work ran on, by content; and what differs between two."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

# The parts that make an environment what it is; hardware, time and code are kept beside each use of it.
SOFTWARE = ("os", "interpreters", "python", "conda", "r")
KINDS = ("python", "r", "conda", "os")


def digest(record: Mapping[str, Any]) -> str:
    """SHA-256 in hex over the software part, so the same software has the same name wherever it was met."""
    return hashlib.sha256(json.dumps({key: record.get(key) for key in SOFTWARE}, sort_keys=True).encode()).hexdigest()


def difference(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What was added, removed and changed from `a` to `b`, for each kind of package."""
    found = {}
    for kind in KINDS:
        old, new = _packages(a, kind), _packages(b, kind)
        found[kind] = {
            "added": {name: new[name] for name in sorted(new.keys() - old.keys())},
            "removed": {name: old[name] for name in sorted(old.keys() - new.keys())},
            "changed": {name: [old[name], new[name]] for name in sorted(old.keys() & new.keys()) if old[name] != new[name]},
        }
    return found


def _packages(record: Mapping[str, Any], kind: str) -> Mapping[str, str]:
    part: Mapping[str, Any] = record.get(kind) or {}
    return part.get("packages", {}) if kind == "os" else part
