"""What recording an environment costs: `python bench/environment.py`. One line a figure; the four tools by hand are the peer, in the same run.

What the machine has is filled up to 300 Python and 1,000 Debian packages, for both alike.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/contract")]
from units import IMAGES, until, work  # noqa: E402

from saturn_hub.backends.local import LocalBackend  # noqa: E402

TOOLS = (
    ("python", "-c", "import importlib.metadata as m; print([(d.metadata['Name'], d.version) for d in m.distributions()])"),
    ("Rscript", "-e", "installed.packages()[, c('Package', 'Version')]"),
    ("dpkg-query", "-W"),
    ("git", "-C", str(ROOT), "rev-parse", "HEAD"),
)
TURNS = 5
PACKAGES = {"python": 300, "os": 1000}
VARIABLES: dict[str, str] = {}


async def main() -> None:
    home = Path(tempfile.mkdtemp(prefix="saturn-bench-", dir="/var/tmp"))
    home.chmod(0o711)
    backend = LocalBackend(home, IMAGES)
    try:
        record = await first(backend)
        fill_up(home, PACKAGES["python"] - len(record["python"]), PACKAGES["os"] - len(record["os"]["packages"]))
        print(f"environment: four tools by hand: {cpu(by_hand):.2f} s of a core, {best(by_hand):.2f} s")
        taken = json.loads(subprocess.run([sys.executable, "-I", "-S", ROOT / "saturn_hub/agent/record.py", ROOT], env=variables(), capture_output=True).stdout)
        print(f"environment: packages: {len(taken['python'])} Python, {len(taken['os']['packages'])} Debian, {len(taken['r'])} R")
        script = [sys.executable, "-I", "-S", ROOT / "saturn_hub/agent/record.py", ROOT]
        print(f"environment: the record: {cpu(lambda: quietly(script)):.2f} s of a core, {best(lambda: quietly(script)):.2f} s")
        print(f"environment: bare command: {best(lambda: quietly(['sh', '-c', 'true'])) * 1000:.0f} ms")
        print(f"environment: a unit that does nothing, start to end: {await unit(backend) * 1000:.0f} ms (its record is taken beside it)")
    finally:
        shutil.rmtree(home)


async def first(backend: LocalBackend) -> dict:
    await backend.start("first", work("true"))
    await until(backend, "first")
    record = await backend.environment("first")
    assert record is not None
    return record


async def unit(backend: LocalBackend) -> float:
    """The best time from the start of a unit to its known end."""
    times = []
    for turn in range(TURNS):
        started = time.monotonic()
        await backend.start(f"u{turn}", work("true"))
        await until(backend, f"u{turn}")
        times.append(time.monotonic() - started)
        await backend.environment(f"u{turn}")
    return min(times)


def fill_up(home: Path, python: int, debian: int) -> None:
    """Packages in name only, for the tools to find beside those of the machine."""
    for n in range(python):
        folder = home / "more" / f"filler_{n}-1.0.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: filler-{n}\nVersion: 1.0\nSummary: x\n\n" + "A long description.\n" * 100)
    (home / "dpkg").mkdir()
    entry = "Package: filler-{}\nStatus: install ok installed\nVersion: 1.0\nArchitecture: all\nMaintainer: a <a@a.aa>\nDescription: x\n\n"
    status = Path("/var/lib/dpkg/status").read_text()
    (home / "dpkg/status").write_text(status + "\n" * (not status.endswith("\n\n")) + "".join(entry.format(n) for n in range(debian)))
    VARIABLES.update({"PYTHONPATH": str(home / "more"), "DPKG_ADMINDIR": str(home / "dpkg")})


def variables() -> dict[str, str]:
    return {**os.environ, "PATH": f"{IMAGES / 'local/bin'}:{os.environ['PATH']}", **VARIABLES}


def by_hand() -> None:
    for each in TOOLS:
        quietly(each)


def quietly(words) -> None:
    subprocess.run(words, env=variables(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)


def cpu(act) -> float:
    """The least time of a core that children of ours took for it."""
    least = []
    for _ in range(TURNS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        act()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        least.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(least)


def best(act) -> float:
    times = []
    for _ in range(TURNS):
        started = time.monotonic()
        act()
        times.append(time.monotonic() - started)
    return min(times)


if __name__ == "__main__":
    asyncio.run(main())
