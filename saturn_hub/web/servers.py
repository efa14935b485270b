"""The hub's REST API, as far as the service uses it: start and stop a person's named server."""

from __future__ import annotations

import json
from urllib.parse import quote

from tornado.httpclient import AsyncHTTPClient, HTTPClientError

from saturn_hub.errors import Conflict, Unavailable


class Servers:
    """Starts and stops workspaces, which are named servers of the hub."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url, token

    async def act(self, user: str, name: str, action: str) -> None:
        """`start` or `stop` the server. Doing it again changes nothing. Raises Conflict with the hub's own sentence."""
        server = "" if name == "default" else name
        path = f"{self.url}/users/{quote(user)}/{'servers/' + server if server else 'server'}"
        body = "{}" if action == "start" else None
        try:
            await AsyncHTTPClient().fetch(
                path, method="POST" if action == "start" else "DELETE", body=body, headers={"Authorization": f"token {self.token}"}, request_timeout=30
            )
        except HTTPClientError as error:
            said = _message(error)
            if error.code == 400 and "already running" in said:
                return
            if error.code == 404 and action == "stop":
                return
            raise Conflict(said, code="hub_refused") from error
        except OSError as error:
            raise Unavailable("JupyterHub does not answer. Try again in a moment.") from error


def _message(error: HTTPClientError) -> str:
    try:
        return str(json.loads(error.response.body)["message"]) if error.response else str(error)
    except (ValueError, KeyError):
        return str(error)
