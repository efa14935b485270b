"""What every spawner of Saturn Hub shares: what to run comes from the service, checked there and never here."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from tornado import web

from saturn_hub.hub import client
from saturn_hub.model.names import unit_name
from saturn_hub.model.workload import Workload


def checked_options(options: dict[str, Any] | None) -> dict[str, Any]:
    """The options in one of their three forms: nothing, a revision, or a recipe. Anything else is refused."""
    found = dict(options or {})
    if not found:
        return found
    if len(found) == 1:
        revision, recipe = found.get("revision"), found.get("recipe")
        if isinstance(revision, int) and not isinstance(revision, bool) and revision > 0:
            return found
        if isinstance(recipe, dict):
            return found
    raise web.HTTPError(400, 'user_options: give nothing, {"revision": N} or {"recipe": {...}}.')


class SaturnMixin:
    """Mixed into a spawner. Uses its `user`, `name`, `user_options` and `log`."""

    user: Any
    name: str
    user_options: dict[str, Any]
    log: Any
    orm_spawner: Any

    @property
    def unit(self) -> str:
        """The backend's name of this server, known without asking anybody."""
        return unit_name(self.user.name, self.name)

    async def _form(self, _spawner: Any = None) -> str:
        """The cards of the spawn page. With the service down the page still tells what is the matter."""
        try:
            return str((await client.call("GET", f"form?user={quote(self.user.name, safe='')}"))["html"])
        except client.ServiceDown:
            raise web.HTTPError(503, "The service of Saturn Hub does not answer. Try again in a minute.") from None

    @staticmethod
    def _from_form(data: dict[str, list[str]]) -> dict[str, Any]:
        """A chosen card as a recipe; a form without choices means the workspace as it is saved."""
        recipe = {key: data[key][0] for key in ("size", "image", "tool") if data.get(key) and data[key][0]}
        return {"recipe": recipe} if recipe else {}

    async def _session(self) -> tuple[Workload, str, str]:
        """Ask for a session. Gives what to run, the tool, and the page to open."""
        who = {"user": self.user.name, "admin": self.user.admin, "groups": [each.name for each in self.user.groups]}
        body = {**who, "server_name": self.name, "user_options": checked_options(self.user_options)}
        try:
            answer = await client.call("POST", "sessions", body)
        except client.ServiceDown as error:
            self.log.warning("No session for %s: %s", self.unit, error)
            raise web.HTTPError(409, "The service of Saturn Hub does not answer. Try again in a minute.") from error
        finally:
            # Options hold for one start. JupyterHub would use them again for a start that gives none.
            self.orm_spawner.user_options = None
        return Workload.from_json(answer["workload"]), answer["tool"], answer["default_url"]

    async def _tell(self, state: str, message: str = "") -> None:
        """Tell the service what became of the unit. It also looks for itself, so a lost word is not lost for good."""
        try:
            await client.call("PUT", f"sessions/by-unit/{quote(self.unit, safe='')}", {"state": state, "message": message}, seconds=5)
        except (client.ServiceDown, web.HTTPError) as error:
            self.log.warning("The service did not take %s as %s: %s", self.unit, state, error)
