"""Sessions that the hub forgot, for it was killed while it started or stopped them: found by asking it, and brought to their end."""

from __future__ import annotations

import asyncio
import logging

from saturn_hub.engine import workspaces
from saturn_hub.engine.context import Context, key_of
from saturn_hub.errors import SaturnError, Unavailable
from saturn_hub.model.states import SessionState
from saturn_hub.store import lives, resources
from saturn_hub.store.database import Row
from saturn_hub.web.servers import Servers

log = logging.getLogger("saturn.forgotten")
# A session of before this service began is the hub's to know by then; a newer one has to be missing in two looks.
FIRST_LOOK_SECONDS = 4.0
LOOK_SECONDS = 30.0
FORGOTTEN = "The hub was restarted and does not know this server any more. Start it again: the files are as they were."


class Forgotten:
    """One look compares what is open here with what the hub runs. Costs nothing while nothing is open."""

    def __init__(self, context: Context, servers: Servers) -> None:
        self.context, self.servers = context, servers
        self.began, self.suspects = context.now(), set[str]()

    async def run(self) -> None:
        """Until cancelled."""
        await asyncio.sleep(FIRST_LOOK_SECONDS)
        while True:
            try:
                await self.look()
            except Unavailable:
                log.info("The hub does not answer yet; its servers are looked at later")
            except Exception:
                log.exception("The hub's servers could not be compared with the sessions; this is tried again")
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        async with self.context.database.read() as connection:
            sessions = await lives.open_sessions(connection)
        if not sessions:
            self.suspects.clear()
            return
        active = await self.servers.active()
        odd = [each for each in sessions if each["unit"] not in active or (each["state"] == SessionState.STOPPING and not active[each["unit"]])]
        for session in odd:
            if session["id"] in self.suspects or session["created_at"] < self.began:
                await self._end(session, known=session["unit"] in active)
        self.suspects = {each["id"] for each in odd}

    async def _end(self, session: Row, *, known: bool) -> None:
        """Finish a stop that the hub began; end a server that nobody can reach any more."""
        try:
            if known:
                async with self.context.database.read() as connection:
                    row = await resources.get(connection, session["resource_id"])
                    assert row is not None
                    key = await key_of(connection, row)
                await self.servers.act(key.owner.name, key.name, "stop")
            else:
                await self.context.backend.stop(session["unit"])
                await workspaces.tell(self.context, session["unit"], SessionState.STOPPED, FORGOTTEN)
        except SaturnError as error:
            log.warning("The session %s could not be ended yet: %s", session["id"], error.message)
