"""A recipe: the declarative description of one workspace, job or app.

The pydantic models here check every input and make the OpenAPI document. Unknown keys are errors; keys of features that are
not built yet are refused with `not_available_yet`. All problems come at once, each with its path.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import yaml
from cronsim import CronSim, CronSimError
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from saturn_hub.errors import InvalidInput, Problem
from saturn_hub.model import text
from saturn_hub.model.workload import Kind, Owner

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
NAME_MAXIMUM = 30
YAML_MAXIMUM = 200_000
RESERVED_HOSTS = frozenset({"www", "api", "hub"})
# Keys of the design whose feature is not built: said with their path rather than accepted and ignored.
NOT_YET = frozenset({"secrets", "folders", "retries", "notify", "disk", "idle_timeout_seconds", "replicas", "sleep_after_seconds"})
NOT_YET_PACKAGES = frozenset({"apt", "conda", "cran"})

Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Repository(Strict):
    """A git repository at a branch, tag or commit; `path` is the folder it is cloned to."""

    url: str = Field(min_length=1, max_length=2000)
    reference: str = Field(default="main", min_length=1, max_length=250, pattern=r"^[^-\s][^\s]*$")
    path: str = Field(default="", max_length=200)

    @field_validator("url")
    @classmethod
    def _known_scheme(cls, url: str) -> str:
        if not re.match(r"^(https?|ssh|git|file)://[^\s]+$|^[\w.-]+@[\w.-]+:[^\s]+$", url):
            raise ValueError("is not a git address: use https://, ssh://, git://, file:// or user@host:path")
        return url

    @field_validator("path")
    @classmethod
    def _inside(cls, path: str) -> str:
        return relative_path(path)

    @property
    def folder(self) -> str:
        """Where it goes: `path`, else the last part of the address without `.git`."""
        return self.path or re.split(r"[/:]", self.url.rstrip("/"))[-1].removesuffix(".git")


class Packages(Strict):
    """Software on top of the image, as its own package managers name it."""

    pip: list[Annotated[str, StringConstraints(min_length=1, max_length=300)]] = Field(default_factory=list, max_length=500)

    @field_validator("pip")
    @classmethod
    def _requirements(cls, pip: list[str]) -> list[str]:
        for requirement in pip:
            if requirement.startswith(("-", ".", "/")) or "file:" in requirement or "\n" in requirement:
                raise ValueError(f"'{requirement}' is not a requirement: write a name with a version, as in lightgbm==4.6.0")
        return pip


class Parameter(Strict):
    """A value that a run may be given. `default` makes it optional; `scheduled_date` stands for the day the run was due."""

    type: Literal["string", "integer", "number", "boolean", "date"] = "string"
    default: str | int | float | bool | None = None
    description: str = ""


class ScheduleEntry(Strict):
    """A five-field cron expression read in a time zone."""

    cron: str
    timezone: str = "UTC"
    overlap: Literal["forbid", "allow"] = "forbid"
    catch_up: Literal["none", "last", "all"] = "last"

    @field_validator("cron")
    @classmethod
    def _five_fields(cls, cron: str) -> str:
        from datetime import UTC, datetime

        if len(cron.split()) != 5:
            raise ValueError("has to have five fields: minute, hour, day of month, month, day of week")
        try:
            CronSim(cron, datetime(2026, 1, 1, tzinfo=UTC))
        except CronSimError as error:
            raise ValueError(f"'{cron}' is not a cron expression: {error}") from error
        return cron

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, timezone: str) -> str:
        from zoneinfo import ZoneInfo

        try:
            ZoneInfo(timezone)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"'{timezone}' is not a time zone: write a name such as Europe/Paris") from error
        return timezone


class Step(Strict):
    """One step of a job: a command or a notebook, started when all that it `needs` have succeeded."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=NAME_MAXIMUM)]
    command: str = Field(default="", max_length=20_000)
    notebook: str = ""
    needs: list[str] = Field(default_factory=list)

    @field_validator("notebook")
    @classmethod
    def _inside(cls, path: str) -> str:
        return relative_path(path)


