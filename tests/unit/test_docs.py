"""The docs name what there is, and nothing that is not."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import click
import pytest

from saturn_hub import errors
from saturn_hub.cli.main import saturn
from saturn_hub.hub.settings import SaturnHub
from saturn_hub.model import catalog
from saturn_hub.model.recipe import Recipe
from saturn_hub.web.api.openapi import operations

ROOT = Path(__file__).parents[2]


def test_every_key_of_a_recipe_is_in_the_docs():
    text = (ROOT / "docs" / "recipes.md").read_text()
    assert [each for each in ((field.alias or name) for name, field in Recipe.model_fields.items()) if f"`{each}`" not in text] == []


OPERATIONS = {f"{method.upper()} {path}": operation.needs for path, method, operation in operations()}


@pytest.mark.parametrize("route", OPERATIONS)
def test_every_route_is_in_the_docs_with_what_it_takes(route):
    lines = [each for each in (ROOT / "docs" / "api.md").read_text().splitlines() if each.startswith(f"| `{route}` |")]
    assert len(lines) == 1
    asked = OPERATIONS[route]
    taken = [*asked.query.model_fields, *asked.headers, *(asked.body.model_fields if asked.body and asked.body is not Recipe else ())]
    assert [each for each in taken if f"`{each}`" not in lines[0]] == []
    assert str(asked.permission).replace("_", " ") in lines[0]


def test_every_code_of_an_error_is_in_the_docs():
    sources = "".join(each.read_text() for part in ("engine", "model", "web") for each in (ROOT / "saturn_hub" / part).rglob("*.py"))
    codes = {each.code for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.SaturnError)} - {"configuration"}
    codes |= set(re.findall(r'code="([a-z_]+)"', sources)) | set(re.findall(r'Problem\(\s*"([a-z_]+)"', sources))
    text = (ROOT / "docs" / "api.md").read_text()
    assert sorted(each for each in codes if f"`{each}`" not in text) == []


def commands(group: click.Group, words: str = "saturn") -> list[tuple[str, click.Command]]:
    found = []
    for name, each in group.commands.items():
        found += commands(each, f"{words} {name}") if isinstance(each, click.Group) else [(f"{words} {name}", each)]
    return found


@pytest.mark.parametrize(("words", "command"), commands(saturn))
def test_every_command_and_option_is_in_the_docs(words, command):
    lines = [each for each in (ROOT / "docs" / "cli.md").read_text().splitlines() if re.match(rf"\| (`saturn [^|]*, )?`{words}\b[^a-z]", each)]
    assert len(lines) == 1
    options = [each for option in command.params if isinstance(option, click.Option) for each in (*option.opts, *option.secondary_opts)]
    assert [each for each in options if each != "--json" and f"`{each}" not in lines[0]] == []


def test_every_dependency_has_its_reason():
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    listed = settings["options"]["install_requires"] + "".join(settings["options.extras_require"].values())
    names = {re.split(r"[\[>=<]", line.strip())[0] for line in listed.splitlines() if line.strip()}
    text = (ROOT / "docs" / "dependencies.md").read_text()
    assert sorted(each for each in names if each not in text) == []


def test_every_test_that_the_mission_names_exists():
    tests = "".join(file.read_text() for file in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", (ROOT / "docs" / "mission.md").read_text())
    assert named
    assert [each for each in named if f"def {each}(" not in tests] == []


def test_every_setting_is_in_the_docs_with_its_help():
    text = (ROOT / "docs" / "settings.md").read_text()
    for name, trait in SaturnHub.class_traits(config=True).items():
        assert trait.help and f"| `{name}` |" in text and trait.help in text, name
        if trait.allow_none:
            assert "None means" in trait.help, name


def test_every_environment_variable_of_the_hub_is_in_the_docs():
    text = (ROOT / "docs" / "settings.md").read_text()
    code = "".join(file.read_text() for folder in ("hub", "cli") for file in (ROOT / "saturn_hub" / folder).glob("*.py"))
    used = set(re.findall(r"\"((?:HUB|APPS)_[A-Z]+|SATURN_(?:HOME|IMAGES))\"", code))
    assert used and [each for each in sorted(used) if f"`{each}`" not in text] == []


def test_every_key_of_the_catalog_is_in_the_docs():
    text = (ROOT / "docs" / "settings.md").read_text()
    models = (catalog.Catalog, catalog.Size, catalog.Image, catalog.ImageVersion, catalog.LocalPrefix, catalog.Tool, catalog.Policy)
    assert [name for model in models for name in model.model_fields if f"`{name}`" not in text] == []
