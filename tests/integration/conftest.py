"""Signed-in people of the running hub, for every test that acts as one of them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

BASE = "/services/saturn"
SECONDS = 60


class Session:
    """A signed-in person: `api` for the HTTP API, `client` for everything else. `hub` is where."""

    def __init__(self, hub: Any, name: str) -> None:
        self.name, self.hub = name, hub
        self.client = httpx.Client(base_url=hub.url, follow_redirects=True, timeout=60)
        self.client.get("/hub/login")
        xsrf = next(each.value for each in self.client.cookies.jar if each.name == "_xsrf")
        self.client.post("/hub/login", params={"_xsrf": xsrf}, data={"username": name, "password": hub.passwords[name], "_xsrf": xsrf})
        found = re.search('data-xsrf="([^"]+)"', self.client.get(f"{BASE}/").text)
        assert found
        self.headers = {"X-XSRFToken": found[1]}

    def api(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self.client.request(method, f"{BASE}/api/v1{path}", headers={**self.headers, **more.pop("headers", {})}, **more)

    def make(self, **recipe: Any) -> dict[str, Any]:
        """A resource of theirs, of the size `small` and the image `local` where the recipe says no other."""
        made = self.api("POST", "/recipes", json={"schema": 1, "size": "small", "image": "local", **recipe})
        assert made.status_code == 201, made.text
        return made.json()

    def run(self, job: str, **body: Any) -> dict[str, Any]:
        """The run of a job of theirs, at its end."""
        started = self.api("POST", f"/jobs/{self.name}/{job}/runs", json=body)
        assert started.status_code == 201, started.text
        return self.api("GET", f"/runs/{started.json()['id']}?wait=30").json()

    def token(self, note: str = "a test") -> str:
        """A token of JupyterHub of theirs, as a script would use."""
        xsrf = re.search(r'xsrf_token: "([^"]+)"|data-xsrf="([^"]+)"|name="_xsrf" value="([^"]+)"', self.client.get("/hub/token").text)
        headers = {"X-XSRFToken": next(filter(None, xsrf.groups()))} if xsrf else {}
        made = self.client.post(f"/hub/api/users/{self.name}/tokens", json={"note": note}, headers=headers)
        assert made.status_code == 201, made.text
        return made.json()["token"]


def _session(hub: Any, name: str) -> Iterator[Session]:
    session = Session(hub, name)
    yield session
    session.client.close()


@pytest.fixture
def ada(hub: Any) -> Iterator[Session]:
    yield from _session(hub, "ada")


@pytest.fixture
def ben(hub: Any) -> Iterator[Session]:
    """Of ada's team."""
    yield from _session(hub, "ben")


@pytest.fixture
def eve(hub: Any) -> Iterator[Session]:
    """Of no team."""
    yield from _session(hub, "eve")


@pytest.fixture
def admin(hub: Any) -> Iterator[Session]:
    yield from _session(hub, "admin")


@pytest.fixture
def until() -> Callable[[Callable[[], Any]], Any]:
    """Wait for a condition; what it gave when it came to be."""

    def wait(condition: Callable[[], Any], seconds: float = SECONDS) -> Any:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := condition():
                return found
            time.sleep(0.1)
        raise AssertionError("it did not come to be")

    return wait
