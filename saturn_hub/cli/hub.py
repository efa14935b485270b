"""`saturn hub start` and `stop`: JupyterHub with everything of Saturn Hub, on one machine, from one command."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import asdict
from pathlib import Path
from typing import Any

from saturn_hub.backends.base import Phase
from saturn_hub.backends.local import LocalBackend
from saturn_hub.backends.local.process import Process, boot_id, start_time
from saturn_hub.cli import install
from saturn_hub.errors import ConfigurationError
from saturn_hub.hub import client
from saturn_hub.hub.kept import free_port
from saturn_hub.processes.bound import bound
from saturn_hub.processes.logs import keep

__all__ = ["free_port", "main"]
ROOT = Path(__file__).parents[2]
PROXY = "configurable-http-proxy"
PROXY_VERSION = "5.3.0"
START_SECONDS = 150
END_SECONDS = 15


def main(argv: list[str] | None = None) -> int:
    """Run `start` or `stop`. Gives the exit code."""
    parser = argparse.ArgumentParser(prog="saturn hub", description=__doc__)
    parser.add_argument("command", choices=["start", "stop"])
    parser.add_argument("--config", type=Path, default=ROOT / "jupyterhub_config.py", help="JupyterHub's configuration file")
    arguments = parser.parse_args(argv)
    if arguments.command == "stop":
        return stop(Path(os.environ.get("SATURN_HOME") or ".saturn").absolute())
    try:
        return Launch(arguments.config).run()
    except ConfigurationError as error:
        print(error.message, file=sys.stderr)
        return 1


class Launch:
    """One run of the hub: started, watched until it ends or is asked to, and what it started ended with it. Work goes on."""

    def __init__(self, config: Path) -> None:
        self.config = config
        self.images = Path(os.environ.get("SATURN_IMAGES") or ROOT / ".images").absolute()
        self.asked: list[int] = []
        self.hub: subprocess.Popen[str] | None = None

    def run(self) -> int:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)
        if os.geteuid() == 0 and not shutil.which("nft"):
            install.one(self.images, "nftables", print)
        programs = proxy_folder(self.images)
        if self.asked:
            return 0
        self.hub, told = self._start(programs)
        if "problem" in told:
            self.hub.wait()
            raise ConfigurationError(told["problem"])
        if "home" not in told:
            # Nobody told us what is wrong: then what it said is all there is.
            print(self.hub.communicate()[0], file=sys.stderr)
            return self.hub.returncode or 1
        home = Path(told["home"])
        write_self(home)
        size_bytes, files = told["logs"]
        assert self.hub.stdout
        keep(self.hub.stdout, home / "logs" / "hub.log", size_bytes=size_bytes, files=files, seen=self._seen)
        code = self._serve(home, told)
        (home / "service" / "launcher.json").unlink(missing_ok=True)
        if count := len(asyncio.run(running(home, self.images))):
            print(f"{count} {'unit goes' if count == 1 else 'units go'} on running. `make stop` ends what runs.", flush=True)
        return code

    def _ask(self, number: int, _frame: object) -> None:
        self.asked.append(number)
        if self.hub and self.hub.poll() is None:
            self.hub.send_signal(signal.SIGTERM)

    def _start(self, programs: Path) -> tuple[subprocess.Popen[str], dict[str, Any]]:
        """Start JupyterHub, and wait until its configuration says where everything is, or what is wrong with it."""
        environment = with_path(client.node().parent, programs, Path(sys.executable).parent)
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        reading, writing = os.pipe()
        environment |= {"SATURN_LAUNCHER_PIPE": str(writing), "PYTHONPATH": ":".join(paths)}
        # A session of its own: a Ctrl-C comes to us alone, and we end everything in order.
        hub = subprocess.Popen(
            bound(sys.executable, "-m", "jupyterhub", "-f", str(self.config.absolute())),
            env=environment,
            pass_fds=[writing],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        os.close(writing)
        with open(reading, encoding="utf-8") as pipe:
            return hub, json.loads(pipe.readline() or "{}")

    def _serve(self, home: Path, told: dict[str, Any]) -> int:
        assert self.hub
        installer, ready = None, self._wait_until_ready(told["url"])
        if ready:
            greet(home, told)
            installer = install.behind(Path(told["images"]))
        elif self.hub.poll() is None and not self.asked:
            print(f"The hub does not answer after {START_SECONDS} seconds. What it said is in {home / 'logs'}.", file=sys.stderr)
            self._ask(signal.SIGTERM, None)
        code = self._wait_for_end()
        if installer:
            install.end(installer)
        end_rest(self.hub.pid)
        if self.asked and ready:
            return 0
        if not self.asked:
            print(f"The hub ended with exit code {code}. What it said is in {home / 'logs'}.", file=sys.stderr)
        return code or 1

    def _seen(self, line: str) -> None:
        """Errors are for the person at the terminal too; everything else is in the file."""
        if line.startswith(("[E ", "[C ")) and not self.asked:
            print(line, file=sys.stderr, flush=True)

    def _wait_until_ready(self, url: str) -> bool:
        """Whether the hub came to answer through its proxy."""
        assert self.hub
        until = time.monotonic() + START_SECONDS
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        while self.hub.poll() is None and not self.asked and time.monotonic() < until:
            try:
                # Python does not resolve every name that ends in localhost.
                with direct.open(f"{url.replace('//localhost', '//127.0.0.1')}/hub/health", timeout=5) as answer:
                    return bool(answer.status == 200)
            except OSError:
                time.sleep(0.3)
        return False

    def _wait_for_end(self) -> int:
        """The hub's exit code. Once asked to end it has a while for its service and proxy, and is then ended."""
        assert self.hub
        until = None
        while True:
            try:
                return self.hub.wait(0.5)
            except subprocess.TimeoutExpired:
                if self.asked and until is None:
                    until = time.monotonic() + END_SECONDS
                if until is not None and time.monotonic() > until:
                    self.hub.kill()


