"""The catalog: sizes, images and tools that an admin offers, who may use each, and what it costs."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field, StringConstraints, ValidationError, field_validator

from saturn_hub.errors import ConfigurationError
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


def read(document: Mapping[str, Any], source: str) -> Catalog:
    """Check a catalog file's content. Raises ConfigurationError naming the file, the path and the sentence."""
    try:
        return Catalog.model_validate(document)
    except ValidationError as error:
        first = problems_of(error)[0]
        raise ConfigurationError(f"{source}: {first.path}: {first.message}", path=f"{source}: {first.path}") from error
