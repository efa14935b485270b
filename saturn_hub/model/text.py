"""Text that can be kept: no database and no process takes a NUL character or half of a surrogate pair."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from saturn_hub.errors import Problem

UNKEEPABLE = re.compile("[\0\ud800-\udfff]")
DEPTH_MAXIMUM = 30


def problem(value: str) -> str:
    """Why `value` cannot be kept, empty where it can."""
    found = UNKEEPABLE.search(value)
    if not found:
        return ""
    return "has a NUL character in it" if found[0] == "\0" else "has half of a character in it (a lone surrogate)"


def shown(value: str) -> str:
    """`value` for a sentence: short, and without what cannot be written."""
    return UNKEEPABLE.sub("\ufffd", value[:100])


def problems(value: Any, path: str = "", depth: int = 0) -> list[Problem]:
    """Every text and key within plain JSON data that cannot be kept, with its path."""
    if depth > DEPTH_MAXIMUM:
        return [Problem("too_deep", f"This is nested more than {DEPTH_MAXIMUM} levels deep.", path)]
    found: list[Problem] = []
    if isinstance(value, str):
        if reason := problem(value):
            found.append(Problem("bad_text", f"This text {reason}.", path))
    elif isinstance(value, Mapping):
        for key, each in value.items():
            inner = f"{path}.{shown(str(key))}" if path else shown(str(key))
            if not isinstance(key, str):
                found.append(Problem("bad_key", f"The key '{shown(str(key))}' is not text. Put it in quotes.", inner))
            elif reason := problem(key):
                found.append(Problem("bad_text", f"This key {reason}.", inner))
            found += problems(each, inner, depth + 1)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            found += problems(each, f"{path}[{index}]", depth + 1)
    return found
