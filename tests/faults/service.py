"""`service.py HOME [POINT]`: the service's loops on HOME, ended by SIGKILL when they reach POINT; without one they run on."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]

from points import Point, arm  # noqa: E402
from world import make_context  # noqa: E402

from saturn_hub.backends.local import LocalBackend  # noqa: E402
from saturn_hub.engine import environments, jobs  # noqa: E402
from saturn_hub.engine.reconcile.runs import Runs  # noqa: E402
from saturn_hub.engine.reconcile.versions import Versions  # noqa: E402
from saturn_hub.model.states import FINAL_RUN, RunState, VersionState  # noqa: E402
from saturn_hub.store import resources  # noqa: E402
from saturn_hub.web import loops  # noqa: E402


def becomes(*wanted: str) -> Callable[..., bool]:
    return lambda *words, **_named: words[-1] in wanted


def settles(final: bool) -> Callable[..., bool]:
    return lambda _self, _run, states: all(each in FINAL_RUN for each in states.values()) is final


RUN_POINTS = {
    "a step is about to be written as starting": Point(Runs, "_step", False, becomes(RunState.STARTING)),
    "a step is written as starting, and not started": Point(LocalBackend, "start", False),
    "a step is started, and the run does not say so": Point(LocalBackend, "start", True),
    "a run is about to be written as starting": Point(Runs, "_settle", False, settles(False)),
    "a step is about to be written as running": Point(Runs, "_step", False, becomes(RunState.RUNNING)),
    "a step is written as running": Point(Runs, "_step", True, becomes(RunState.RUNNING)),
    "a step has ended, and that is not written": Point(Runs, "_step", False, becomes(*FINAL_RUN)),
    "a step is written as ended, and the run is not": Point(Runs, "_step", True, becomes(*FINAL_RUN)),
    "a run is about to be written as ended": Point(Runs, "_settle", False, settles(True)),
    "a run is written as ended, and its environment is not kept": Point(environments, "keep", False),
    "a run's environment is kept": Point(environments, "keep", True),
}
CANCEL_POINTS = {
    "a step is about to be written as stopping": Point(Runs, "_step", False, becomes(RunState.STOPPING)),
    "a step is written as stopping, and not stopped": Point(LocalBackend, "stop", False),
    "a step is stopped, and that is not written": Point(LocalBackend, "stop", True),
    "a cancelled step is about to be written as ended": Point(Runs, "_step", False, becomes(*FINAL_RUN)),
}
SCHEDULE_POINTS = {
    "a run is due, and not made": Point(jobs, "make_scheduled", False),
    "a due run is made, and its schedule is not moved on": Point(resources, "move_schedule", False),
    "a schedule is about to be committed as moved on": Point(resources, "move_schedule", True),
}
VERSION_POINTS = {
    "a version is about to be written as tried": Point(Versions, "_begin_try", False),
    "a version is written as tried, and not started": Point(LocalBackend, "start", False),
    "a version is started, and nobody has seen it": Point(LocalBackend, "start", True),
    "a version answers, and is not written as serving": Point(Versions, "_serve", False),
    "a version is written as serving": Point(Versions, "_serve", True),
    "a retired version is about to be stopped": Point(LocalBackend, "stop", False),
    "a retired version is stopped, and that is not written": Point(LocalBackend, "stop", True),
    "a version is about to be written as retired": Point(Versions, "_becomes", False, becomes(VersionState.RETIRED)),
}
POINTS = RUN_POINTS | CANCEL_POINTS | SCHEDULE_POINTS | VERSION_POINTS


async def main(home: Path, point: str) -> None:
    if point:
        arm(POINTS[point])
    await loops.run(make_context(home))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""))
