"""The output of a child, line by line into a file that is begun anew when it is full."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO


def keep(stream: IO[str], file: Path, *, size_bytes: int, files: int, seen: Callable[[str], None] | None = None) -> threading.Thread:
    """Copy `stream` into `file` until it ends, in a thread of its own. `seen` gets each line too."""
    thread = threading.Thread(target=_copy, args=(stream, open_log(file, size_bytes, files), seen), daemon=True)
    thread.start()
    return thread


def open_log(file: Path, size_bytes: int, files: int) -> RotatingFileHandler:
    """A file that only we may read; when `size_bytes` are in it, it becomes `file.1`, and at most `files` of those are kept."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600))
    handler = RotatingFileHandler(file, maxBytes=size_bytes, backupCount=files, encoding="utf-8", errors="replace")
    handler.setFormatter(logging.Formatter("%(message)s"))
    return handler


def write_line(handler: RotatingFileHandler, line: str) -> None:
    """Add a line as it is."""
    handler.emit(logging.makeLogRecord({"msg": line.rstrip("\n")}))


def _copy(stream: IO[str], handler: RotatingFileHandler, seen: Callable[[str], None] | None) -> None:
    for line in stream:
        write_line(handler, line)
        if seen:
            seen(line.rstrip("\n"))
    handler.close()
    stream.close()
