"""Somebody who opens apps through the gateway of the running hub: with a browser's cookies, with a token, or with nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

BROWSER = {"Accept": "text/html"}


def get(hub: Any, host: str, path: str = "/", method: str = "GET", **headers: str) -> httpx.Response:
    """One request to the app at `host`, as a program sends it."""
    return httpx.request(method, f"http://127.0.0.1:{hub.apps_port}{path}", headers={"Host": name(hub, host), **headers}, timeout=30)


def name(hub: Any, host: str) -> str:
    return f"{host}.apps.localhost:{hub.apps_port}"


def deploy(session: Any, app: str, until: Callable[..., Any]) -> str:
    """Deploy an app of theirs and wait until its newest version serves. Gives its host."""
    made = session.api("POST", f"/apps/{session.name}/{app}/deploy", json={})
    assert made.status_code == 202, made.text
    number = made.json()["number"]
    versions = until(lambda: ended_or_serving(session, app, number))
    assert versions[0]["state"] == "serving", f"{versions[0]} {session.api('GET', f'/apps/{session.name}/{app}/logs').text[-2000:]}"
    return str(session.api("GET", f"/recipes/app/{session.name}/{app}").json()["host"])


def ended_or_serving(session: Any, app: str, number: int) -> list[dict[str, Any]]:
    """The versions from `number` down, once that one is more than deploying."""
    found = session.api("GET", f"/apps/{session.name}/{app}/versions").json()["items"]
    kept = [each for each in found if each["number"] <= number]
    return kept if kept[0]["state"] != "deploying" else []


def sign_in(hub: Any, session: Any, host: str, path: str = "/") -> tuple[httpx.Response, dict[str, str]]:
    """Open an app in the browser of `session`, through every redirect. Gives the last answer and the cookies kept for the app's host.

    A browser finds `*.localhost` by itself; here the redirects are followed by hand to 127.0.0.1 with the Host that they name.
    """
    cookies: dict[str, str] = {}
    url = f"http://{name(hub, host)}{path}"
    for _ in range(12):
        parts = urlsplit(url)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        if parts.port == hub.apps_port:
            sent = {"Host": parts.netloc, "Cookie": "; ".join(f"{key}={value}" for key, value in cookies.items()), **BROWSER}
            answer = httpx.get(f"http://127.0.0.1:{hub.apps_port}{target}", headers=sent)
            cookies.update(answer.cookies.items())
        else:
            answer = session.client.get(target, headers=BROWSER, follow_redirects=False)
        if answer.status_code not in (302, 303, 307):
            return answer, cookies
        url = urljoin(url, answer.headers["Location"])
    raise AssertionError(f"redirects without end, the last to {url}")
