"""Sign-in with a name and a password of this machine's own accounts, for a machine that has no other sign-in."""

from __future__ import annotations

import asyncio
from typing import Any

from jupyterhub.auth import Authenticator
from tornado import web

from saturn_hub.backends.local import accounts
from saturn_hub.hub import client


class SaturnAuthenticator(Authenticator):
    """Reads the accounts at each sign-in and each refresh, so that a change to them needs no restart."""

    async def authenticate(self, handler: Any, data: dict[str, str]) -> dict[str, Any] | None:
        """The person behind the name and the password, None for everything else."""
        name = data.get("username", "")
        account = await asyncio.to_thread(accounts.sign_in, client.home(), name, data.get("password", ""))
        # `team:growth` is how an owner that is a team is written: no person may look like one.
        if account is None or name.startswith("team:"):
            return None
        found = _told(name, account)
        try:
            await client.call("POST", "people", found)
        except client.ServiceDown:
            self.log.warning("The service does not answer; it learns of %s from the hub within a minute.", name)
        return found

    async def refresh_user(self, user: Any, handler: Any = None, **_ignored: Any) -> dict[str, Any] | bool:
        """What the account says now; False for one that was disabled or removed, whom the hub then sends to sign in."""
        account = accounts.read(client.home()).get(user.name)
        return False if account is None or account.disabled else _told(user.name, account)

    async def pre_spawn_start(self, user: Any, spawner: Any) -> None:
        """Whoever starts it, a disabled person's server stays down."""
        if await self.refresh_user(user) is False:
            raise web.HTTPError(403, f"{user.name} is disabled here: ask an admin.")


def _told(name: str, account: accounts.Account) -> dict[str, Any]:
    return {"name": name, "admin": account.admin, "groups": list(account.groups)}
