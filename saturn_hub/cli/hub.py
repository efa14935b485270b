"""`saturn hub start` and `stop`: JupyterHub with everything of Saturn Hub, on one machine, from one command."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from saturn_hub.backends.base import Phase
from saturn_hub.backends.local import LocalBackend
from saturn_hub.errors import ConfigurationError
from saturn_hub.hub import client
from saturn_hub.hub.authenticator import make_first_people, write_private

ROOT = Path(__file__).parents[2]
PROXY = "configurable-http-proxy"
PROXY_VERSION = "5.3.0"
START_SECONDS = 60
END_SECONDS = 15


def main(argv: list[str] | None = None) -> int:
    """Run `start` or `stop`. Gives the exit code."""
    parser = argparse.ArgumentParser(prog="saturn hub", description=__doc__)
    parser.add_argument("command", choices=["start", "stop"])
    parser.add_argument("--config", type=Path, default=ROOT / "jupyterhub_config.py", help="JupyterHub's configuration file")
    arguments = parser.parse_args(argv)
    home = client.home()
    if arguments.command == "stop":
        print(f"Stopped {asyncio.run(stop_units(home))} units.")
        return 0
    try:
        ports = prepare(home)
        return run(home, ports, arguments.config)
    except ConfigurationError as error:
        print(f"{error.path}: {error.message}" if error.path else error.message, file=sys.stderr)
        return 1


def prepare(home: Path) -> dict[str, int]:
    """Have the folder, its secrets, the first people and the ports. Nothing that is there is changed."""
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o711)
    for name in ("hub", "service", "passwords"):
        (home / name).mkdir(exist_ok=True)
        (home / name).chmod(0o700)
    for name in ("internal.token", "service.token"):
        if not (home / "service" / name).exists():
            write_private(home / "service" / name, secrets.token_urlsafe(32) + "\n")
    make_first_people(home)
    return choose_ports(home)


def choose_ports(home: Path) -> dict[str, int]:
    """The two ports that people see come from the environment; the others are chosen once, and kept for what runs on."""
    listing = home / "service" / "ports.json"
    ports: dict[str, int] = json.loads(listing.read_text()) if listing.exists() else {}
    hub = int(os.environ.get("HUB_PORT") or 8000)
    ports |= {"hub": hub, "apps": int(os.environ.get("APPS_PORT") or hub + 100)}
    for name in ("hub", "apps"):
        if not is_free(ports[name]):
            variable = f"{name.upper()}_PORT"
            raise ConfigurationError(f"Port {ports[name]} is taken. Set {variable} to a free one.", path=variable)
    for name in ("service", "hub_api", "proxy_api"):
        if name not in ports:
            ports[name] = free_port(set(ports.values()))
        elif not is_free(ports[name]):
            raise ConfigurationError(f"Port {ports[name]} ({name}) is taken, perhaps by a hub that still runs on this folder.", path=str(listing))
    write_private(listing, json.dumps(ports, indent=2) + "\n")
    return ports


def is_free(port: int) -> bool:
    """Whether this machine's own address has the port free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
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


def proxy_folder(images: Path) -> Path:
    """The folder with the proxy's program, installed there the first time."""
    folder = images / "proxy"
    programs = folder / "node_modules" / ".bin"
    if not (programs / PROXY).exists():
        npm = shutil.which("npm", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
        if npm is None:
            raise ConfigurationError("There is no npm to install the proxy with. `make install` brings one.")
        print("Installing JupyterHub's proxy, once.", flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        words = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--silent", f"{PROXY}@{PROXY_VERSION}"]
        if subprocess.run(words, check=False, env=with_path(Path(sys.executable).parent)).returncode:
            raise ConfigurationError("JupyterHub's proxy could not be installed; npm's words are above.")
    return programs


def with_path(*folders: Path) -> dict[str, str]:
    """Our environment with these folders first on the path."""
    return {**os.environ, "PATH": ":".join([*map(str, folders), os.environ.get("PATH", "")])}


def run(home: Path, ports: dict[str, int], config: Path) -> int:
    """Run JupyterHub until it ends or is asked to. Units go on."""
    environment = with_path(client.node().parent, proxy_folder(client.images()), Path(sys.executable).parent)
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment |= {"SATURN_HOME": str(home), "SATURN_IMAGES": str(client.images()), "PYTHONPATH": ":".join(paths)}
    # A session of its own: a Ctrl-C comes to us alone, and we end everything in order.
    hub = subprocess.Popen([sys.executable, "-m", "jupyterhub", "-f", str(config.resolve())], env=environment, cwd=home / "hub", start_new_session=True)
    asked: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda got, _frame: (asked.append(got), hub.poll() is None and hub.send_signal(signal.SIGTERM)))
    if wait_until_ready(hub, ports["hub"], asked):
        print(f"Saturn Hub: http://localhost:{ports['hub']}\nPasswords:  {home / 'passwords'} (one file for each person)", flush=True)
    elif hub.poll() is None and not asked:
        print(f"The hub does not answer after {START_SECONDS} seconds; what it said is above.", file=sys.stderr, flush=True)
        hub.send_signal(signal.SIGTERM)
        return end_failed(hub, home)
    code = wait_for_end(hub, asked)
    end_rest(hub.pid, home / "hub" / "proxy.pid")
    if count := len(asyncio.run(running(home))):
        print(f"{count} units go on running. `saturn hub stop` ends them.", flush=True)
    return 0 if asked else code


def wait_until_ready(hub: subprocess.Popen[bytes], port: int, asked: list[int]) -> bool:
    """Whether the hub came to answer through its proxy."""
    until = time.monotonic() + START_SECONDS
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while hub.poll() is None and not asked and time.monotonic() < until:
        try:
            with direct.open(f"http://127.0.0.1:{port}/hub/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            time.sleep(0.1)
    return False


def end_failed(hub: subprocess.Popen[bytes], home: Path) -> int:
    """End a hub that never came to answer. Gives the exit code."""
    try:
        hub.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        hub.kill()
        hub.wait()
    end_rest(hub.pid, home / "hub" / "proxy.pid")
    return 1


def wait_for_end(hub: subprocess.Popen[bytes], asked: list[int]) -> int:
    """The hub's exit code. Once asked to end it has a while for its service and proxy, and is then ended."""
    until = None
    while True:
        try:
            return hub.wait(0.5)
        except subprocess.TimeoutExpired:
            if asked and until is None:
                until = time.monotonic() + END_SECONDS
            if until is not None and time.monotonic() > until:
                hub.kill()


def end_rest(session: int, proxy: Path) -> None:
    """End what a hub that died hard left behind: what is in its process group, and its proxy, which has one of its own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(session, signal.SIGTERM)
    try:
        pid = int(proxy.read_text().split()[0])
        # The number may belong to another process by now.
        if PROXY.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGTERM)
    except (OSError, ValueError, IndexError):
        return


async def running(home: Path) -> list[str]:
    """The names of the units that have not ended."""
    if not (home / "work").exists():
        return []
    statuses = await LocalBackend(home, client.images()).statuses()
    return [name for name, status in statuses.items() if status.phase in (Phase.STARTING, Phase.RUNNING)]


async def stop_units(home: Path) -> int:
    """End every unit. Gives how many there were."""
    names = await running(home)
    backend = LocalBackend(home, client.images())
    await asyncio.gather(*(backend.stop(name) for name in names))
    return len(names)


if __name__ == "__main__":
    sys.exit(main())
