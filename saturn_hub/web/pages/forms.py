"""What a posted form means as a recipe. Pure: the model judges the recipe, not this."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Form = Mapping[str, list[str]]
RUNNERS = {"python": "python {}", "r": "Rscript {}", "rmarkdown": "Rscript -e 'rmarkdown::render(\"{}\")'"}


def workspace_recipe(form: Form) -> dict[str, Any]:
    return _common(form, "workspace", ("size", "image", "tool"))


def job_recipe(form: Form) -> dict[str, Any]:
    """A job: what to run is a command, or a file that `work` says how to run."""
    recipe, work, program = _common(form, "job", ("size", "image")), _one(form, "work") or "command", _one(form, "command")
    recipe |= {"notebook": program} if work == "notebook" else {"command": RUNNERS.get(work, "{}").replace("{}", program)}
    parameters = [line.partition("=") for line in _lines(form, "parameters")]
    if parameters:
        recipe["parameters"] = {name.strip(): {"default": value.strip()} if value.strip() else {} for name, _, value in parameters}
    if _one(form, "cron"):
        recipe["schedules"] = [{"cron": _one(form, "cron"), "timezone": _one(form, "timezone") or "UTC"}]
    return recipe


def app_recipe(form: Form) -> dict[str, Any]:
    return _common(form, "app", ("size", "image", "command"))


def _common(form: Form, kind: str, keys: tuple[str, ...]) -> dict[str, Any]:
    recipe: dict[str, Any] = {"schema": 1, "kind": kind, "name": _one(form, "name")}
    for key in ("owner", "description", "working_directory", *keys):
        if _one(form, key):
            recipe[key] = _one(form, key)
    repositories = [dict(zip(("url", "reference", "path"), line.split(), strict=False)) for line in _lines(form, "repositories")]
    if repositories:
        recipe["repositories"] = repositories
    if _lines(form, "pip"):
        recipe["packages"] = {"pip": _lines(form, "pip")}
    variables = [line.partition("=") for line in _lines(form, "environment_variables")]
    if variables:
        recipe["environment_variables"] = {name.strip(): value for name, _, value in variables}
    return recipe


def _one(form: Form, name: str) -> str:
    return form.get(name, [""])[-1].strip()


def _lines(form: Form, name: str) -> list[str]:
    return [line.strip() for line in _one(form, name).splitlines() if line.strip()]
