"""Somebody's own hub gains Saturn Hub by one line, and keeps its people, its running server and its settings."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from saturn_hub.hub.client import node
from saturn_hub.hub.kept import free_port
from tests.integration.starting import ROOT, Started, eventually

pytestmark = pytest.mark.xdist_group("starting")
IMAGES = ROOT / ".images"
STOCK = """
from jupyterhub.auth import DummyAuthenticator
from jupyterhub.spawner import SimpleLocalProcessSpawner

c = get_config()
c.JupyterHub.bind_url = "http://127.0.0.1:{port}/data/"
c.JupyterHub.hub_port = {hub_port}
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_port}"
c.ConfigurableHTTPProxy.command = ["{node}", "{proxy}"]
c.JupyterHub.db_url = "sqlite:///{folder}/mine.sqlite"
c.ConfigurableHTTPProxy.pid_file = "{folder}/proxy.pid"
c.JupyterHub.cookie_secret_file = "{folder}/secret"
c.JupyterHub.authenticator_class = DummyAuthenticator
c.DummyAuthenticator.password = "ours"
c.DummyAuthenticator.allow_all = True
c.Authenticator.admin_users = {{"root-of-all"}}
c.JupyterHub.spawner_class = SimpleLocalProcessSpawner
c.SimpleLocalProcessSpawner.home_dir_template = "{folder}/homes/{{username}}"
c.Spawner.cmd = ["{bin}/jupyterhub-singleuser", "--allow-root"]
c.Spawner.http_timeout = 77
c.JupyterHub.cleanup_servers = False
c.JupyterHub.template_paths = ["{folder}/templates"]
c.JupyterHub.services.append({{"name": "watcher", "api_token": "{token}"}})
c.JupyterHub.load_roles = [{{"name": "watch", "scopes": ["list:users"], "services": ["watcher"]}}, {{"name": "user", "scopes": ["self"]}}]
"""
TOKEN = "a-token-of-the-watcher-service-0123456789"


@pytest.fixture
def stock() -> Iterator[Started]:
    folder = Path(tempfile.mkdtemp(prefix="saturn-stock-", dir="/var/tmp"))
    folder.chmod(0o711)
    one = Started(folder / "home", config=folder / "jupyterhub_config.py")
    for name in ("homes/mia", "templates"):
        (folder / name).mkdir(parents=True)
    (folder / "templates" / "login.html").write_text('{% extends "templates/login.html" %}{% block main %}{{ super() }}<p>Our own hub</p>{% endblock %}')
    values = {"port": one.port, "hub_port": free_port({one.port}), "proxy_port": free_port({one.port}), "folder": folder, "token": TOKEN, "node": node()}
    programs = {"bin": IMAGES / "local" / "bin", "proxy": IMAGES / "proxy" / "node_modules" / ".bin" / "configurable-http-proxy"}
    one.config.write_text(STOCK.format(**values, **programs))
    one.environment["PATH"] = f"{Path(sys.executable).parent}:{one.environment['PATH']}"
    yield one
    one.clean()
    shutil.rmtree(folder)


def start(one: Started) -> None:
    """`jupyterhub -f …`, as its admin always did."""
    one.start([sys.executable, "-m", "jupyterhub", "-f", str(one.config)])
    process = one.process
    eventually(
        lambda: process.poll() is not None or httpx.get(f"http://127.0.0.1:{one.port}/data/hub/health", trust_env=False).status_code == 200, "the hub answers"
    )
    assert process.poll() is None, one.said[-3000:]


def hub_api(mia: httpx.Client, method: str, path: str) -> httpx.Response:
    return mia.request(method, f"/hub/api/{path}", headers={"X-XSRFToken": mia.cookies.get("_xsrf", path="/data/hub/") or "", "Referer": str(mia.base_url)})


def running(mia: httpx.Client) -> bool:
    return bool(hub_api(mia, "GET", "users/mia").json()["servers"].get("", {}).get("ready"))


def test_a_stock_hub_gains_the_product_and_keeps_people_servers_and_settings(stock):
    start(stock)
    mia = stock.browser("mia", "ours", "/data")
    assert hub_api(mia, "POST", "users/mia/server").status_code in (201, 202)
    eventually(lambda: running(mia), "the server of JupyterHub's own spawner runs")
    assert mia.get("/user/mia/lab").status_code == 200
    assert stock.end() == 0

    stock.config.write_text(stock.config.read_text() + "\nimport saturn_hub\nsaturn_hub.configure(c)\n")
    start(stock)
    assert "Our own hub" in httpx.get(f"http://127.0.0.1:{stock.port}/data/hub/login", trust_env=False).text
    mia = stock.browser("mia", "ours", "/data")
    assert mia.get("/user/mia/lab").status_code == 200, "the server of before is still reachable"
    assert hub_api(mia, "DELETE", "users/mia/server").status_code in (202, 204)
    eventually(lambda: not hub_api(mia, "GET", "users/mia").json()["servers"], "it is stopped")
    eventually(lambda: not stock.processes("jupyterhub-singleuser"), "its process has ended")

    api = "/services/saturn/api/v1"
    me = eventually(lambda: (found := mia.get(f"{api}/me")).status_code == 200 and found.json(), "the product is there")
    assert me["name"] == "mia"
    answer = hub_api(mia, "POST", "users/mia/server")
    assert answer.status_code in (201, 202), answer.text
    eventually(lambda: running(mia), "it starts as a workspace")
    eventually(lambda: stock.processes("launch.py"), "it is a unit of Saturn Hub's")
    assert mia.get("/user/mia/lab").status_code == 200
    assert mia.get(f"{api}/recipes/workspace/mia/default").json()["state"] == "running"

    watcher = httpx.get(f"http://127.0.0.1:{stock.port}/data/hub/api/users", headers={"Authorization": f"token {TOKEN}"}, trust_env=False)
    assert {each["name"] for each in watcher.json()} == {"mia", "root-of-all"}, "the service and role of before are there"
    assert (stock.home.parent / "mine.sqlite").exists() and not (stock.home / "hub" / "jupyterhub.sqlite").exists()
    assert not (stock.home / "people.json").exists(), "nobody was made"
    assert stock.end() == 0


def test_a_wrong_setting_stops_a_stock_hub_with_its_sentence(stock):
    stock.config.write_text(stock.config.read_text() + "\nimport saturn_hub\nsaturn_hub.configure(c, colour=1)\n")
    done = subprocess.run(
        [sys.executable, "-m", "jupyterhub", "-f", str(stock.config)], env=stock.environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith(f"{stock.config}: configure(c, colour=…): There is no setting 'colour'")
    assert "Traceback" not in done.stderr
