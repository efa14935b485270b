"""Sets JupyterHub up for Saturn Hub. What the admin's own file sets wins; lists of theirs are added to."""

from __future__ import annotations

import inspect
import json
import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from traitlets.config import Config
from traitlets.config.loader import LazyConfigValue

from saturn_hub.backends.local import accounts
from saturn_hub.backends.local.owners import mark_of
from saturn_hub.errors import ConfigurationError, Problem
from saturn_hub.hub import kept
from saturn_hub.hub.settings import APPS_PORT_OFFSET, SaturnHub, port_of, read, refusal
from saturn_hub.model import catalog as catalogs
from saturn_hub.processes.bound import bound

SERVICE = "saturn"
SERVICE_SECONDS = 120
PROXY = "configurable-http-proxy"
SCOPES = ["list:users", "read:users", "read:groups", "list:groups", "servers", "admin:server_state", "admin:users", "admin:groups", "shares", "read:hub"]
ACCESS = f"access:services!service={SERVICE}"


def configure(c: Config, **options: Any) -> None:
    """Fill in `c`, make what has to be in SATURN_HOME, and leave the settings for the other parts in SATURN_SETTINGS.

    Something that is wrong ends the process with its sentence: no hub starts half configured.
    """
    try:
        settings = read(c, options, _source())
        _configure(c, settings)
    except ConfigurationError as error:
        tell_launcher({"problem": error.message})
        sys.exit(error.message)


def _configure(c: Config, settings: SaturnHub) -> None:
    home = Path(settings.home)
    catalog = _catalog(settings, home)
    kept.prepare(home)
    closed = _mark_trust(settings, home)
    told = {
        "closed": str(closed or ""),
        "home": str(home),
        "images": settings.images,
        "url": "",
        "passwords": {},
        "logs": [settings.log_bytes, settings.log_files],
    }
    if settings.embedded:
        told |= _embedded(c, settings, home)
    public = settings.public_url or _public_url(c)
    _set(c, "JupyterHub", allow_named_servers=True, default_url=urlsplit(public).path.rstrip("/") + f"/services/{SERVICE}/", cleanup_servers=False)
    # Theirs come first: a page that an admin replaced stays theirs.
    _add(c, "template_paths", [str(Path(__file__).with_name("templates"))])
    _spawner(c, settings)
    _service(c, settings, catalog, public)
    tell_launcher({**told, "url": public})


def _mark_trust(settings: SaturnHub, home: Path) -> Path | None:
    """Note whether a uid of their own would keep people from their programs. Gives the folder that others cannot pass."""
    closed = kept.unreachable(home, Path(settings.images), Path(sys.prefix), Path(sys.base_prefix), Path(__file__).parents[2])
    if closed:
        mark_of(home).write_text(f"{closed}\n")
    else:
        mark_of(home).unlink(missing_ok=True)
    return closed


def _embedded(c: Config, settings: SaturnHub, home: Path) -> dict[str, Any]:
    """JupyterHub itself, on this machine alone. Gives the passwords that are told once."""
    hub, address = port_of("HUB_PORT", 8000), os.environ.get("HUB_IP", "127.0.0.1")
    kept.drop_stale_pid(home / "hub" / "proxy.pid", PROXY)
    if "bind_url" not in c.JupyterHub:
        kept.need_free(hub, "set HUB_PORT to a free one, as in `HUB_PORT=8080 make hub`", address)
    ports = kept.kept_ports(home, ("hub_api", "proxy_api"), {hub, hub + APPS_PORT_OFFSET})
    _set(
        c,
        "JupyterHub",
        bind_url=f"http://{address}:{hub}",
        hub_bind_url=f"http://127.0.0.1:{ports['hub_api']}",
        db_url=f"sqlite:///{home / 'hub' / 'jupyterhub.sqlite'}",
        cookie_secret_file=str(home / "hub" / "cookie_secret"),
    )
    # The proxy ends with the hub, also when nobody is left to end it.
    command = bound(PROXY, "--log-level=warn")
    _set(c, "ConfigurableHTTPProxy", api_url=f"http://127.0.0.1:{ports['proxy_api']}", command=command, pid_file=str(home / "hub" / "proxy.pid"))
    if "authenticator_class" in c.JupyterHub:
        return {}
    from saturn_hub.hub.authenticator import SaturnAuthenticator

    c.JupyterHub.authenticator_class = SaturnAuthenticator
    # The file says who there is: whoever has a password in it may come in.
    _set(c, "SaturnAuthenticator", allow_all=True, manage_groups=True, auth_refresh_age=settings.auth_refresh_seconds)
    # Also a token's owner who was disabled meanwhile starts nothing.
    _set(c, "SaturnAuthenticator", refresh_pre_spawn=True, auth_refresh_strict=True)
    return {"passwords": accounts.make_first_people(home)}


def _spawner(c: Config, settings: SaturnHub) -> None:
    """Our spawner in the place of another: a workspace is a server that it started. Servers of the other go on, and are ended by ours."""
    from saturn_hub.hub.local_spawner import SaturnLocalSpawner

    chosen = c.JupyterHub.get("spawner_class")
    if not (isinstance(chosen, type) and issubclass(chosen, SaturnLocalSpawner)):
        c.JupyterHub.spawner_class = SaturnLocalSpawner
    # Cloning and installing come before the server answers. A value that the admin gave every spawner holds for ours too.
    for name, value in (("start_timeout", settings.start_timeout_seconds), ("http_timeout", settings.http_timeout_seconds)):
        if name not in c.Spawner:
            _set(c, "SaturnLocalSpawner", **{name: value})


