"""Logs and outputs of runs, read from where the work left them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

from saturn_hub.engine import jobs
from saturn_hub.engine.context import JSON, Context
from saturn_hub.errors import NotFound
from saturn_hub.model.access import Permission, Person
from saturn_hub.model.states import FINAL_RUN
from saturn_hub.store import runs

MAXIMUM = 1000
LEFT_OUT = {".git", "__pycache__", ".ipynb_checkpoints"}


async def run_log(context: Context, person: Person, run_id: str, *, offset: int = 0, follow: bool = False) -> AsyncIterator[bytes]:
    """The output of all steps, one after the other; with `follow` until the run has ended."""
    import asyncio

    done: set[str] = set()
    while True:
        async with context.database.begin() as connection:
            run = await jobs.visible(connection, person, run_id, Permission.SEE)
            steps = (await runs.steps_of(connection, [run_id]))[run_id]
        for step in steps:
            if step["unit"] in done or (step["started_at"] is None and step["state"] not in FINAL_RUN):
                continue
            done.add(step["unit"])
            async for chunk in context.backend.logs(step["unit"], follow=follow):
                kept = chunk[offset:]
                offset = max(0, offset - len(chunk))
                if kept:
                    yield kept
        if not follow or run["state"] in FINAL_RUN:
            return
        await asyncio.sleep(0.1)


async def outputs(context: Context, person: Person, run_id: str) -> list[JSON]:
    """What a run wrote: files of its folder that are newer than the run, at most 1000."""
    folder, since = await _folder(context, person, run_id)
    found: list[JSON] = []
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if each not in LEFT_OUT)
        for name in sorted(names):
            file = Path(root) / name
            if not file.is_symlink() and file.stat().st_mtime >= since and len(found) < MAXIMUM:
                found.append({"path": str(file.relative_to(folder)), "size": file.stat().st_size})
    return [each for each in found if (Path(each["path"]).parts[0] == "outputs") or not _tracked(folder, each["path"])]


async def output(context: Context, person: Person, run_id: str, path: str) -> AsyncIterator[bytes]:
    """The content of one output. NotFound for anything that is not listed, links among them."""
    folder, _ = await _folder(context, person, run_id)
    if path not in {each["path"] for each in await outputs(context, person, run_id)}:
        raise NotFound(f"The run has no file '{path}'.")
    return _read(folder / path)


async def _read(file: Path) -> AsyncIterator[bytes]:
    with open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW), "rb") as handle:
        while chunk := handle.read(65536):
            yield chunk


async def _folder(context: Context, person: Person, run_id: str) -> tuple[Path, float]:
    async with context.database.begin() as connection:
        run = await jobs.visible(connection, person, run_id, Permission.SEE)
    started = run["started_at"]
    return context.files / "homes" / run["workload"]["folder"] / "files", started.timestamp() - 1 if started else 0.0


def _tracked(folder: Path, path: str) -> bool:
    """Whether a file lies in a checkout, where what the clone made is not what the run made."""
    parts = Path(path).parts
    index = next((folder.joinpath(*parts[:n]) / ".git" / "index" for n in range(1, len(parts)) if (folder.joinpath(*parts[:n]) / ".git").is_dir()), None)
    if index is None or not index.exists():
        return False
    return (folder / path).stat().st_mtime <= index.stat().st_mtime + 0.5