class Health(Strict):
    """Where an app says that it is ready: an HTTP path that answers below 500, and how long that may take."""

    path: str = Field(default="/", pattern=r"^/")
    timeout_seconds: int = Field(default=120, ge=1, le=3600)


class Recipe(Strict):
    """One resource, as a person writes it."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    kind: Kind
    name: Annotated[str, StringConstraints(max_length=NAME_MAXIMUM)]
    owner: str = ""
    description: str = Field(default="", max_length=2000)
    tags: list[Annotated[str, StringConstraints(min_length=1, max_length=50)]] = Field(default_factory=list, max_length=50)
    image: str = ""
    size: str = ""
    repositories: list[Repository] = Field(default_factory=list, max_length=50)
    packages: Packages = Field(default_factory=Packages)
    environment_variables: dict[Identifier, str] = Field(default_factory=dict)
    working_directory: str = ""
    start_script: str = Field(default="", max_length=20_000)
    # workspace
    tool: str = ""
    # job
    command: str = Field(default="", max_length=20_000)
    notebook: str = ""
    steps: list[Step] = Field(default_factory=list, max_length=100)
    parameters: dict[Identifier, Parameter] = Field(default_factory=dict)
    schedules: list[ScheduleEntry] = Field(default_factory=list, max_length=20)
    timeout_seconds: int | None = Field(default=None, ge=1, le=31 * 86400)
    # app
    host: str = ""
    port: int | None = Field(default=None, ge=1024, le=65535)
    health: Health = Field(default_factory=Health)

    @field_validator("name")
    @classmethod
    def _named(cls, name: str) -> str:
        if not NAME.fullmatch(name):
            raise ValueError(f"'{name}' cannot be a name: use small letters, digits and single hyphens, beginning with a letter")
        return name

    @field_validator("working_directory", "notebook")
    @classmethod
    def _inside(cls, path: str) -> str:
        return relative_path(path)

    @field_validator("environment_variables")
    @classmethod
    def _free_names(cls, variables: dict[str, str]) -> dict[str, str]:
        for name in variables:
            if name.startswith(("SATURN_", "JUPYTERHUB_")):
                raise ValueError(f"{name} is set by the platform: choose another name")
        return variables

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        _check_kind(self)
        _check_steps(self)
        folders = [each.folder for each in self.repositories]
        twice = sorted({folder for folder in folders if folders.count(folder) > 1})
        if twice:
            raise ValueError(f"repositories: two go to the folder '{twice[0]}'; give one another path")
        return self

    def owned_by(self, person: str) -> Owner:
        """The owner that the recipe names, else `person`."""
        return Owner.parse(self.owner or person)

    def document(self) -> dict[str, Any]:
        """The recipe as a plain JSON object without what is left at its default."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True) | {"schema": 1}


ONLY = {
    Kind.WORKSPACE: ("tool",),
    Kind.JOB: ("command", "notebook", "steps", "parameters", "schedules", "timeout_seconds"),
    Kind.APP: ("command", "host", "port", "health"),
}


def _check_kind(recipe: Recipe) -> None:
    every = {key for keys in ONLY.values() for key in keys}
    for key in sorted(every - set(ONLY[recipe.kind])):
        if key in recipe.model_fields_set and getattr(recipe, key) not in ("", [], {}, None):
            raise ValueError(f"{key}: a {recipe.kind} has no such key")
    if recipe.kind is Kind.JOB and sum(map(bool, (recipe.command, recipe.notebook, recipe.steps))) != 1:
        raise ValueError("command: a job has exactly one of command, notebook and steps")
    if recipe.kind is Kind.APP and not recipe.command:
        raise ValueError("command: an app needs the command that listens on $PORT")
    if recipe.host and (not NAME.fullmatch(recipe.host) or recipe.host in RESERVED_HOSTS):
        raise ValueError(f"host: '{recipe.host}' cannot be a host name here")


