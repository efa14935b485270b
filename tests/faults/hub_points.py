"""The points at which the hub's own process is ended while it starts and stops a workspace."""

from __future__ import annotations

from points import Point

from saturn_hub.backends.local import LocalBackend
from saturn_hub.hub.local_spawner import SaturnLocalSpawner

START_POINTS = {
    "a session is about to be asked for": Point(SaturnLocalSpawner, "_session", False),
    "a session is written, and its unit is not started": Point(LocalBackend, "start", False),
    "a unit is started, and the hub does not know that it runs": Point(LocalBackend, "start", True),
    "a session is written as running, and the hub has not kept it": Point(SaturnLocalSpawner, "start", True),
}
STOP_POINTS = {
    "a session is about to be written as stopping": Point(SaturnLocalSpawner, "stop", False),
    "a session is written as stopping, and its unit is not stopped": Point(LocalBackend, "stop", False),
    "a unit is stopped, and its session is not written as stopped": Point(LocalBackend, "stop", True),
    "a session is written as stopped, and the hub has not kept it": Point(SaturnLocalSpawner, "stop", True),
}
HUB_POINTS = START_POINTS | STOP_POINTS
