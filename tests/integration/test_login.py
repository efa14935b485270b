"""Who may come in: each person with their own password, and nobody with another's."""

from __future__ import annotations

import json
from itertools import permutations
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from tests.conftest import Hub

PEOPLE = ("admin", "ada", "ben", "eve")


def sign_in(hub: Hub, name: str, password: str) -> httpx.Response:
    """Fill in the sign-in form as a browser does. Gives the answer to it, before any redirect."""
    with httpx.Client(base_url=hub.url, trust_env=False) as browser:
        browser.get("/hub/login")
        form = {"username": name, "password": password, "_xsrf": browser.cookies["_xsrf"]}
        return browser.post("/hub/login", data=form)


@pytest.mark.parametrize("name", PEOPLE)
def test_a_person_comes_in_with_their_password(hub: Hub, name: str) -> None:
    answer = sign_in(hub, name, hub.passwords[name])
    assert answer.status_code == 302
    assert "jupyterhub-session-id" in answer.cookies


@pytest.mark.parametrize(("name", "other"), list(permutations(PEOPLE, 2)))
def test_nobody_comes_in_with_the_password_of_another(hub: Hub, name: str, other: str) -> None:
    answer = sign_in(hub, name, hub.passwords[other])
    assert answer.status_code == 403
    assert "jupyterhub-hub-login" not in answer.cookies


@pytest.mark.parametrize("name", ["nobody", "team:growth", ""])
def test_unknown_names_are_refused_like_wrong_passwords(hub: Hub, name: str) -> None:
    assert sign_in(hub, name, hub.passwords["ada"]).status_code == sign_in(hub, "eve", "wrong").status_code == 403


def test_a_disabled_person_is_refused_at_once(hub: Hub) -> None:
    listing = hub.home / "people.json"
    before = listing.read_text()
    people = json.loads(before)
    people["eve"]["disabled"] = True
    listing.write_text(json.dumps(people))
    try:
        assert sign_in(hub, "eve", hub.passwords["eve"]).status_code == 403
    finally:
        listing.write_text(before)


def test_passwords_are_kept_from_others(hub: Hub) -> None:
    files = [hub.home / "people.json", *(hub.home / "passwords").iterdir()]
    assert {each.stat().st_mode & 0o777 for each in files} == {0o600}
    assert (hub.home / "passwords").stat().st_mode & 0o777 == 0o700
