"""The one decision: from a recipe to a workload, or every problem at once. The only way to something that runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from saturn_hub.errors import InvalidInput, Problem
from saturn_hub.model.access import Permission, Person, permissions
from saturn_hub.model.catalog import Catalog, Size, may_use
from saturn_hub.model.parameters import fill
from saturn_hub.model.recipe import Recipe, Step
from saturn_hub.model.workload import Checkout, Hardware, Kind, OwnerKind, Software, Workload


@dataclass(frozen=True)
class Machine:
    """The largest thing that the backend can hold at all; None where there is no such bound."""

    cpu: float | None = None
    memory_bytes: int | None = None
    gpu: int | None = None


def resolve(recipe: Recipe, person: Person, catalog: Catalog, machine: Machine = Machine(), *, folder: str = "", revision: int = 0) -> Workload:
    """The workload that `recipe` means for `person`. Raises InvalidInput with each problem and its path."""
    problems: list[Problem] = []
    owner = recipe.owned_by(person.name)
    if Permission.EDIT not in permissions(person, owner) and not person.admin:
        problems.append(Problem("owner_not_allowed", f"You cannot make something that belongs to {owner}.", "owner"))
    if recipe.kind is Kind.WORKSPACE and owner.kind is OwnerKind.TEAM:
        problems.append(Problem("owner_not_allowed", "A workspace belongs to a person, not to a team.", "owner"))
    size = catalog.size(recipe.size)
    if size is None:
        problems.append(Problem("size_unknown", f"There is no size '{recipe.size}'.", "size"))
    elif reason := why_not_size(size, person, machine):
        problems.append(Problem("size_not_allowed", reason, "size"))
    problems += _software_problems(recipe, person, catalog)
    if problems or size is None:
        raise InvalidInput.of(problems)
    return Workload(
        kind=recipe.kind,
        name=recipe.name,
        owner=owner,
        hardware=_hardware(size, person, catalog, machine),
        software=_software(recipe, catalog),
        folder=folder,
        command=("sh", "-c", recipe.command) if recipe.command else (),
        notebook=recipe.notebook,
        parameter_types={name: each.type for name, each in recipe.parameters.items()},
        repositories=tuple(Checkout(each.url, each.reference, each.folder) for each in recipe.repositories),
        pip=tuple(recipe.packages.pip),
        environment_variables=dict(recipe.environment_variables),
        working_directory=recipe.working_directory,
        start_script=recipe.start_script,
        listens=recipe.kind is not Kind.JOB,
        timeout_seconds=recipe.timeout_seconds,
        revision=revision,
        keeps_packages=recipe.kind is Kind.WORKSPACE,
    )


def step_workload(workload: Workload, step: Step | None, parameters: Mapping[str, str]) -> Workload:
    """The workload of one step of a run (None: the job has no steps), its command filled with the parameters."""
    command, notebook = (step.command, step.notebook) if step else ("", workload.notebook)
    if step is None and workload.command:
        command = workload.command[-1]
    return replace(workload, command=("sh", "-c", fill(command, parameters)) if command else (), notebook=notebook, parameters=dict(parameters))


def why_not_size(size: Size, person: Person, machine: Machine) -> str:
    """Why `person` cannot have `size` here, empty where they can."""
    if not may_use(size.groups, tuple(person.teams), person.admin):
        return f"The size '{size.name}' is for {', '.join(size.groups)}, and you are in none of these groups."
    if machine.cpu is not None and size.cpu > machine.cpu:
        return f"The size '{size.name}' has {size.cpu:g} cores, more than this machine's {machine.cpu:g}."
    if machine.memory_bytes is not None and size.memory_bytes > machine.memory_bytes:
        return f"The size '{size.name}' has {size.memory}, more than this machine's {machine.memory_bytes / 2**30:.0f}Gi of memory."
    if machine.gpu is not None and size.gpu > machine.gpu:
        return f"The size '{size.name}' has {size.gpu} GPU, more than this machine's {machine.gpu}."
    return ""


def _software_problems(recipe: Recipe, person: Person, catalog: Catalog) -> list[Problem]:
    found = catalog.image(recipe.image)
    if found is None:
        return [Problem("image_unknown", f"There is no image '{recipe.image}'.", "image")]
    problems = []
    image, _ = found
    if not may_use(image.groups, tuple(person.teams), person.admin):
        problems.append(Problem("image_not_allowed", f"The image '{image.name}' is for {', '.join(image.groups)}.", "image"))
    if recipe.kind is Kind.WORKSPACE:
        tool = catalog.tool(recipe.tool)
        if tool is None:
            problems.append(Problem("tool_unknown", f"There is no tool '{recipe.tool}'.", "tool"))
        elif tool.name not in image.tools:
            problems.append(Problem("tool_not_in_image", f"The image '{image.name}' does not have {tool.title}.", "tool"))
    return problems


def _hardware(size: Size, person: Person, catalog: Catalog, machine: Machine) -> Hardware:
    larger = [each for each in catalog.sizes if each.memory_bytes > size.memory_bytes and not why_not_size(each, person, machine)]
    following = min(larger, key=lambda each: each.memory_bytes).name if larger else None
    return Hardware(size.name, size.cpu, size.memory_bytes, size.gpu, following)


def _software(recipe: Recipe, catalog: Catalog) -> Software:
    found = catalog.image(recipe.image)
    assert found is not None
    image, version = found
    return Software(image.name, version.name, tuple(version.local.path), dict(version.local.environment_variables), version.container)
