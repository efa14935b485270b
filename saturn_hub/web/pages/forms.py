"""A recipe and its form: two views of one thing, and the way from each to the other. Pure: the model judges recipes, not this."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import zip_longest
from typing import Any

from saturn_hub.errors import Problem, SaturnError
from saturn_hub.model.recipe import read_yaml, write_yaml

Form = Mapping[str, list[str]]
RUNNERS = {
    "python": "python {}",
    "r": "Rscript {}",
    # Reports and what they are made of go beside the repositories, never into them.
    "rmarkdown": 'Rscript -e \'rmarkdown::render("{}", output_dir = Sys.getenv("SATURN_OUTPUTS"), intermediates_dir = tempdir())\'',
}
TEXTS = ("owner", "description", "size", "image", "tool", "working_directory", "start_script")
# What the form shows. Whatever else a recipe has goes through it untouched.
MANAGED = (*TEXTS, "name", "repositories", "packages", "environment_variables", "command", "notebook", "steps", "parameters")
FIELDS = {"packages": "pip", "notebook": "command", "schedules": "cron", "kind": "name"}
SHOWN = frozenset(MANAGED) | {"pip", "cron", "timezone"}


def document_of(kind: str, form: Form) -> dict[str, Any]:
    """The recipe that a posted page means, from its YAML or from its fields. Raises InvalidInput where the YAML cannot be read."""
    if "yaml" in form:
        return {"schema": 1, **read_yaml(form["yaml"][-1]), "kind": kind}
    return recipe_of(kind, form)


def recipe_of(kind: str, form: Form) -> dict[str, Any]:
    """The recipe that posted fields mean, on top of what `base` has beyond them."""
    kept = read_yaml(form["base"][-1]) if form.get("base", [""])[-1].strip() else {}
    recipe: dict[str, Any] = {"schema": 1, **{key: value for key, value in kept.items() if key not in MANAGED}}
    recipe |= {"kind": kind, "name": _one(form, "name")}
    recipe |= {key: _text(form, key) for key in TEXTS if _one(form, key)}
    if repositories := _rows(form, url="repository_url", reference="repository_reference", path="repository_path"):
        recipe["repositories"] = repositories
    if pip := _lines(form, "pip"):
        recipe["packages"] = {**kept.get("packages", {}), "pip": pip}
    if variables := [line.partition("=") for line in _lines(form, "environment_variables")]:
        recipe["environment_variables"] = {name.strip(): value for name, _, value in variables}
    if kind == "job":
        recipe |= _work(form) | _when(form, kept)
    elif kind == "app" and _one(form, "command"):
        recipe["command"] = _text(form, "command")
    return recipe


def form_of(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that show a recipe, and `base`, the whole of it as YAML. What is of another shape than a recipe's is left out."""
    schedules = _dicts(recipe.get("schedules"))
    schedule = (schedules or [{}])[0]
    work, command = _program(recipe)
    variables, parameters = _mapping(recipe.get("environment_variables")), _mapping(recipe.get("parameters"))
    pip = _mapping(recipe.get("packages")).get("pip")
    return {
        **{key: recipe.get(key, "") for key in (*TEXTS, "name")},
        "work": work,
        "command": command,
        "repositories": _dicts(recipe.get("repositories")),
        "pip": "\n".join(map(str, pip)) if isinstance(pip, list) else "",
        "environment_variables": "\n".join(f"{name}={value}" for name, value in variables.items()),
        "steps": [{**each, "needs": " ".join(map(str, each.get("needs") or []))} for each in _dicts(recipe.get("steps"))],
        "parameters": [{"name": name, **_mapping(each)} for name, each in parameters.items()],
        "cron": schedule.get("cron", ""),
        "timezone": schedule.get("timezone", ""),
        "more_schedules": max(0, len(schedules) - 1),
        "base": write_yaml(recipe),
    }


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _dicts(value: object) -> list[dict[str, Any]]:
    return [dict(each) for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def at_fields(problems: Iterable[Problem | SaturnError]) -> list[dict[str, str]]:
    """Problems with the field that each stands at, empty for those that no field shows."""
    return [{"path": each.path, "message": _placed(each.path, each.message), "field": field_of(each.path)} for each in problems]


def field_of(path: str) -> str:
    """The form's field of a recipe's path: `repositories[0].url` is shown at the repositories."""
    if path.endswith(".timezone"):
        return "timezone"
    root = re.split(r"[.\[]", path)[0]
    found = FIELDS.get(root, root)
    return found if found in SHOWN else ""


def _placed(path: str, message: str) -> str:
    match = re.match(r"(?:repositories|steps)\[(\d+)\]", path)
    return f"Line {int(match[1]) + 1}: {message}" if match else message


def _work(form: Form) -> dict[str, Any]:
    """What a job runs: a command, or a file that `work` says how to run, or steps."""
    work, program = _one(form, "work") or "command", _text(form, "command")
    found: dict[str, Any] = {}
    if work == "steps":
        steps = _rows(form, name="step_name", kind="step_kind", program="step_program", needs="step_needs", bare=("kind",))
        found["steps"] = [
            {"name": each.get("name", ""), "notebook" if each.get("kind") == "notebook" else "command": each.get("program", "")}
            | ({"needs": each["needs"].replace(",", " ").split()} if each.get("needs") else {})
            for each in steps
        ]
    elif program:
        found |= {"notebook": program} if work == "notebook" else {"command": RUNNERS.get(work, "{}").replace("{}", program)}
    parameters = {}
    for each in _rows(form, name="parameter_name", type="parameter_type", default="parameter_default", description="parameter_description", bare=("type",)):
        rest = {key: value for key, value in each.items() if key != "name" and (key, value) != ("type", "string")}
        parameters[each.get("name", "")] = rest
    if parameters:
        found["parameters"] = parameters
    return found


def _when(form: Form, kept: Mapping[str, Any]) -> dict[str, Any]:
    """The first schedule is the form's; the others of the recipe are kept."""
    first, *others = kept.get("schedules") or [{}]
    schedules = list(others)
    if _one(form, "cron"):
        schedules.insert(0, {**first, "cron": _one(form, "cron"), "timezone": _one(form, "timezone") or "UTC"})
    return {"schedules": schedules}


def _program(recipe: Mapping[str, Any]) -> tuple[str, str]:
    """The kind of work, and the file or command that the form shows for it."""
    if recipe.get("steps"):
        return "steps", ""
    if recipe.get("notebook"):
        return "notebook", recipe["notebook"]
    command = str(recipe.get("command", ""))
    for work, runner in RUNNERS.items():
        before, after = runner.split("{}")
        inner = command[len(before) : len(command) - len(after)]
        if command.startswith(before) and command.endswith(after) and re.fullmatch(r"[\w./-]+", inner):
            return work, inner
    return "command", command


def _rows(form: Form, bare: tuple[str, ...] = (), **names: str) -> list[dict[str, str]]:
    """Lines of fields that are posted side by side, without empty values and without lines that say nothing (but `bare` keys)."""
    columns = [form.get(each, []) for each in names.values()]
    rows = [{key: value.strip() for key, value in zip(names, line, strict=True) if value.strip()} for line in zip_longest(*columns, fillvalue="")]
    return [each for each in rows if set(each) - set(bare)]


def _one(form: Form, name: str) -> str:
    return form.get(name, [""])[-1].strip()


def _text(form: Form, name: str) -> str:
    """A field's text with the line ends of a shell, not of a browser."""
    return _one(form, name).replace("\r\n", "\n")


def _lines(form: Form, name: str) -> list[str]:
    return [line.strip() for line in _one(form, name).splitlines() if line.strip()]
