"""Parameters of a run: checked against what the recipe declares, and put into a command as shell-quoted values."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from datetime import date, datetime
from zoneinfo import ZoneInfo

from saturn_hub.errors import Problem
from saturn_hub.model.recipe import Parameter

PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")


def values(declared: Mapping[str, Parameter], given: Mapping[str, object], moment: datetime, timezone: str) -> tuple[dict[str, str], list[Problem]]:
    """The text of each parameter and what is wrong. `moment` is when the run was due, for `scheduled_date`."""
    problems = [Problem("unknown_parameter", f"The job has no parameter '{name}'.", f"parameters.{name}") for name in given if name not in declared]
    found = {}
    for name, parameter in declared.items():
        value = given.get(name, parameter.default)
        if value is None:
            problems.append(Problem("parameter_missing", f"The parameter '{name}' needs a value.", f"parameters.{name}"))
        elif value == "scheduled_date" and parameter.type == "date":
            found[name] = moment.astimezone(ZoneInfo(timezone)).date().isoformat()
        else:
            text = str(value).lower() if isinstance(value, bool) else str(value)
            if _wrong(parameter.type, text):
                problems.append(Problem("parameter_type", f"'{text}' is not of type {parameter.type}.", f"parameters.{name}"))
            found[name] = text
    return found, problems


def fill(command: str, parameters: Mapping[str, str]) -> str:
    """Replace `{{ name }}` by the shell-quoted value; a name that is no parameter stays as it is."""
    return PLACEHOLDER.sub(lambda match: shlex.quote(parameters[match[1]]) if match[1] in parameters else match[0], command)


def _wrong(kind: str, text: str) -> bool:
    try:
        if kind == "integer":
            int(text)
        elif kind == "number":
            float(text)
        elif kind == "date":
            date.fromisoformat(text)
        elif kind == "boolean":
            return text not in ("true", "false")
    except ValueError:
        return True
    return "\0" in text
