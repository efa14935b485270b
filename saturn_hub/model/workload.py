"""What a backend is asked to run. Made by `resolve` alone; frozen; goes to JSON and back without loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """The kinds of resource."""

    WORKSPACE = "workspace"
    JOB = "job"
    APP = "app"


class OwnerKind(StrEnum):
    PERSON = "person"
    TEAM = "team"


@dataclass(frozen=True)
class Owner:
    """Who owns a resource: a pair, never a prefixed string. `str()` gives the text form, `ada` or `team:growth`."""

    kind: OwnerKind
    name: str

    def __str__(self) -> str:
        return f"team:{self.name}" if self.kind is OwnerKind.TEAM else self.name

    @classmethod
    def parse(cls, text: str) -> Owner:
        """Read the text form."""
        if text.startswith("team:"):
            return cls(OwnerKind.TEAM, text.removeprefix("team:"))
        return cls(OwnerKind.PERSON, text)


@dataclass(frozen=True)
class Hardware:
    """The size that work is held to. `cpu` in cores, `memory_bytes` in bytes, `gpu` in whole devices."""

    name: str
    cpu: float
    memory_bytes: int
    gpu: int = 0
    # The next larger size by memory that this person may use, named when a run used too much.
    next_size: str | None = None


@dataclass(frozen=True)
class Software:
    """An image version. `prefix` is the folder of a prepared prefix on one machine, `container` a reference on a cluster."""

    name: str
    version: str
    path: tuple[str, ...] = ()
    environment_variables: Mapping[str, str] = field(default_factory=dict)
    container: str = ""


@dataclass(frozen=True)
class Checkout:
    """A git repository at a branch, tag or commit, in the folder `path` below the work's folder.

    `commit` pins the exact commit where a run is started again as it was; then `reference` only names it.
    """

    url: str
    reference: str
    path: str
    commit: str | None = None


@dataclass(frozen=True)
class Workload:
    """Everything a backend needs to run one thing, and nothing it has to decide.

    `folder` names the persistent folder the work sees as its own (`workspaces/ID`, `runs/ID`, `versions/ID`).
    `command` is an argv; a shell command of a recipe is `("sh", "-c", TEXT)`. `notebook` is run by the agent in place of it.
    `port` says whether the work listens: the backend picks a free port and hands it over as $PORT.
    """

    kind: Kind
    name: str
    owner: Owner
    hardware: Hardware
    software: Software
    folder: str
    command: tuple[str, ...] = ()
    notebook: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    # The type that the recipe declares for each, so that a notebook gets a number and not its text.
    parameter_types: Mapping[str, str] = field(default_factory=dict)
    repositories: tuple[Checkout, ...] = ()
    pip: tuple[str, ...] = ()
    environment_variables: Mapping[str, str] = field(default_factory=dict)
    working_directory: str = ""
    start_script: str = ""
    listens: bool = False
    timeout_seconds: int | None = None
    revision: int = 0
    # A workspace keeps what its person installs by hand; a run and an app version start from the recipe alone.
    keeps_packages: bool = False

    def to_json(self) -> dict[str, Any]:
        """A JSON object that `from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Workload:
        """Read what `to_json` wrote."""
        values = dict(data)
        values["kind"] = Kind(values["kind"])
        values["owner"] = Owner(OwnerKind(values["owner"]["kind"]), values["owner"]["name"])
        values["hardware"] = Hardware(**values["hardware"])
        software = dict(values["software"])
        software["path"] = tuple(software["path"])
        values["software"] = Software(**software)
        values["repositories"] = tuple(Checkout(**each) for each in values["repositories"])
        values["command"] = tuple(values["command"])
        values["pip"] = tuple(values["pip"])
        return cls(**values)
