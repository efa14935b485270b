"""A server's options have three forms, and nothing else passes this door."""

from __future__ import annotations

from typing import Any

import pytest
from tornado import web

from saturn_hub.hub.mixin import checked_options


@pytest.mark.parametrize("options", [None, {}, {"revision": 3}, {"recipe": {"size": "small"}}])
def test_the_three_forms_pass(options: dict[str, Any] | None) -> None:
    assert checked_options(options) == (options or {})


@pytest.mark.parametrize(
    "options",
    [{"image--unlisted-choice": "x"}, {"revision": "3"}, {"revision": True}, {"revision": 0}, {"recipe": "x"}, {"revision": 1, "recipe": {}}, {"profile": "a"}],
)
def test_everything_else_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(web.HTTPError) as refusal:
        checked_options(options)
    assert refusal.value.status_code == 400
