"""The states of runs, app versions and workspace sessions, and the only changes among them that are legal."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar


class RunState(StrEnum):
    """A run, one of its steps, or an attempt. SKIPPED is of steps alone."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    LOST = "lost"
    SKIPPED = "skipped"


class VersionState(StrEnum):
    DEPLOYING = "deploying"
    SERVING = "serving"
    SLEEPING = "sleeping"
    FAILED = "failed"
    STOPPED = "stopped"
    RETIRED = "retired"


class SessionState(StrEnum):
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


FINAL_RUN = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED, RunState.TIMED_OUT, RunState.LOST, RunState.SKIPPED})
LIVE_VERSION = frozenset({VersionState.DEPLOYING, VersionState.SERVING})
LIVE_SESSION = frozenset({SessionState.STARTING, SessionState.RUNNING, SessionState.STOPPING})

_R, _V, _S = RunState, VersionState, SessionState
_ENDS = {_R.SUCCEEDED, _R.FAILED, _R.TIMED_OUT, _R.LOST, _R.CANCELLED}
RUN_CHANGES: dict[RunState, set[RunState]] = {
    _R.QUEUED: {_R.STARTING, _R.CANCELLED, _R.FAILED, _R.SKIPPED},
    _R.STARTING: {_R.RUNNING, _R.STOPPING, _R.QUEUED, *_ENDS},
    _R.RUNNING: {_R.STOPPING, *_ENDS},
    _R.STOPPING: {_R.CANCELLED, _R.SUCCEEDED, _R.FAILED, _R.TIMED_OUT, _R.LOST},
}
VERSION_CHANGES: dict[VersionState, set[VersionState]] = {
    _V.DEPLOYING: {_V.SERVING, _V.FAILED, _V.STOPPED, _V.RETIRED},
    _V.SERVING: {_V.SLEEPING, _V.FAILED, _V.STOPPED, _V.RETIRED, _V.DEPLOYING},
    _V.SLEEPING: {_V.DEPLOYING, _V.STOPPED, _V.RETIRED},
    _V.FAILED: {_V.DEPLOYING, _V.RETIRED, _V.STOPPED},
    _V.STOPPED: {_V.DEPLOYING, _V.RETIRED},
}
SESSION_CHANGES: dict[SessionState, set[SessionState]] = {
    _S.STARTING: {_S.RUNNING, _S.STOPPING, _S.STOPPED, _S.FAILED},
    _S.RUNNING: {_S.STOPPING, _S.STOPPED, _S.FAILED},
    _S.STOPPING: {_S.STOPPED, _S.FAILED},
}


State = TypeVar("State", bound=StrEnum)


class IllegalTransition(Exception):
    """A change that no table allows: a bug of ours, never of a person's input."""


def change(table: dict[State, set[State]], old: State, new: State) -> State:
    """`new` if the table allows it after `old` (staying is always allowed)."""
    if new != old and new not in table.get(old, set()):
        raise IllegalTransition(f"{old} cannot become {new}")
    return new
