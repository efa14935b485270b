"""The hub's REST API, as far as the service uses it: who there is, which servers run, start and stop one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote, urlencode

from tornado.httpclient import AsyncHTTPClient, HTTPClientError

from saturn_hub.errors import Conflict, Unavailable
from saturn_hub.model.names import unit_name

PAGE = 200
# What the hub's API calls a page of a list, with where the next one begins.
PAGINATION = "application/jupyterhub-pagination+json"


class Servers:
    """The hub's people and their named servers, which are our workspaces."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.headers = url, {"Authorization": f"token {token}"}

    async def act(self, user: str, name: str, action: str) -> None:
        """`start` or `stop` the server. Doing it again changes nothing. Raises Conflict with the hub's own sentence."""
        server = "" if name == "default" else name
        path = f"{self.url}/users/{quote(user)}/{'servers/' + server if server else 'server'}"
        body = "{}" if action == "start" else None
        try:
            await AsyncHTTPClient().fetch(path, method="POST" if action == "start" else "DELETE", body=body, headers=self.headers, request_timeout=30)
        except HTTPClientError as error:
            said = _message(error)
            if error.code == 400 and "already running" in said:
                return
            if error.code == 404 and action == "stop":
                return
            raise Conflict(said, code="hub_refused") from error
        except OSError as error:
            raise Unavailable("JupyterHub does not answer. Try again in a moment.") from error

    async def active(self) -> dict[str, bool]:
        """The unit of each server that the hub runs, and whether it is just being started or stopped; page by page. Raises Unavailable."""
        found: dict[str, bool] = {}
        async for page in self.users(state="active"):
            for user in page:
                found |= {unit_name(user["name"], name): bool(server["pending"]) for name, server in user["servers"].items()}
        return found

    async def users(self, **wanted: str) -> AsyncIterator[list[dict[str, Any]]]:
        """The hub's users, some at a time. Raises Unavailable."""
        offset = 0
        while True:
            query = urlencode({**wanted, "offset": offset, "limit": PAGE})
            try:
                answer = await AsyncHTTPClient().fetch(f"{self.url}/users?{query}", headers={**self.headers, "Accept": PAGINATION}, request_timeout=60)
            except (OSError, HTTPClientError) as error:
                raise Unavailable("JupyterHub does not answer. Try again in a moment.") from error
            page = json.loads(answer.body)
            yield page["items"]
            following = page["_pagination"]["next"]
            if not following:
                return
            offset = following["offset"]


def _message(error: HTTPClientError) -> str:
    try:
        return str(json.loads(error.response.body)["message"]) if error.response else str(error)
    except (ValueError, KeyError):
        return str(error)
