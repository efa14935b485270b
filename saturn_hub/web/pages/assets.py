"""Style, icons and scripts, at addresses that name their content, so that a browser keeps them for good."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from jupyterhub._data import DATA_FILES_PATH
from tornado.web import StaticFileHandler

from saturn_hub.web.pages.environment import STATIC

# JupyterHub serves this one uncompressed; from here it goes compressed, as everything does.
HUB_STYLE = Path(DATA_FILES_PATH) / "static" / "css"


@cache
def hub_style() -> str:
    """JupyterHub's style without the icon fonts that it imports: our icons are drawn."""
    return re.sub(r"@import[^;]+;", "", (HUB_STYLE / "style.min.css").read_text(encoding="utf-8"))


class Assets(StaticFileHandler):
    """Our own files, and `hub.css`, which is the installed JupyterHub's style."""

    def initialize(self, **_: Any) -> None:
        super().initialize(str(STATIC))

    async def get(self, path: str, include_body: bool = True) -> None:
        if path != "hub.css":
            await super().get(path, include_body)
            return
        self.set_header("Content-Type", "text/css; charset=utf-8")
        self.set_extra_headers(path)
        self.finish(hub_style())

    def set_extra_headers(self, path: str) -> None:
        self.set_header("Cache-Control", "public, max-age=31536000, immutable")
        self.set_header("X-Content-Type-Options", "nosniff")
