"""Names that are derived, so that whoever knows the thing knows them too."""

from __future__ import annotations

import re


def unit_name(user: str, server_name: str) -> str:
    """The backend's name of a person's workspace; JupyterHub's default server is the workspace `default`."""
    safe = re.sub(r"[^a-z0-9-]", lambda match: f"_{ord(match[0]):x}_", user)
    return f"workspace-{safe}-{server_name or 'default'}"
