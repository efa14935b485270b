"""Style, icons and scripts, at addresses that name their content, so that a browser keeps them for good."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from jupyterhub._data import DATA_FILES_PATH
from tornado.web import RequestHandler, StaticFileHandler

from saturn_hub.web.pages.environment import STATIC

# JupyterHub serves this one uncompressed; from here it goes compressed, as everything does.
HUB_STYLE = Path(DATA_FILES_PATH) / "static" / "css"


@cache
def hub_style() -> str:
    """JupyterHub's style without the icon fonts that it imports: our icons are drawn."""
    return re.sub(r"@import[^;]+;", "", (HUB_STYLE / "style.min.css").read_text(encoding="utf-8"))


class Assets(StaticFileHandler):
    """Our own files."""

    def initialize(self, **_: Any) -> None:
        super().initialize(str(STATIC))

    def set_extra_headers(self, path: str) -> None:
        keep(self)


class HubStyle(RequestHandler):
    """The installed JupyterHub's style, compressed as everything here is."""

    def get(self) -> None:
        self.set_header("Content-Type", "text/css; charset=utf-8")
        keep(self)
        self.finish(hub_style())


def keep(handler: RequestHandler) -> None:
    """The address names the content, so a browser may keep it for good."""
    handler.set_header("Cache-Control", "public, max-age=31536000, immutable")
    handler.set_header("X-Content-Type-Options", "nosniff")
