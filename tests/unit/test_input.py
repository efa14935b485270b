"""Whatever is handed in is either a recipe or refused with a path and a sentence; nothing else comes out."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saturn_hub.errors import InvalidInput
from saturn_hub.model.recipe import Recipe, read, read_yaml, write_yaml

KEYS = sorted({field.alias or name for name, field in Recipe.model_fields.items()} | {"secrets", "colour"})
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=()), max_size=20)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4), max_leaves=12)
GOOD = {"kind": "job", "name": "good", "command": "true"}


@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=6))
@settings(max_examples=400, deadline=None)
def test_any_object_is_a_recipe_or_refused_with_its_problems(changes):
    try:
        recipe = read({**GOOD, **changes})
    except InvalidInput as error:
        assert error.details and all(each.message and each.code for each in error.details)
        json.dumps([each.message + each.path for each in error.details]).encode()
        "".join(each.message + each.path for each in error.details).encode()
        return
    json.dumps(recipe.document(), allow_nan=False, ensure_ascii=False).encode()
    assert read(recipe.document()) == recipe


@given(st.text(st.characters(exclude_categories=()), max_size=200))
@settings(max_examples=400, deadline=None)
def test_any_text_is_an_object_or_refused(text):
    try:
        assert isinstance(read_yaml(text), dict)
    except InvalidInput as error:
        assert error.message


@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4))
@settings(max_examples=150, deadline=None)
def test_what_is_written_as_yaml_is_read_back(changes):
    try:
        document = read({**GOOD, **changes}).document()
    except InvalidInput:
        return
    assert read(read_yaml(write_yaml(document))).document() == document


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(ord(each) + 1)}: &{chr(ord(each) + 1)} [*{each}, *{each}, *{each}, *{each}, *{each}, *{each}, *{each}, *{each}]\n" for each in "abcdefghij"
)
BAD = {
    "aliases": BOMB,
    "depth": "[" * 50_000,
    "flow_depth": "{a: " * 5_000,
    "date": "name: 2026-13-45",
    "number": f"port: {'9' * 5000}",
    "nul": '"name": "\\0"',
    "surrogate": '"name": "\\ud800"',
    "list_key": "[a]: b",
    "object": "!!python/object/apply:os.system [true]",
    "length": "a: b\n" * 50_000,
}


@pytest.mark.parametrize("name", BAD)
def test_yaml_that_would_harm_is_refused_quickly(name):
    started = time.process_time()
    with pytest.raises(InvalidInput) as refused:
        read({**GOOD, **read_yaml(BAD[name])})
    assert refused.value.message
    assert time.process_time() - started < 5


@pytest.mark.parametrize(("value", "path"), [("a\0b", "command"), ("\ud800", "command")])
def test_text_that_cannot_be_kept_is_refused_with_its_path(value, path):
    with pytest.raises(InvalidInput) as refused:
        read({**GOOD, path: value})
    assert (refused.value.path, refused.value.code) == (path, "bad_text")


def test_deep_nesting_is_refused_with_its_path():
    deep: object = "x"
    for _ in range(100):
        deep = [deep]
    with pytest.raises(InvalidInput) as refused:
        read({**GOOD, "tags": deep})
    assert refused.value.code == "too_deep"
