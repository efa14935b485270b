"""The hub is ended by SIGKILL while it starts or stops a workspace: afterwards there is one server or none, and pages, hub and machine agree."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from hub_points import START_POINTS, STOP_POINTS

from tests.integration.conftest import Session
from tests.integration.starting import ROOT, Started, eventually

CONFIG = Path(__file__).with_name("hub_config.py")
RECIPE = {"schema": 1, "kind": "workspace", "name": "desk", "size": "small", "image": "local", "tool": "jupyterlab"}


@pytest.fixture
def hub() -> Iterator[Started]:
    folder = Path(tempfile.mkdtemp(prefix="saturn-test-", dir="/var/tmp"))
    folder.chmod(0o711)
    variables = {"SATURN_TEST_FAULTS": str(CONFIG.parent), "SATURN_TEST_CONFIG_FILE": str(ROOT / "jupyterhub_config.py")}
    made = Started(folder / "home", config=CONFIG, variables=variables)
    yield made
    made.clean()
    shutil.rmtree(folder)


def start(hub: Started, point: str = "") -> Session:
    """The hub, killed at the point, and ada signed in."""
    hub.environment["SATURN_TEST_POINT"] = point
    hub.start()
    hub.ready()
    passwords = {each.name: each.read_text().strip() for each in (hub.home / "passwords").iterdir()}
    session = Session(_Address(hub, passwords), "ada")
    hub.clients.append(session.client)
    return session


class _Address:
    def __init__(self, hub: Started, passwords: dict[str, str]) -> None:
        self.url, self.passwords, self.home, self.apps_port = f"http://127.0.0.1:{hub.port}", passwords, hub.home, hub.apps_port


def dies_at(hub: Started, session: Session, action: str) -> None:
    """Ask for it; the hub does not live to answer."""
    with suppress(httpx.HTTPError):
        session.api("POST", f"/workspaces/ada/desk/{action}")
    assert hub.process
    process = hub.process
    eventually(lambda: process.poll() is not None, "the hub was killed, and its launcher ended")


def seen(session: Session) -> dict[str, Any]:
    return dict(session.api("GET", "/recipes/workspace/ada/desk").json())


def opens(session: Session) -> bool:
    return session.client.get("/user/ada/desk/api").status_code == 200


def servers(hub: Started) -> int:
    return len(hub.processes("jupyterhub-singleuser"))


@pytest.mark.parametrize("point", START_POINTS)
def test_a_workspace_starts_once_after_the_hub_was_killed_where(hub, point):
    ada = start(hub, point)
    assert ada.api("POST", "/recipes", json=RECIPE).status_code == 201
    dies_at(hub, ada, "start")
    ada = start(hub)
    assert seen(ada)["revision"] == 1
    eventually(lambda: opens(ada) or seen(ada)["state"] in ("stopped", "failed"), "the hub has it again, or it was ended", 60)
    if not opens(ada):
        eventually(lambda: servers(hub) == 0, "nothing of it runs on")
        ada.api("POST", "/workspaces/ada/desk/start")
    eventually(lambda: opens(ada) and seen(ada)["state"] == "running", "it opens", 60)
    assert servers(hub) == 1
    states = [each["state"] for each in ada.api("GET", "/sessions").json()["items"]]
    assert [each for each in states if each in ("starting", "running", "stopping")] == ["running"]


@pytest.mark.parametrize("point", STOP_POINTS)
def test_a_workspace_stops_after_the_hub_was_killed_where(hub, point):
    ada = start(hub)
    assert ada.api("POST", "/recipes", json=RECIPE).status_code == 201
    ada.api("POST", "/workspaces/ada/desk/start")
    eventually(lambda: opens(ada), "it opens", 60)
    hub.end()
    ada = start(hub, point)
    assert servers(hub) == 1
    dies_at(hub, ada, "stop")
    ada = start(hub)
    if point == "a session is about to be written as stopping":
        # Nothing of the wish was written anywhere: the server is as it was, and stops when asked again.
        assert seen(ada)["state"] == "running"
        ada.api("POST", "/workspaces/ada/desk/stop")
    eventually(lambda: seen(ada)["state"] == "stopped", "the page says so", 60)
    eventually(lambda: servers(hub) == 0, "nothing of it runs on")
    ada.api("POST", "/workspaces/ada/desk/start")
    eventually(lambda: opens(ada) and seen(ada)["state"] == "running", "it opens again", 60)
    assert servers(hub) == 1
