"""The port of a backend: the promises that local processes and Kubernetes both keep, checked by one contract suite."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from saturn_hub.model.workload import Workload


class Phase(StrEnum):
    """Where a unit of work is. `gone` is said of a name the backend does not know; `ended` is final."""

    STARTING = "starting"  # recorded, being prepared (cloning, installing)
    RUNNING = "running"  # the command itself runs
    ENDED = "ended"
    GONE = "gone"


@dataclass(frozen=True)
class Status:
    """What the backend knows of one unit.

    `exit_code` is None while it runs, and None at the end when nobody saw it end (killed with the machine, say).
    `code` and `message` say why it failed where that is not the command's own doing: `out_of_memory`, `timed_out`,
    `repository_failed`, `packages_failed`, `start_script_failed`, `lost`; `path` names the recipe's field.
    `progress` is the newest sentence of the preparation.
    """

    phase: Phase
    exit_code: int | None = None
    code: str = ""
    message: str = ""
    path: str = ""
    progress: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    # What the preparation did, one dict a repository: {path, url, reference, commit, dirty, message}.
    repositories: tuple[Mapping[str, Any], ...] = field(default_factory=tuple)


@dataclass(frozen=True)
class Capacity:
    """What there is and what is free now: cores, bytes, whole GPUs."""

    cpu: float
    memory_bytes: int
    gpu: int
    free_memory_bytes: int
    free_gpu: int


class Backend(Protocol):
    """A place where workloads run. Decides nothing: what to run was settled by `model.resolve`."""

    async def start(self, name: str, workload: Workload) -> None:
        """Make `workload` run under `name`, and return when that is recorded, not when it runs.

        Calling it again with the same name changes nothing, so a caller that died may simply repeat it.
        Raises OutOfCapacity, ImageUnavailable, InvalidWorkload; BackendUnavailable where trying again may help.
        """

    async def stop(self, name: str, grace_seconds: float = 10) -> None:
        """Ask the whole tree under `name` to end, and end it after `grace_seconds`. Returns when it has ended."""

    async def forget(self, name: str) -> None:
        """Drop what is kept of an ended unit, so that the name is free again. The work's folder stays."""

    async def statuses(self, names: Collection[str] | None = None) -> dict[str, Status]:
        """The status of each name (GONE for those unknown), or of all that live, from one bulk look. Costs nothing for what has ended."""

    def watch(self) -> AsyncIterator[str]:
        """Names whose status may have changed, as it happens. A hint: `statuses` stays the truth."""

    def logs(self, name: str, *, offset: int = 0, follow: bool = False) -> AsyncIterator[bytes]:
        """The unit's output from byte `offset`; with `follow` until it has ended and all is read."""

    async def address(self, name: str) -> tuple[str, int] | None:
        """Host and port where a unit that listens can be reached from the gateway, None while there is none."""

    async def environment(self, name: str, *, fresh: bool = False) -> dict[str, Any] | None:
        """The environment record of a unit (see `model.environment`): the newest, waiting for the one of its start; `fresh` takes one now.

        None where there is none, or no such unit. Raises BackendUnavailable where one could not be taken.
        """

    async def capacity(self) -> Capacity:
        """What there is and what is free."""
