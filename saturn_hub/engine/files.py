"""Logs and outputs of runs, read from where the work left them."""

from __future__ import annotations

import asyncio
import os
import stat
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

from saturn_hub.engine import jobs
from saturn_hub.engine.context import JSON, Context
from saturn_hub.errors import NotFound
from saturn_hub.model.access import Permission, Person
from saturn_hub.model.states import FINAL_RUN
from saturn_hub.store import runs

MAXIMUM = 1000
LEFT_OUT = {".git", "__pycache__", ".ipynb_checkpoints"}
CHUNK_BYTES = 2**18
INDEX_BYTES = 2**26
# The folder is a person's and we may be root: no link of theirs is followed, and no pipe of theirs is waited for.
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
Kept = dict[bytes, tuple[int, int]]  # by path: time in nanoseconds, size in bytes


async def run_log(context: Context, person: Person, run_id: str, *, offset: int = 0, follow: bool = False) -> AsyncIterator[bytes]:
    """The output of all steps, one after the other; with `follow` until the run has ended."""
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
    """What a run wrote, at most 1000 files, `outputs` first: all of its folder but what a clone brought and nobody changed."""
    folder = await _folder(context, person, run_id)
    return await asyncio.to_thread(lambda: [each for each, _ in zip(_walk(folder), range(MAXIMUM))])  # noqa: B905


async def output(context: Context, person: Person, run_id: str, path: str) -> AsyncIterator[bytes]:
    """The content of one file of a run's folder. NotFound for anything else, links among them, whatever they lead to."""
    folder = await _folder(context, person, run_id)
    parts = Path(path).parts
    try:
        if not parts or LEFT_OUT & set(parts) or ".." in parts or os.path.isabs(path):
            raise FileNotFoundError(path)
        handle = _open(folder, parts)
    except (OSError, ValueError) as error:
        raise NotFound(f"The run has no file '{path}'.") from error
    return _read(handle)


async def _folder(context: Context, person: Person, run_id: str) -> Path:
    async with context.database.begin() as connection:
        run = await jobs.visible(connection, person, run_id, Permission.SEE)
    return context.files / "homes" / str(run["workload"]["folder"]) / "files"


def _open(folder: Path, parts: tuple[str, ...]) -> int:
    """A handle of a regular file. Each folder on the way is opened by itself: one that is swapped for a link meanwhile is refused."""
    handle = os.open(folder, READ | os.O_DIRECTORY)
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        try:
            following = os.open(part, READ if last else READ | os.O_DIRECTORY, dir_fd=handle)
        finally:
            os.close(handle)
        handle = following
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise FileNotFoundError(parts[-1])
    return handle


async def _read(handle: int) -> AsyncIterator[bytes]:
    with open(handle, "rb", buffering=0) as file:
        while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield chunk


def _walk(folder: Path) -> Iterator[JSON]:
    """Files from the top down. The walk goes by open folders, never by names that may lead elsewhere by now."""
    checkouts: dict[str, Kept] = {}
    if not folder.is_dir():
        return  # the run has no folder before its preparation
    for root, folders, names, handle in os.fwalk(folder, follow_symlinks=False):
        relative = os.path.relpath(root, folder)
        if ".git" in folders:
            checkouts[relative] = _index(Path(root))
        folders[:] = sorted((each for each in folders if each not in LEFT_OUT), key=lambda each: (each != "outputs", each))
        checkout = next((each for each in (relative, *map(str, Path(relative).parents)) if each in checkouts), None)
        for name in sorted(names):
            path = os.path.normpath(os.path.join(relative, name))
            try:
                found = os.stat(name, dir_fd=handle, follow_symlinks=False)
                path.encode()
            except (FileNotFoundError, UnicodeEncodeError):
                continue  # gone meanwhile, or a name that no address can have
            if stat.S_ISREG(found.st_mode) and (checkout is None or not _cloned(checkouts[checkout], os.path.relpath(path, checkout), found)):
                yield {"path": path, "size": found.st_size}


def _cloned(kept: Kept, path: str, found: os.stat_result) -> bool:
    """Whether git has the file as it is, by the same look at time and size that `git status` begins with."""
    return kept.get(os.fsencode(path)) == (found.st_mtime_ns, found.st_size)


def _index(checkout: Path) -> Kept:
    """Time and size of each file that a checkout's index has (gitformat-index(5), versions 2 and 3). Git itself is not run: its settings are a person's."""
    try:
        with closing(open(_open(checkout, (".git", "index")), "rb")) as file:
            text = file.read(INDEX_BYTES)
        magic, version, count = struct.unpack_from(">4sLL", text)
        if magic != b"DIRC" or version not in (2, 3):
            return {}
        found, at = {}, 12
        for _ in range(count):
            seconds, nanoseconds, size, flags = struct.unpack_from(">8xLL20xL20xH", text, at)
            start = at + (64 if flags & 0x4000 else 62)
            end = text.index(b"\0", start)
            found[text[start:end]] = (seconds * 10**9 + nanoseconds, size)
            at += (end - at) // 8 * 8 + 8
        return found
    except (OSError, ValueError, struct.error):
        return {}  # no index, or a broken one: all that is there is shown
