"""Saturn Hub: workspaces, jobs and apps beside JupyterHub. `configure(c)` is all that a `jupyterhub_config.py` needs."""

from __future__ import annotations

from typing import Any


def configure(c: Any, **options: Any) -> None:
    """Set JupyterHub up for Saturn Hub. Imported late, so that a unit's agent does not load JupyterHub."""
    from saturn_hub.hub.config import configure as set_up

    set_up(c, **options)
