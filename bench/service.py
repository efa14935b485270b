"""The service with 200 resources of one person, 10,000 past runs and 1,000 schedules: its pages, what it costs when idle, and a job that does nothing.

`python bench/service.py`. One line a figure: name, value, unit. The peer of the job is its bare command, in the same run.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import insert

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from saturn_hub.store import people, resources  # noqa: E402
from saturn_hub.store.database import Database, new_id  # noqa: E402
from saturn_hub.store.tables import runs  # noqa: E402
from tests.integration.conftest import Session  # noqa: E402
from tests.integration.starting import Started  # noqa: E402

MINE = {"job": 150, "workspace": 25, "app": 25}
RUNS, SCHEDULES = 10_000, 1_000
LOOKS, IDLE_SECONDS, JOBS = 200, 30, 20
HARDWARE = {"name": "small", "cpu": 1, "memory_bytes": 2**31, "gpu": 0, "next_size": None}


def say(name: str, value: float, unit: str) -> None:
    print(f"{name}: {value:.4g} {unit}", flush=True)


async def seed(home: Path) -> None:
    """A year of work in the tables, as the product writes it."""
    database = Database(f"sqlite:///{home / 'service' / 'saturn.sqlite'}")
    database.migrate()
    now = datetime.now(UTC)
    async with database.begin() as connection:
        ada = await people.mirror(connection, "ada", False, ("growth",), now)
        ben = await people.mirror(connection, "ben", False, ("growth",), now)
        jobs = []
        for kind, count in MINE.items():
            for number in range(count):
                jobs += [await add(connection, now, ada.id, "ada", kind, number)] if kind == "job" else []
                if kind != "job":
                    await add(connection, now, ada.id, "ada", kind, number)
        for number in range(SCHEDULES):
            job = await add(connection, now, ben.id, "ben", "job", number)
            schedule = {"cron": "0 6 * * *", "timezone": "UTC", "overlap": "forbid", "catch_up": "last"}
            await resources.set_schedules(connection, job, [{"position": 0, "schedule": schedule, "next_at": now + timedelta(hours=9, seconds=number)}])
        await connection.execute(insert(runs), [past(now, jobs[n % len(jobs)], n, len(jobs)) for n in range(RUNS)])
    await database.close()


async def add(connection, now: datetime, owner: str, name: str, kind: str, number: int) -> str:
    recipe = {"schema": 1, "kind": kind, "name": f"{kind}-{number}", "owner": name, "size": "small", "image": "local"}
    recipe |= {} if kind == "workspace" else {"command": "true"}
    values = {"kind": kind, "owner_kind": "person", "owner_id": owner, "name": recipe["name"], "host": f"{name}-{number}" if kind == "app" else None}
    return await resources.create(connection, now, name, values, recipe)


def past(now: datetime, job: str, number: int, jobs: int) -> dict:
    at = now - timedelta(minutes=50 * (RUNS - number))
    run = {"id": new_id(), "resource_id": job, "number": number // jobs + 1, "revision": 1, "state": "succeeded", "trigger": "schedule", "parameters": {}}
    run |= {"requested_by": "ada", "workload": {"hardware": HARDWARE, "folder": "runs/x"}, "reason": "", "path": "", "exit_code": 0, "cancel": False}
    return run | {"created_at": at, "started_at": at, "finished_at": at + timedelta(minutes=3), "environment": "0" * 64}


def home_page(ada: Session) -> None:
    """How long the home page takes, and what a first view of it weighs with all that it asks for."""
    times = []
    for _ in range(LOOKS):
        began = time.perf_counter()
        assert ada.client.get("/services/saturn/").status_code == 200
        times.append((time.perf_counter() - began) * 1000)
    say("home page through the proxy, p50", statistics.median(times), "ms")
    say("home page through the proxy, p95 (goal: 100)", sorted(times)[int(LOOKS * 0.95)], "ms")
    page = ada.client.get("/services/saturn/")
    found = set(re.findall(r'(?:href|src)="([^"#]+\.(?:css|js|svg))', page.text))
    folder = next(each for each in found if each.endswith("/saturn.js")).rpartition("/")[0]
    wanted = found | {f"{folder}/{name}" for name in ("live.js", "log.js", "form.js", "icons.svg")}
    weight = size_of(ada, "/services/saturn/") + sum(size_of(ada, each) for each in wanted)
    say("first view of the home page, cold cache (goal: 300)", weight / 1024, "KiB")


def size_of(ada: Session, path: str) -> int:
    """Bytes as sent: head and compressed body."""
    with ada.client.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.status_code == 200, path
        return sum(len(b"".join(each)) + 4 for each in answer.headers.raw) + sum(len(each) for each in answer.iter_raw())


def nothing(ada: Session) -> None:
    """From the request for a run to its end known to the client, over the bare command."""
    ada.make(kind="job", name="nothing", command="true")
    times, bare = [], []
    for _ in range(JOBS):
        began = time.perf_counter()
        assert ada.run("nothing")["state"] == "succeeded"
        times.append(time.perf_counter() - began)
        began = time.perf_counter()
        subprocess.run(["sh", "-c", "true"], check=True)
        bare.append(time.perf_counter() - began)
    say("a job that does nothing, over its bare command, median (goal: 0.3)", statistics.median(times) - statistics.median(bare), "s")
    say("the same, slowest of 20", max(times) - statistics.median(bare), "s")


def idle(hub: Started) -> None:
    """What the service takes while nothing happens."""
    pids = [pid for pid in hub.processes("saturn_hub.web") if b"worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    pid = max(pids)
    ticks = [cpu_ticks(pid)]
    time.sleep(IDLE_SECONDS)
    ticks.append(cpu_ticks(pid))
    say("service idle (goal: 1)", (ticks[1] - ticks[0]) / 100 / IDLE_SECONDS * 100, "% of a core")
    status = Path(f"/proc/{pid}/status").read_text()
    say("service resident (goal: 150)", int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024, "MiB")


def cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="saturn-bench-", dir="/var/tmp"))
    folder.chmod(0o711)
    hub = Started(folder / "home")
    try:
        (hub.home / "service").mkdir(parents=True)
        hub.home.chmod(0o711)
        asyncio.run(seed(hub.home))
        (hub.home / "service" / "examples.done").touch()
        hub.start()
        hub.ready()
        address = type("Address", (), {"url": f"http://127.0.0.1:{hub.port}"})()
        address.passwords = {each.name: each.read_text().strip() for each in (hub.home / "passwords").iterdir()}
        ada = Session(address, "ada")
        hub.clients.append(ada.client)
        home_page(ada)
        nothing(ada)
        time.sleep(10)
        idle(hub)
    finally:
        hub.clean()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
