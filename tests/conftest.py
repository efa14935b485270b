"""One real hub for all tests that need one: started as a person starts it, on ports and in a folder of its own."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from saturn_hub.backends.local import LocalBackend
from saturn_hub.cli.hub import free_port

ROOT = Path(__file__).parents[1]
START_SECONDS = 180


@dataclass(frozen=True)
class Hub:
    """Where a hub is, and the first people's passwords."""

    url: str
    apps_port: int
    home: Path
    passwords: dict[str, str] = field(repr=False)


# The one hub, while it runs.
running: list[Hub] = []


@pytest.fixture(scope="session")
def hub() -> Iterator[Hub]:
    """A running hub. It is ended after the last test, with its units."""
    # Not below /tmp: each unit has a /tmp of its own, and would not see its folder there.
    home = Path(tempfile.mkdtemp(prefix="saturn-test-", dir="/var/tmp"))
    home.chmod(0o711)
    port = free_port(set())
    apps_port = free_port({port})
    environment = {**os.environ, "SATURN_HOME": str(home), "HUB_PORT": str(port), "APPS_PORT": str(apps_port)}
    command = [sys.executable, "-m", "saturn_hub.cli.hub"]
    started = [*command, "start"]
    if config := os.environ.get("SATURN_TEST_CONFIG"):
        started += ["--config", config]
    with open(home / "hub.log", "w+") as log:
        process = subprocess.Popen(started, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            _wait_until_ready(process, home / "hub.log")
            passwords = {each.name: each.read_text().strip() for each in (home / "passwords").iterdir()}
            made = Hub(f"http://127.0.0.1:{port}", apps_port, home, passwords)
            running.append(made)
            yield made
        finally:
            running.clear()
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            finally:
                process.kill()
                process.wait()
                if process.stdout:
                    process.stdout.close()
                subprocess.run([*command, "stop"], env=environment, cwd=ROOT, check=True, timeout=60)
    shutil.rmtree(home)


@pytest.fixture(scope="module", autouse=True)
def room() -> Iterator[None]:
    """What a file's tests left running on the one hub ends with them: the next file's find the machine's memory free."""
    yield
    for each in running:
        _end_apps(each)
        asyncio.run(_end_work(each.home))


def _end_apps(hub: Hub) -> None:
    """Stop every app but the one that ada has from the start."""
    from tests.integration.conftest import Session

    admin = Session(hub, "admin")
    for item in admin.api("GET", "/recipes?kind=app&all=1").json()["items"]:
        if item["state"] in ("serving", "deploying") and item["name"] != "dashboard":
            admin.api("POST", f"/apps/{item['owner']}/{item['name']}/stop")
    admin.client.close()


async def _end_work(home: Path) -> None:
    backend = LocalBackend(home, Path(os.environ.get("SATURN_IMAGES", ROOT / ".images")))
    left = [name for name in await backend.statuses() if name.startswith(("workspace-", "run-"))]
    await asyncio.gather(*(backend.stop(name, grace_seconds=2) for name in left))


def _wait_until_ready(process: subprocess.Popen[str], log: Path) -> None:
    """Read what it says until it names where the passwords are; its output is drained from then on."""
    assert process.stdout
    timer = threading.Timer(START_SECONDS, process.terminate)
    timer.start()
    for line in process.stdout:
        if line.startswith("Passwords:"):
            timer.cancel()
            threading.Thread(target=process.stdout.read, daemon=True).start()
            return
    timer.cancel()
    kept = "".join(each.read_text()[-3000:] for each in sorted((log.parent / "logs").glob("*.log")))
    pytest.fail(f"The hub did not start:\n{log.read_text()[-4000:]}\n{kept}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What shares the one hub runs on one worker, one test after the other; everything else is spread."""
    for item in items:
        if "hub" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("hub"))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What ran, and what did not with its reason."""
    ran = sum(len(terminalreporter.getreports(each)) for each in ("passed", "failed", "xfailed"))
    reasons = Counter(each.longrepr[2].removeprefix("Skipped: ") for each in terminalreporter.getreports("skipped") if isinstance(each.longrepr, tuple))
    terminalreporter.section("what ran")
    terminalreporter.write_line(f"{ran} tests ran, {sum(reasons.values())} did not.")
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"{count} did not run: {reason}")


UNAVAILABLE = ROOT / "tests" / "unavailable.txt"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """With CI=true a skip is a failure, but for what `unavailable.txt` says cannot be had."""
    report = yield
    if os.environ.get("CI") == "true" and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        known = [line.split()[0] for line in UNAVAILABLE.read_text().splitlines() if line.strip()]
        if not any(each in reason for each in known):
            report.outcome = "failed"
            report.longrepr = f"This would be skipped, and CI has to have it: {reason}"
    return report
