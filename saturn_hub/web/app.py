"""Puts the service together from its settings."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from jupyterhub.services.auth import HubOAuthCallbackHandler
from tornado.web import Application, StaticFileHandler

from saturn_hub.backends.local import LocalBackend
from saturn_hub.engine.context import Context
from saturn_hub.model import catalog as catalogs
from saturn_hub.model.resolve import Machine
from saturn_hub.store.database import Database
from saturn_hub.web import internal
from saturn_hub.web.api import openapi
from saturn_hub.web.api import routes as api
from saturn_hub.web.auth import Auth, derived
from saturn_hub.web.pages import handlers as pages
from saturn_hub.web.pages.environment import make_environment
from saturn_hub.web.servers import Servers


@dataclass(frozen=True)
class Settings:
    """What the hub settled and handed over (`hub/config.py` is where the values come from)."""

    home: Path
    images: Path
    catalog: Path
    hub_url: str
    apps_url: str
    internal_token: str
    people_seconds: int
    identity_seconds: int
    people_managed: bool

    @classmethod
    def from_environment(cls) -> Settings:
        given = json.loads(os.environ["SATURN_SETTINGS"])
        paths = {name: Path(given[name]) for name in ("home", "images", "catalog")}
        same = {name: given[name] for name in ("hub_url", "apps_url", "people_seconds", "identity_seconds", "people_managed")}
        return cls(**paths, **same, internal_token=Path(given["internal_token_file"]).read_text().strip())

    @property
    def base(self) -> str:
        """The path of the service, behind whatever path the hub has."""
        return urlsplit(self.hub_url).path.rstrip("/") + "/services/saturn"


async def make_context(settings: Settings) -> Context:
    """The database at this code's schema, the backend, and the catalog."""
    database = Database(f"sqlite:///{settings.home / 'service' / 'saturn.sqlite'}")
    backend = LocalBackend(settings.home, settings.images)
    capacity = await backend.capacity()
    machine = Machine(capacity.cpu, capacity.memory_bytes, capacity.gpu)

    def app_url(host: str) -> str:
        return settings.apps_url.replace("{host}", host)

    catalog = catalogs.parse(settings.catalog.read_text(encoding="utf-8"), str(settings.catalog))
    return Context(database, backend, catalog, settings.home, machine, app_url, people_managed=settings.people_managed)


def make_app(settings: Settings, context: Context) -> Application:
    """The tornado application."""
    # The one instance, which JupyterHub's own handlers find too.
    auth = Auth.instance(cache_max_age=settings.identity_seconds, secret=settings.internal_token)
    base = settings.base
    routes = [(base + path, handler) for path, handler in internal.ROUTES]
    routes += [(f"{base}/api/v1{path}", handler) for path, handler in api.ROUTES]
    routes += [(f"{base}/api/openapi.json", openapi.Document)]
    routes += [(f"{base}/oauth_callback", HubOAuthCallbackHandler)]
    routes += [(f"{base}/static/(.*)", StaticFileHandler, {"path": str(Path(__file__).parent / "static")})]  # type: ignore[list-item]
    routes += [(base + path, handler) for path, handler in pages.ROUTES]
    return Application(
        routes,
        context=context,
        base=base,
        hub=base.removesuffix("services/saturn") + "hub/",
        images=settings.images,
        home=settings.home,
        people={},
        pages=make_environment(),
        servers=Servers(auth.api_url, auth.api_token),
        internal_token=settings.internal_token,
        cookie_secret=derived(settings.internal_token, "cookies"),
        xsrf_cookies=True,
        compress_response=True,
        default_handler_class=pages.Missing,
    )
