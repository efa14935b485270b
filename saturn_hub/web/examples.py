"""What ada finds at the first start: a small workspace, job and app from `examples/`, so that nobody begins at an empty page."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from saturn_hub.backends.local.owners import uid_of
from saturn_hub.engine import apps, recipes
from saturn_hub.engine.context import Context
from saturn_hub.model.workload import Owner
from saturn_hub.store import people

SOURCE = Path(__file__).parents[2] / "examples"
AUTHOR = {
    "GIT_AUTHOR_NAME": "Saturn Hub",
    "GIT_AUTHOR_EMAIL": "examples@localhost",
    "GIT_COMMITTER_NAME": "Saturn Hub",
    "GIT_COMMITTER_EMAIL": "examples@localhost",
}


async def make(context: Context) -> None:
    """Make the examples once; nothing where they were made, or where there is no ada or no `examples/`."""
    done = context.files / "service" / "examples.done"
    if done.exists() or not (context.files / "passwords" / "ada").exists() or not (SOURCE / "churn").is_dir():
        return
    async with context.database.begin() as connection:
        ada = await people.mirror(connection, "ada", False, ("growth",), context.now())
    churn, dashboard = (repository(context.files, name) for name in ("churn", "dashboard"))
    for document in documents(churn, dashboard):
        await recipes.save(context, ada, document, create=False)
    await apps.deploy(context, ada, apps.app_key("ada", "dashboard"))
    done.touch()


def documents(churn: dict[str, str], dashboard: dict[str, str]) -> list[dict[str, Any]]:
    """The three recipes."""
    common = {"schema": 1, "size": "small", "image": "local"}
    return [
        {**common, "kind": "workspace", "name": "churn", "tool": "jupyterlab", "description": "Two notebooks over one repository", "repositories": [churn]},
        {
            **common,
            "kind": "job",
            "name": "churn",
            "description": "Scores every customer",
            "repositories": [churn],
            "working_directory": "churn",
            "command": "python score.py",
        },
        {
            **common,
            "kind": "app",
            "name": "dashboard",
            "description": "A Streamlit dashboard",
            "repositories": [dashboard],
            "working_directory": "dashboard",
            "command": "streamlit run app.py --server.port $PORT --server.address 127.0.0.1 --server.headless true --browser.gatherUsageStats false",
        },
    ]


def repository(home: Path, name: str) -> dict[str, str]:
    """A git repository of one example that ada's uid owns, for git reads no stranger's; as a recipe names it."""
    folder = home / "examples" / name
    if not (folder / ".git").exists():
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(SOURCE / name, folder, ignore=shutil.ignore_patterns("__pycache__", "outputs", ".ipynb_checkpoints"))
        for words in (("init", "--quiet", "--initial-branch=main"), ("add", "--all"), ("commit", "--quiet", "--message=The example")):
            subprocess.run(["git", "-C", str(folder), *words], check=True, env={**os.environ, **AUTHOR})
        uid = uid_of(home, Owner.parse("ada"))
        if uid is not None:
            for root, folders, files in os.walk(folder):
                for each in [root, *(os.path.join(root, one) for one in folders + files)]:
                    os.chown(each, uid, uid, follow_symlinks=False)
    return {"url": f"file://{folder}", "reference": "main", "path": name}