def _service(c: Config, settings: SaturnHub, catalog: str, public: str) -> None:
    home = Path(settings.home)
    hub_port = urlsplit(public).port or 80
    apps_port = settings.apps_port or port_of("APPS_PORT", min(hub_port + APPS_PORT_OFFSET, 65535))
    kept.need_free(apps_port, "set APPS_PORT to a free one for the addresses of apps", settings.apps_address)
    port = settings.service_port or kept.kept_ports(home, ("service",), {hub_port, apps_port})["service"]
    base = urlsplit(public).path.rstrip("/")
    handed_over = {
        "home": settings.home,
        "images": settings.images,
        "catalog": catalog,
        "hub_url": public,
        "service_url": f"http://127.0.0.1:{port}{base}/services/{SERVICE}",
        "internal_token_file": str(home / "service" / "internal.token"),
        "apps_address": settings.apps_address,
        "apps_port": apps_port,
        "apps_domain": settings.apps_domain,
        "apps_url": settings.apps_url or f"http://{{host}}.{settings.apps_domain}:{apps_port}/",
        "people_managed": "SaturnAuthenticator" in str(c.JupyterHub.get("authenticator_class", "")),
        **{name: getattr(settings, name) for name in ("people_seconds", "identity_seconds", "log_bytes", "log_files")},
    }
    os.environ["SATURN_SETTINGS"] = json.dumps(handed_over)
    if any(each.get("name") == SERVICE for each in _list(c, "services")):
        raise ConfigurationError(f"{_source()}: c.JupyterHub.services: there is a service '{SERVICE}' already, which is the name of ours. Call it otherwise.")
    service = {
        "name": SERVICE,
        "url": f"http://127.0.0.1:{port}",
        "command": bound(sys.executable, "-m", "saturn_hub.web"),
        # A fixed token, so that it is let in whatever hub started it.
        "api_token": (home / "service" / "service.token").read_text().strip(),
        "oauth_no_confirm": True,
        # The first start of a busy machine compiles everything; JupyterHub would give up after half a minute.
        "timeout": SERVICE_SECONDS,
        "environment": {"SATURN_SETTINGS": os.environ["SATURN_SETTINGS"]},
        "cwd": str(Path(__file__).parents[2]),
    }
    _add(c, "services", [service])
    _roles(c)


def _roles(c: Config) -> None:
    """What the service may do, and that everyone may reach it, also where the admin wrote a role `user` of their own."""
    roles = [dict(each) for each in _list(c, "load_roles")]
    c.JupyterHub.load_roles = [*roles, {"name": SERVICE, "scopes": SCOPES, "services": [SERVICE]}]
    for each in roles:
        if each.get("name") == "user" and "scopes" in each:
            each["scopes"] = [*each["scopes"], ACCESS]
            return
    scopes = c.JupyterHub.get("extra_user_scopes", set())
    scopes = scopes.get_value(set()) if isinstance(scopes, LazyConfigValue) else scopes
    c.JupyterHub.extra_user_scopes = {*scopes, ACCESS}


def _catalog(settings: SaturnHub, home: Path) -> str:
    """The catalog's file, after a look whether it can be used. Raises ConfigurationError with every problem."""
    own = home / "catalog.yaml"
    file = Path(settings.catalog) if settings.catalog else own if own.exists() else Path(__file__).parents[1] / "catalog.yaml"
    try:
        catalogs.parse(file.read_text(encoding="utf-8"), str(file))
    except OSError as error:
        problem = Problem("unreadable", f"'{file}' cannot be read: {error.strerror}.", "c.SaturnHub.catalog")
        raise refusal(_source(), [problem]) from error
    return str(file.absolute())


def _public_url(c: Config) -> str:
    """Where people open the hub, without a slash at the end."""
    url = urlsplit(str(c.JupyterHub.get("public_url", "") or c.JupyterHub.get("bind_url", "") or "http://:8000"))
    host = url.hostname or ""
    shown = "localhost" if host in ("", "*", "0.0.0.0", "127.0.0.1", "::") else host
    path = url.path if url.path.strip("/") else str(c.JupyterHub.get("base_url", ""))
    port = url.port or int(c.JupyterHub.get("port", 443 if url.scheme == "https" else 8000 if not host else 80))
    return f"{url.scheme}://{shown}:{port}{path.rstrip('/')}"


def _set(c: Config, section: str, **values: Any) -> None:
    """Set what the admin's file left open."""
    for name, value in values.items():
        if name not in c[section]:
            setattr(c[section], name, value)


def _list(c: Config, name: str) -> list[Any]:
    """A list of JupyterHub's as far as it is set, also where the file only appended to it."""
    found = c.JupyterHub.get(name, [])
    return list(found.get_value([]) if isinstance(found, LazyConfigValue) else found)


def _add(c: Config, name: str, values: list[Any]) -> None:
    setattr(c.JupyterHub, name, [*_list(c, name), *values])


def _source() -> str:
    """The configuration file that called us, for the sentence."""
    for frame in inspect.stack()[1:]:
        name = frame.frame.f_globals.get("__file__", "")
        if name and not frame.frame.f_globals.get("__name__", "").startswith("saturn_hub"):
            return str(name)
    return "jupyterhub_config.py"


def tell_launcher(answer: dict[str, Any]) -> None:
    """Tell `saturn hub start`, where that started us, what it has to know: one line of JSON on a pipe of its own."""
    if number := os.environ.pop("SATURN_LAUNCHER_PIPE", ""):
        with open(int(number), "w", encoding="utf-8") as pipe:
            pipe.write(json.dumps(answer) + "\n")
