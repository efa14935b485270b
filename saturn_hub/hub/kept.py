"""What is made once in SATURN_HOME and kept: folders, secrets between the parts, and the ports that nobody has to choose."""

from __future__ import annotations

import json
import os
import secrets
import socket
from pathlib import Path

from saturn_hub.backends.local.accounts import write_private
from saturn_hub.errors import ConfigurationError

FOLDERS = ("hub", "service", "passwords", "logs")
TOKENS = ("internal.token", "service.token")


def prepare(home: Path) -> None:
    """Have the folders and the secrets. Nothing that is there is changed. Raises ConfigurationError."""
    if home.resolve().is_relative_to("/tmp"):
        raise ConfigurationError(f"{home} is below /tmp, where each unit of work has a folder of its own: set SATURN_HOME to another place.", path="home")
    try:
        home.mkdir(parents=True, exist_ok=True)
        home.chmod(0o711)
        for name in FOLDERS:
            (home / name).mkdir(exist_ok=True)
            (home / name).chmod(0o700)
        for name in TOKENS:
            if not (home / "service" / name).exists():
                write_private(home / "service" / name, secrets.token_urlsafe(32) + "\n")
    except OSError as error:
        raise ConfigurationError(f"{home} cannot be used: {error.strerror}. Set SATURN_HOME to a folder that is yours.", path="home") from error


def kept_ports(home: Path, names: tuple[str, ...], taken: set[int]) -> dict[str, int]:
    """A port for each name, free when it was first chosen and kept for what runs on. Raises ConfigurationError where one is taken now."""
    listing = home / "service" / "ports.json"
    ports: dict[str, int] = json.loads(listing.read_text()) if listing.exists() else {}
    for name in names:
        if name not in ports:
            ports[name] = free_port(taken | set(ports.values()))
        need_free(ports[name], f"{listing} keeps it for {name}; perhaps a hub still runs on this folder: `make stop` ends it")
    write_private(listing, json.dumps(ports, indent=2) + "\n")
    return {name: ports[name] for name in names}


def need_free(port: int, advice: str, address: str = "127.0.0.1") -> None:
    """Raises ConfigurationError where the port is taken."""
    if not is_free(port, address):
        raise ConfigurationError(f"Port {port} is taken: {advice}.", path="port")


def is_free(port: int, address: str = "127.0.0.1") -> bool:
    """Whether this address of the machine has the port free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def free_port(taken: set[int]) -> int:
    """A port that nobody has now, and none of `taken`."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in taken:
            return port


def drop_stale_pid(file: Path, program: str) -> None:
    """Remove a pid file whose process is gone: JupyterHub ends whatever has that number by now."""
    try:
        pid = int(file.read_text().split()[0])
        if program.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
            return
    except (OSError, ValueError, IndexError):
        pass
    file.unlink(missing_ok=True)


def unreachable(*folders: Path) -> Path | None:
    """The first folder on the way to one of these that other users of the machine cannot pass, None where they reach all of them."""
    for folder in folders:
        for each in [*reversed(folder.resolve().parents), folder.resolve()]:
            if each.exists() and not os.stat(each).st_mode & 0o001:
                return each
    return None
