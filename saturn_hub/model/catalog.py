"""The catalog: sizes, images and tools that an admin offers, who may use each, and what it costs."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Annotated, Any

import yaml
from pydantic import Field, StringConstraints, ValidationError, field_validator

from saturn_hub.errors import ConfigurationError, Problem
from saturn_hub.model.recipe import Strict, problems_of

UNITS = {"": 1, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
ShortName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]*$", max_length=60)]


def memory_bytes(text: str) -> int:
    """Bytes of a Kubernetes quantity such as 2Gi. Raises ValueError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]i?)?", text.strip())
    if not match:
        raise ValueError(f"'{text}' is not an amount of memory: write one such as 2Gi")
    return int(Decimal(match[1]) * UNITS[match[2] or ""])


class Size(Strict):
    """Hardware that work may be given, and its price."""

    name: ShortName
    title: str = ""
    description: str = ""
    cpu: float = Field(gt=0)
    memory: str
    gpu: int = Field(default=0, ge=0)
    resources: dict[str, int | str] = Field(default_factory=dict)
    placement: dict[str, Any] = Field(default_factory=dict)
    price_per_hour: Decimal = Field(ge=0)
    groups: list[str] = Field(default_factory=list)

    @field_validator("memory")
    @classmethod
    def _readable(cls, text: str) -> str:
        memory_bytes(text)
        return text

    @property
    def memory_bytes(self) -> int:
        return memory_bytes(self.memory)


class LocalPrefix(Strict):
    """A prepared prefix on one machine: folders that lead PATH, and variables."""

    path: list[str] = Field(default_factory=list)
    environment_variables: dict[str, str] = Field(default_factory=dict)


class ImageVersion(Strict):
    name: str
    container: str = ""
    local: LocalPrefix = Field(default_factory=LocalPrefix)


class Image(Strict):
    """Software that work starts from; the last version is the one taken when none is named."""

    name: ShortName
    title: str = ""
    description: str = ""
    tools: list[str] = Field(default_factory=list)
    versions: list[ImageVersion] = Field(min_length=1)
    groups: list[str] = Field(default_factory=list)


class Tool(Strict):
    """An editor that a workspace opens with. `url` is its path below the workspace's address."""

    name: ShortName
    title: str
    description: str = ""
    url: str = "/lab"
    program: str = ""


class Policy(Strict):
    any_container: bool = False


class Catalog(Strict):
    """Everything on offer."""

    currency: str = "EUR"
    sizes: list[Size] = Field(min_length=1)
    images: list[Image] = Field(min_length=1)
    tools: list[Tool] = Field(min_length=1)
    policy: Policy = Field(default_factory=Policy)

    def size(self, name: str) -> Size | None:
        """The size of that name; the first where the name is empty."""
        return next((each for each in self.sizes if each.name == name or not name), None)

    def image(self, reference: str) -> tuple[Image, ImageVersion] | None:
        """The image and version that `name` or `name@version` means."""
        name, _, version = reference.partition("@")
        for image in self.images:
            if image.name == name or not reference:
                found = next((each for each in reversed(image.versions) if each.name == version or not version), None)
                return (image, found) if found else None
        return None

    def tool(self, name: str) -> Tool | None:
        """The tool of that name; the first where the name is empty."""
        return next((each for each in self.tools if each.name == name or not name), None)


def may_use(groups: Collection[str], teams: Collection[str], admin: bool) -> bool:
    """Whether somebody in `teams` may use what is kept for `groups`; an empty list is for everyone."""
    return admin or not groups or bool(set(groups) & set(teams))


def parse(text: str, source: str) -> Catalog:
    """The catalog in a file's text. Raises ConfigurationError with a line for every problem: the file, the path and the sentence."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{source}: this is not YAML: {' '.join(str(error).split())}", path=source) from error
    return read(document, source)


def read(document: Any, source: str) -> Catalog:
    """Check a catalog file's content. Raises ConfigurationError as `parse` does."""
    if not isinstance(document, Mapping):
        raise ConfigurationError(f"{source}: a catalog is a mapping with sizes, images and tools.", path=source)
    problems = contradictions(document)
    try:
        catalog = Catalog.model_validate(document)
    except ValidationError as error:
        problems = [*problems_of(error), *problems]
    if problems:
        message = "\n".join(f"{source}: {each.path}: {each.message}" for each in problems)
        raise ConfigurationError(message, path=f"{source}: {problems[0].path}", details=problems)
    return catalog


def contradictions(document: Mapping[str, Any]) -> list[Problem]:
    """What each entry allows alone and the catalog as a whole does not: a name twice, a tool that is not there. Other faults are for others to tell."""
    images = _entries(document, "images")
    lists = {key: _entries(document, key) for key in ("sizes", "images", "tools")}
    lists |= {f"images[{index}].versions": _entries(image, "versions") for index, image in enumerate(images)}
    found = []
    for path, entries in lists.items():
        names = [each.get("name") for each in entries]
        found += [
            Problem("name_twice", f"'{name}' is there twice.", f"{path}[{index}].name") for index, name in enumerate(names) if name and name in names[:index]
        ]
    tools = [each.get("name") for each in lists["tools"]]
    for index, image in enumerate(images):
        named = image.get("tools")
        for position, tool in enumerate(named if isinstance(named, list) else ()):
            if tool not in tools:
                found.append(Problem("tool_unknown", f"There is no tool '{tool}' under tools.", f"images[{index}].tools[{position}]"))
    return found


def _entries(document: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """The mappings of a list, each at its place; an empty one for what is none."""
    found = document.get(key)
    return [each if isinstance(each, Mapping) else {} for each in found] if isinstance(found, list) else []
