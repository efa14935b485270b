"""Sets JupyterHub up for Saturn Hub on one machine. What the admin's own file sets afterwards wins."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from saturn_hub.hub import client

SERVICE = "saturn"
PREFIX = f"/services/{SERVICE}/"
SCOPES = ["list:users", "read:users", "read:groups", "list:groups", "servers", "admin:server_state", "admin:users", "admin:groups", "shares", "read:hub"]


def configure(c: Any) -> None:
    """Fill in the configuration. Expects the folder and the ports that `saturn hub start` made."""
    home = client.home()
    ports = json.loads((home / "service" / "ports.json").read_text())
    os.environ["SATURN_SERVICE_URL"] = f"http://127.0.0.1:{ports['service']}{PREFIX.rstrip('/')}"
    _hub(c, home, ports)
    _people(c)
    _spawner(c)
    _service(c, home, ports)


def _hub(c: Any, home: Path, ports: dict[str, int]) -> None:
    c.JupyterHub.bind_url = f"http://{os.environ.get('HUB_IP', '127.0.0.1')}:{ports['hub']}"
    c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{ports['hub_api']}"
    c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{ports['proxy_api']}"
    c.ConfigurableHTTPProxy.command = ["configurable-http-proxy", "--log-level=warn"]
    c.ConfigurableHTTPProxy.pid_file = str(home / "hub" / "proxy.pid")
    c.JupyterHub.db_url = f"sqlite:///{home / 'hub' / 'jupyterhub.sqlite'}"
    c.JupyterHub.cookie_secret_file = str(home / "hub" / "cookie_secret")
    c.JupyterHub.default_url = PREFIX
    c.JupyterHub.allow_named_servers = True
    c.JupyterHub.template_paths = [str(Path(__file__).with_name("templates"))]
    # Work goes on while the hub restarts.
    c.JupyterHub.cleanup_servers = False


def _people(c: Any) -> None:
    """Our sign-in, unless the admin chose one."""
    if "authenticator_class" in c.JupyterHub:
        return
    from saturn_hub.hub.authenticator import SaturnAuthenticator

    c.JupyterHub.authenticator_class = SaturnAuthenticator
    # The file says who there is: whoever has a password in it may come in.
    c.SaturnAuthenticator.allow_all = True
    c.SaturnAuthenticator.manage_groups = True


def _spawner(c: Any) -> None:
    from saturn_hub.hub.local_spawner import SaturnLocalSpawner

    c.JupyterHub.spawner_class = SaturnLocalSpawner
    # Cloning and installing come before the server answers.
    c.SaturnLocalSpawner.start_timeout = 900
    c.SaturnLocalSpawner.http_timeout = 120


def _service(c: Any, home: Path, ports: dict[str, int]) -> None:
    url = f"http://127.0.0.1:{ports['service']}"
    environment = {
        "SATURN_HOME": str(home),
        "SATURN_IMAGES": str(client.images()),
        "HUB_PORT": str(ports["hub"]),
        "APPS_PORT": str(ports["apps"]),
        "SATURN_INTERNAL_TOKEN_FILE": str(home / "service" / "internal.token"),
        "SATURN_SERVICE_URL": url + PREFIX.rstrip("/"),
    }
    # A fixed token, so that a service which outlived the hub goes on being let in.
    token = (home / "service" / "service.token").read_text().strip()
    command = [sys.executable, "-m", "saturn_hub.web"]
    service = {"name": SERVICE, "url": url, "command": command, "api_token": token, "oauth_no_confirm": True, "environment": environment}
    c.JupyterHub.services = [*c.JupyterHub.get("services", []), {**service, "cwd": str(Path(__file__).parents[2])}]
    roles = [
        {"name": SERVICE, "scopes": SCOPES, "services": [SERVICE]},
        {"name": "user", "scopes": ["self", f"access:services!service={SERVICE}"]},
    ]
    c.JupyterHub.load_roles = [*c.JupyterHub.get("load_roles", []), *roles]
    c.JupyterHub.extra_user_scopes = [f"access:services!service={SERVICE}"]
