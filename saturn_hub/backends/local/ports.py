"""Ports of this machine: a free one, and whose a listening one is."""

from __future__ import annotations

import socket
from pathlib import Path

LISTENING = "0A"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int, uid: int | None) -> bool:
    """Whether a process of `uid` (None: anybody) accepts connections on `port`; see proc_net(5)."""
    for file in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(file).read_text().splitlines()[1:]
        except FileNotFoundError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == LISTENING and int(fields[1].rpartition(":")[2], 16) == port and uid in (None, int(fields[7])):
                return True
    return False
