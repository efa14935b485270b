"""The Jinja environment of all pages: its filters, and where its assets are."""

from __future__ import annotations

import hashlib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from saturn_hub.web.pages import views, words

STATIC = Path(__file__).parents[1] / "static"


def asset_version() -> str:
    """A name for the content of all assets, part of their addresses: they are kept by browsers until it changes."""
    content = hashlib.sha256()
    for file in sorted(each for each in STATIC.rglob("*") if each.is_file()):
        content.update(file.name.encode() + file.read_bytes())
    return content.hexdigest()[:12]


def make_environment() -> Environment:
    """Templates escape what they print and fail on a name that is not there."""
    templates = FileSystemLoader(str(Path(__file__).parents[1] / "templates"))
    environment = Environment(loader=templates, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    filters = {"ago": words.ago, "money": words.money, "size": words.size, "cron": words.cron_words}
    environment.filters |= filters | {"where": views.where}
    environment.globals |= {"look": words.look, "took": words.took, "plural": words.plural, "assets": f"/assets/{asset_version()}"}
    return environment
