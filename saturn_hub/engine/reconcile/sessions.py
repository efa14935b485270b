"""Sees how workspace sessions are, where the hub's own word of it was lost: the hub or the service was killed, or the machine restarted."""

from __future__ import annotations

from datetime import timedelta

from saturn_hub.backends.base import Phase, Status
from saturn_hub.engine import workspaces
from saturn_hub.engine.context import Context
from saturn_hub.engine.reconcile.work import Background
from saturn_hub.model.states import SessionState
from saturn_hub.store.database import Row

# A start that the hub gave up, or forgot when it was killed: its own limit is below.
NEVER_STARTED = timedelta(minutes=16)
LOOK_SECONDS = 30.0


class Sessions:
    def __init__(self, context: Context, background: Background) -> None:
        self.context, self.background = context, background

    async def move(self, session: Row, status: Status) -> float | None:
        """Write down what became of one session. The unit's name is the workspace's, so only a unit of this session's time counts."""
        state = SessionState(session["state"])
        mine = status.started_at is not None and status.started_at >= session["created_at"] - timedelta(seconds=1)
        if status.phase is Phase.ENDED and mine:
            clean = state is SessionState.STOPPING or (status.exit_code == 0 and not status.code)
            message = f"{status.path}: {status.message}" if status.path else status.message
            said = message or ("" if clean else f"The server ended with exit code {status.exit_code}; its log tells why.")
            await self._tell(session, SessionState.STOPPED if clean else SessionState.FAILED, "" if clean else said)
        elif status.phase is Phase.RUNNING and mine and state is SessionState.STARTING:
            await self._tell(session, SessionState.RUNNING, "")
        elif status.phase is Phase.GONE and state is not SessionState.STARTING:
            await self._tell(session, SessionState.STOPPED, "Nothing is left of its server.")
        elif state is SessionState.STARTING:
            if self.context.now() - session["created_at"] > NEVER_STARTED:
                await self._tell(session, SessionState.FAILED, "The hub did not start it: it was restarted meanwhile. Start it again.")
            return LOOK_SECONDS
        return None

    async def _tell(self, session: Row, state: SessionState, message: str) -> None:
        changed = await workspaces.tell(self.context, session["unit"], state, message)
        if changed and state is not SessionState.FAILED:
            moment = "start" if state is SessionState.RUNNING else "stop"
            self.background.begin(f"record of session {session['id']} at {moment}", workspaces.record(self.context, changed, moment))