def _check_steps(recipe: Recipe) -> None:
    seen: set[str] = set()
    for index, step in enumerate(recipe.steps):
        if bool(step.command) == bool(step.notebook):
            raise ValueError(f"steps[{index}].command: a step has exactly one of command and notebook")
        if step.name in seen:
            raise ValueError(f"steps[{index}].name: '{step.name}' is there twice")
        for need in step.needs:
            if need not in {each.name for each in recipe.steps}:
                raise ValueError(f"steps[{index}].needs: there is no step '{need}'")
            if need not in seen:
                raise ValueError(f"steps[{index}].needs: '{need}' has to come before '{step.name}'")
        seen.add(step.name)


def relative_path(path: str) -> str:
    """`path` if it stays inside its folder, else ValueError."""
    if path.startswith(("/", "~")) or ".." in path.split("/") or "\0" in path:
        raise ValueError(f"'{path}' has to be a path inside the folder of the work")
    return path.strip("/") if path not in (".", "./") else ""


def read(document: Mapping[str, Any]) -> Recipe:
    """Check a plain object. Raises InvalidInput with every problem that was found."""
    if not isinstance(document, Mapping):
        raise InvalidInput("A recipe is an object with keys such as kind and name.", path="")
    if unkeepable := text.problems(document):
        raise InvalidInput.of(unkeepable)
    problems = [Problem("not_available_yet", f"{key} is not available yet.", key) for key in sorted(NOT_YET & set(document)) if document[key]]
    packages = document.get("packages")
    if isinstance(packages, Mapping):
        problems += [
            Problem("not_available_yet", f"packages.{k} is not available yet.", f"packages.{k}")
            for k in sorted(NOT_YET_PACKAGES & set(packages))
            if packages[k]
        ]
        packages = {key: value for key, value in packages.items() if key not in NOT_YET_PACKAGES}
        document = {**document, "packages": packages}
    document = {key: value for key, value in document.items() if key not in NOT_YET}
    try:
        recipe = Recipe.model_validate(document)
    except ValidationError as error:
        raise InvalidInput.of([*problems, *problems_of(error)]) from error
    if problems:
        raise InvalidInput.of(problems)
    return recipe


class _Yaml(yaml.SafeLoader):
    """Plain YAML: without aliases, with which a few lines can stand for more than memory holds."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError(f"line {self.line + 1}: anchors and aliases (& and *) cannot be used in a recipe")
        return super().compose_node(parent, index)


def read_yaml(source: str) -> dict[str, Any]:
    """Parse YAML or JSON text of one recipe. Raises InvalidInput that names the line."""
    if len(source) > YAML_MAXIMUM:
        raise InvalidInput(f"This has more than {YAML_MAXIMUM} characters. Put code into a repository and name it here.", code="too_large")
    try:
        document = yaml.load(source, _Yaml)
    except RecursionError as error:
        raise InvalidInput("This is not a recipe: it is nested too deep.", code="too_deep") from error
    # A date such as 2026-13-45 and a number of thousands of digits are ValueErrors of Python's own.
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise InvalidInput(f"This is not YAML: {' '.join(str(error).split())}", code="not_yaml") from error
    if not isinstance(document, dict):
        raise InvalidInput("A recipe is an object with keys such as kind and name.", code="not_an_object")
    return document


def write_yaml(document: Mapping[str, Any]) -> str:
    """The YAML text of a recipe, in the order of the model."""
    order = [field.alias or name for name, field in Recipe.model_fields.items()]
    return yaml.safe_dump({key: document[key] for key in order if key in document}, sort_keys=False, allow_unicode=True, width=120)


def problems_of(error: ValidationError) -> list[Problem]:
    """Pydantic's findings as problems with paths like `repositories[0].url`."""
    problems = []
    for each in error.errors():
        path = ""
        for part in each["loc"]:
            path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
        message = each["msg"].removeprefix("Value error, ")
        if each["type"] == "extra_forbidden":
            message = f"There is no key '{each['loc'][-1]}' here."
        elif not path and ": " in message:
            path, message = message.split(": ", 1)
        problems.append(Problem("unknown_key" if each["type"] == "extra_forbidden" else "invalid", message[:1].upper() + message[1:], path))
    return problems
