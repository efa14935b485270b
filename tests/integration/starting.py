"""Hubs of their own for tests of start and stop: real processes on free ports, counted by the folder that they work on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from saturn_hub.hub.kept import free_port

ROOT = Path(__file__).parents[2]
START_SECONDS = 90


def eventually(condition: Callable[[], Any], what: str, seconds: float = START_SECONDS) -> Any:
    """The first true answer of `condition`; asked again until then."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with suppress(OSError, httpx.HTTPError):
            if found := condition():
                return found
        time.sleep(0.1)
    raise AssertionError(f"not in {seconds} seconds: {what}")


@dataclass
class Started:
    """A hub on a folder: how it was started, and what it says."""

    home: Path
    config: Path | None = None
    port: int = field(default_factory=lambda: free_port(set()))
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.apps_port = free_port({self.port})
        ports = {"HUB_PORT": str(self.port), "APPS_PORT": str(self.apps_port)}
        self.environment = {**os.environ, "SATURN_HOME": str(self.home), **ports, **self.variables}
        self.process: subprocess.Popen[str] | None = None
        self.clients: list[httpx.Client] = []

    def start(self, command: list[str] | None = None) -> None:
        """Start it; what it says is in `said`."""
        words = command or [sys.executable, "-m", "saturn_hub.cli.hub", "start", *(["--config", str(self.config)] if self.config else [])]
        with open(self.home.parent / "said", "w") as said:
            self.process = subprocess.Popen(words, env=self.environment, cwd=ROOT, stdout=said, stderr=said, text=True, start_new_session=True)

    @property
    def said(self) -> str:
        return (self.home.parent / "said").read_text()

    def ready(self) -> None:
        assert self.process
        process = self.process
        eventually(lambda: "Passwords:" in self.said or process.poll() is not None, "the hub answers")
        assert process.poll() is None, self.said

    def end(self, number: signal.Signals = signal.SIGTERM, seconds: float = 40) -> int:
        """Signal it and wait. Gives its exit code."""
        assert self.process
        self.process.send_signal(number)
        return self.process.wait(seconds)

    def stop(self) -> str:
        """`make stop`."""
        words = [sys.executable, "-m", "saturn_hub.cli.hub", "stop"]
        return subprocess.run(words, env=self.environment, cwd=ROOT, check=True, timeout=90, text=True, capture_output=True).stdout

    def clean(self) -> None:
        """Leave nothing, whatever the test did."""
        for each in self.clients:
            each.close()
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.home.exists():
            self.stop()
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        eventually(lambda: not self.processes(), "everything has ended", 30)

    def processes(self, *words: str) -> list[int]:
        """Living processes of this hub, by the folder in their environment or command line; those with all of `words` in the command."""
        found = []
        for each in Path("/proc").iterdir():
            if not each.name.isdigit():
                continue
            with suppress(OSError):
                told = (each / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if str(self.home.parent) in told or str(self.home.parent) in (each / "environ").read_bytes().decode(errors="replace"):
                    alive = (each / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
                    if alive and all(word in told for word in words):
                        found.append(int(each.name))
        return found

    def browser(self, name: str, password: str, base: str = "") -> httpx.Client:
        """Somebody signed in by the form."""
        client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}{base}", trust_env=False, follow_redirects=True, timeout=30)
        self.clients.append(client)
        client.get("/hub/login")
        answer = client.post("/hub/login", data={"username": name, "password": password, "_xsrf": client.cookies.get("_xsrf")})
        assert answer.status_code != 403 and "/hub/login" not in str(answer.url), answer.text[-800:]
        return client
