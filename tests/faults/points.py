"""Points in a program at which it is ended by SIGKILL: just before or just after one call, so between a write and its effect.

The product has no hooks for this: calls are wrapped here.
"""

from __future__ import annotations

import functools
import inspect
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Point:
    """Before or after `owner.name` is called with arguments that `fits` takes."""

    owner: Any
    name: str
    after: bool
    fits: Callable[..., bool] = lambda *_words, **_named: True


def end() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def arm(point: Point) -> None:
    call = getattr(point.owner, point.name)
    assert inspect.iscoroutinefunction(call)

    @functools.wraps(call)
    async def armed(*words: Any, **named: Any) -> Any:
        fits = point.fits(*words, **named)
        if fits and not point.after:
            end()
        result = await call(*words, **named)
        if fits:
            end()
        return result

    setattr(point.owner, point.name, armed)
