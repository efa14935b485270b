"""The service's engine on a folder of its own: the real database, the real backend, the real loops."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from saturn_hub.backends.local import LocalBackend
from saturn_hub.engine.context import Context
from saturn_hub.model import catalog
from saturn_hub.model.access import Person
from saturn_hub.model.resolve import Machine
from saturn_hub.store import people
from saturn_hub.store.database import Database

ROOT = Path(__file__).parents[2]
IMAGES = Path(os.environ.get("SATURN_IMAGES", ROOT / ".images"))


def make_context(home: Path) -> Context:
    """As the service makes it, without HTTP."""
    offer = catalog.read(yaml.safe_load((ROOT / "saturn_hub" / "catalog.yaml").read_text()), "catalog.yaml")
    return Context(Database(f"sqlite:///{home / 'saturn.sqlite'}"), LocalBackend(home, IMAGES), offer, home, Machine(), lambda host: f"http://{host}/")


async def person(context: Context, name: str = "ada", **more: Any) -> Person:
    async with context.database.begin() as connection:
        return await people.mirror(connection, name, False, more.get("teams", ()), context.now())
