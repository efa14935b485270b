"""What ada finds at the first start: a small workspace, job and app from the recipes in `examples/`, so that nobody begins at an empty page."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from saturn_hub.backends.local.owners import uid_of
from saturn_hub.engine import apps, jobs, recipes
from saturn_hub.engine.context import Context
from saturn_hub.errors import Conflict
from saturn_hub.model.access import Person
from saturn_hub.model.workload import Owner
from saturn_hub.store import people

log = logging.getLogger("saturn.examples")
SOURCE = Path(__file__).parents[2] / "examples"
MADE = ("churn/workspace.yaml", "churn/saturn.yaml", "dashboard/saturn.yaml")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "outputs", ".ipynb_checkpoints", "data")
AUTHOR = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in (("NAME", "Saturn Hub"), ("EMAIL", "examples@localhost"))}
IMAGE_PAUSE_SECONDS = 1.0


async def make(context: Context, images: Path) -> None:
    """Make the examples once; nothing where they were made, or where there is no ada or no `examples/`.

    Runs beside the service and holds up nothing. Each step finds what an earlier, interrupted one made, so that it can be killed anywhere. What needs the
    image waits until its installation, which may go on behind the hub, has ended.
    """
    done = context.files / "service" / "examples.done"
    if done.exists() or not (context.files / "passwords" / "ada").exists() or not SOURCE.is_dir():
        return
    try:
        async with context.database.begin() as connection:
            ada = await people.by_name(connection, "ada") or await people.mirror(connection, "ada", False, ("growth",), context.now())
        for document in await asyncio.to_thread(documents, context.files):
            with contextlib.suppress(Conflict):
                await recipes.save(context, ada, document, create=True)
        await installed(images / "local")
        await begin(context, ada)
        done.touch()
    except Exception:
        # The product works without its examples; the next start tries again.
        log.exception("The examples could not be made")


async def begin(context: Context, ada: Person) -> None:
    """One run of the job and one version of the app, so that the first page shows both."""
    await jobs.start(context, ada, jobs.job_key("ada", "churn"), {}, idempotency_key="first-start")
    await apps.deploy(context, ada, apps.app_key("ada", "dashboard"), idempotency_key="first-start")


async def installed(prefix: Path) -> None:
    """Until the image is whole: `.installed.txt` is written last, by whatever installs it."""
    while not (prefix / ".installed.txt").exists():
        await asyncio.sleep(IMAGE_PAUSE_SECONDS)


def documents(home: Path) -> list[dict[str, Any]]:
    """The recipes, with the address of a repository made here in place of the one to write there."""
    found = []
    for name in MADE:
        document = yaml.safe_load((SOURCE / name).read_text())
        document["repositories"][0]["url"] = repository(home, name.partition("/")[0])
        found.append(document)
    return found


def repository(home: Path, name: str) -> str:
    """The address of a git repository of one example, which ada's uid owns, for git reads no stranger's. It is there whole or not at all."""
    folder, part = home / "examples" / name, home / "examples" / f".{name}.part"
    if not folder.exists():
        shutil.rmtree(part, ignore_errors=True)
        shutil.copytree(SOURCE / name, part, ignore=LEFT_OUT)
        for words in (("init", "--quiet", "--initial-branch=main"), ("add", "--all"), ("commit", "--quiet", "--message=The example")):
            subprocess.run(["git", "-C", str(part), *words], check=True, env={**os.environ, **AUTHOR})
        uid = uid_of(home, Owner.parse("ada"))
        if uid is not None:
            for root, folders, files in os.walk(part):
                for each in [root, *(os.path.join(root, one) for one in folders + files)]:
                    os.chown(each, uid, uid, follow_symlinks=False)
        part.rename(folder)
    return f"file://{folder}"
