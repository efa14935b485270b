"""Every route of the API below /api/v1, from the file of each noun."""

from __future__ import annotations

import re

from tornado.web import RequestHandler

from saturn_hub.web.api import apps, environments, events, logs, me, people, recipes, runs, workspaces
from saturn_hub.web.api.base import Missing

# What a part of an address in braces may be; any text without a slash where it is not named here.
PARTS = {"path": "(.+)", "number": r"(\d+)", "digest": "([0-9a-f]+)"}

NOUNS = (me, recipes, workspaces, runs, logs, apps, environments, events, people)
TEMPLATES: list[tuple[str, type[RequestHandler]]] = [each for noun in NOUNS for each in noun.ROUTES]


def pattern(template: str) -> str:
    """The regular expression of an address such as `/runs/{run_id}`."""
    return re.sub(r"\{(\w+)\}", lambda match: PARTS.get(match[1], "([^/]+)"), template)


ROUTES = [*((pattern(template), handler) for template, handler in TEMPLATES), (r"/.*", Missing)]
