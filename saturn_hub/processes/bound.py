"""Runs a command that ends when its parent does: `bound.py PARENT_PID SIGNAL COMMAND…`. Needs the standard library alone.

The wish is made in the child itself, before it becomes the command, for the kernel keeps it across exec (prctl(2), PR_SET_PDEATHSIG).
A parent that died before that is noticed by its pid.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def bound(*words: str, number: signal.Signals = signal.SIGTERM) -> list[str]:
    """The command line of `words` as a child of this process that gets `number` when this process dies."""
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(int(number)), *words]


def die_with(parent: int, number: int) -> None:
    """Ask to be signalled when `parent` dies; where it is dead already, end."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "the kernel does not take a parent-death signal")
    if os.getppid() != parent:
        sys.exit(0)


if __name__ == "__main__":
    die_with(int(sys.argv[1]), int(sys.argv[2]))
    os.execvp(sys.argv[3], sys.argv[3:])