def greet(home: Path, told: dict[str, Any]) -> None:
    """What somebody who typed `make hub` has to know, and no more."""
    print(f"Saturn Hub: {told['url']}\nPasswords:  {home / 'passwords'} (one file for each person)", flush=True)
    for name, password in told["passwords"].items():
        print(f"            {name:8} {password}")
    for sentence in trust(home, told["closed"]):
        print(sentence)
    print(f"Logs:       {home / 'logs'}\nCtrl-C ends the hub and leaves work running.", flush=True)


def trust(home: Path, closed: str) -> list[str]:
    """What is to be said where people's work is not kept apart from each other's. The long sentence comes once for each folder."""
    if os.geteuid() == 0:
        way = f"`chmod o+x {closed}`, or another place for what is in it, gives each person a uid of their own."
        return [f"Other users cannot pass {closed}: everyone's work runs as root, in one trust domain. {way}"] if closed else []
    said = home / "service" / "trust.said"
    if said.exists():
        return ["Not started as root: all work is one trust domain."]
    said.touch()
    return [
        "Not started as root: everyone's work runs as you, so all of it is one trust domain. "
        "`sudo make hub` gives each person a uid of their own; this hub's people can read each other's files."
    ]


def write_self(home: Path) -> None:
    """Note which process we are, for `stop`."""
    process = Process(os.getpid(), start_time(os.getpid()) or "", boot_id())
    (home / "service" / "launcher.json").write_text(json.dumps(asdict(process)))


def stop(home: Path) -> int:
    """End the hub of this folder if it runs, and then every unit."""
    if not home.exists():
        print(f"Nothing to stop: there is no {home}. Set SATURN_HOME to the folder that the hub used.")
        return 0
    with contextlib.suppress(FileNotFoundError, ValueError, ProcessLookupError):
        process = Process(**json.loads((home / "service" / "launcher.json").read_text()))
        if process.alive:
            os.kill(process.pid, signal.SIGTERM)
            until = time.monotonic() + 2 * END_SECONDS
            while process.alive and time.monotonic() < until:
                time.sleep(0.1)
            print("Ended the hub.")
    count = asyncio.run(stop_units(home, Path(os.environ.get("SATURN_IMAGES") or ROOT / ".images")))
    print(f"Stopped {count} {'unit' if count == 1 else 'units'}.")
    return 0


def proxy_folder(images: Path) -> Path:
    """The folder with the proxy's program. Installed there the first time, aside and by one at a time: it is there whole or not at all."""
    folder = images / "proxy"
    programs = folder / "node_modules" / ".bin"
    images.mkdir(parents=True, exist_ok=True)
    with open(images / "proxy.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (programs / PROXY).exists():
            return programs
        npm = shutil.which("npm", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
        if npm is None:
            raise ConfigurationError("There is no npm to install the proxy with. `make install` brings one.")
        print("Installing JupyterHub's proxy, once.", flush=True)
        part = images / "proxy.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        words = [npm, "install", "--prefix", str(part), "--no-audit", "--no-fund", "--silent", f"{PROXY}@{PROXY_VERSION}"]
        if subprocess.run(words, check=False, env=with_path(Path(sys.executable).parent)).returncode:
            raise ConfigurationError("JupyterHub's proxy could not be installed; npm's words are above.")
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    return programs


def with_path(*folders: Path) -> dict[str, str]:
    """Our environment with these folders first on the path."""
    return {**os.environ, "PATH": ":".join([*map(str, folders), os.environ.get("PATH", "")])}


def end_rest(session: int) -> None:
    """End what a hub that died hard left behind in its process group. Its proxy and service die with it by themselves."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(session, signal.SIGTERM)


async def running(home: Path, images: Path) -> list[str]:
    """The names of the units that have not ended."""
    if not (home / "work").exists():
        return []
    statuses = await LocalBackend(home, images).statuses()
    return [name for name, status in statuses.items() if status.phase in (Phase.STARTING, Phase.RUNNING)]


async def stop_units(home: Path, images: Path) -> int:
    """End every unit. Gives how many there were."""
    names = await running(home, images)
    if names:
        backend = LocalBackend(home, images)
        await asyncio.gather(*(backend.stop(name) for name in names))
    return len(names)


if __name__ == "__main__":
    sys.exit(main())
