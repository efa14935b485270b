"""The backends that the contract suite runs against. Another one joins with a branch of `backend`."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from units import IMAGES, Origin

from saturn_hub.backends.local import LocalBackend


@pytest.fixture(params=["local"])
def backend(request: pytest.FixtureRequest) -> Iterator[LocalBackend]:
    # Not below /tmp: each unit has a /tmp of its own.
    home = Path(tempfile.mkdtemp(prefix="saturn-test-", dir="/var/tmp"))
    home.chmod(0o711)
    made = LocalBackend(home, IMAGES)
    yield made
    asyncio.run(_end(made))
    shutil.rmtree(home)


async def _end(made: LocalBackend) -> None:
    names = [each.name for each in made.work.iterdir() if not each.name.startswith(".")]
    await asyncio.gather(*(made.stop(name, grace_seconds=0.1) for name in names))
    # The record of a unit may be taken still; the folder goes when that is over.
    await asyncio.gather(*(made.environment(name) for name in names))
    await asyncio.gather(*(made.forget(name) for name in names))


@pytest.fixture
def origin(backend: LocalBackend) -> Origin:
    made = Origin(backend.home)
    made.commit(file="one\n")
    return made
