"""Puts the service together from its settings."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import yaml
from jupyterhub.services.auth import HubOAuth, HubOAuthCallbackHandler
from tornado.web import Application, StaticFileHandler

from saturn_hub.backends.local import LocalBackend
from saturn_hub.engine.context import Context
from saturn_hub.model import catalog as catalogs
from saturn_hub.model.resolve import Machine
from saturn_hub.store.database import Database
from saturn_hub.web import internal
from saturn_hub.web.api import openapi
from saturn_hub.web.api import routes as api
from saturn_hub.web.pages import handlers as pages
from saturn_hub.web.pages.environment import make_environment
from saturn_hub.web.servers import Servers

BASE = "/services/saturn"


@dataclass(frozen=True)
class Settings:
    """Where the service is and what it has, from the variables that the hub hands over."""

    home: Path
    images: Path
    hub_port: int
    apps_port: int
    apps_domain: str
    internal_token: str

    @classmethod
    def from_environment(cls) -> Settings:
        home = Path(os.environ["SATURN_HOME"])
        token = Path(os.environ["SATURN_INTERNAL_TOKEN_FILE"]).read_text().strip()
        domain = os.environ.get("APPS_DOMAIN", "apps.localhost")
        return cls(home, Path(os.environ["SATURN_IMAGES"]), int(os.environ["HUB_PORT"]), int(os.environ["APPS_PORT"]), domain, token)


def read_catalog(home: Path) -> catalogs.Catalog:
    """`catalog.yaml` of SATURN_HOME, else the embedded one. Raises ConfigurationError."""
    own = home / "catalog.yaml"
    file = own if own.exists() else Path(__file__).parents[1] / "catalog.yaml"
    return catalogs.read(yaml.safe_load(file.read_text()), str(file))


async def make_context(settings: Settings) -> Context:
    """The database at this code's schema, the backend, and the catalog."""
    database = Database(f"sqlite:///{settings.home / 'service' / 'saturn.sqlite'}")
    backend = LocalBackend(settings.home, settings.images)
    capacity = await backend.capacity()
    machine = Machine(capacity.cpu, capacity.memory_bytes, capacity.gpu)

    def app_url(host: str) -> str:
        return f"http://{host}.{settings.apps_domain}:{settings.apps_port}/"

    return Context(database, backend, read_catalog(settings.home), settings.home, machine, app_url)


def make_app(settings: Settings, context: Context) -> Application:
    """The tornado application."""
    auth = HubOAuth(cache_max_age=10)
    routes = [(BASE + path, handler) for path, handler in internal.ROUTES]
    routes += [(f"{BASE}/api/v1{path}", handler) for path, handler in api.ROUTES]
    routes += [(f"{BASE}/api/openapi.json", openapi.Document)]
    routes += [(f"{BASE}/oauth_callback", HubOAuthCallbackHandler)]
    routes += [(f"{BASE}/static/(.*)", StaticFileHandler, {"path": str(Path(__file__).parent / "static")})]  # type: ignore[list-item]
    routes += [(BASE + path, handler) for path, handler in pages.ROUTES]
    return Application(
        routes,
        context=context,
        base=BASE,
        hub="/hub/",
        images=settings.images,
        home=settings.home,
        people={},
        pages=make_environment(),
        servers=Servers(auth.api_url, auth.api_token),
        internal_token=settings.internal_token,
        hub_auth=auth,
        cookie_secret=os.urandom(32),
        xsrf_cookies=True,
        compress_response=True,
        default_handler_class=pages.Missing,
    )
