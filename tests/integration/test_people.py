"""Admins add, change and disable people; what they do holds at once, also for tokens and apps."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.starting import Started, eventually

pytestmark = pytest.mark.xdist_group("people")
API = "/services/saturn/api/v1"


@pytest.fixture(scope="module")
def one() -> Iterator[Started]:
    """A hub of their own, whose people come and go."""
    import shutil

    folder = Path(tempfile.mkdtemp(prefix="saturn-people-", dir="/var/tmp"))
    folder.chmod(0o711)
    config = folder / "config.py"
    config.write_text(
        "from saturn_hub import configure\nc = get_config()\nc.SaturnHub.people_seconds = 1\nc.SaturnHub.auth_refresh_seconds = 1\n"
        "configure(c, embedded=True)\n"
    )
    started = Started(folder / "home", config=config)
    started.start()
    started.ready()
    yield started
    started.clean()
    shutil.rmtree(folder)


class Client:
    """Somebody with a token of JupyterHub, as programs have."""

    def __init__(self, one: Started, name: str, password: str) -> None:
        self.one, self.browser = one, one.browser(name, password)
        xsrf = self.browser.cookies.get("_xsrf", path="/hub/") or ""
        made = self.browser.post(
            f"/hub/api/users/{name}/tokens", json={"note": "test"}, headers={"X-XSRFToken": xsrf, "Referer": f"http://127.0.0.1:{one.port}/hub/token"}
        )
        assert made.status_code == 201, made.text
        self.token = made.json()["token"]

    def __call__(self, method: str, path: str, **body):
        import httpx

        url = f"http://127.0.0.1:{self.one.port}{path if path.startswith('/hub') else API + path}"
        return httpx.request(method, url, headers={"Authorization": f"token {self.token}"}, trust_env=False, timeout=30, **body)


def password(one: Started, name: str) -> str:
    return (one.home / "passwords" / name).read_text().strip()


@pytest.fixture(scope="module")
def admin(one) -> Client:
    return Client(one, "admin", password(one, "admin"))


def test_an_admin_adds_somebody_who_comes_in_with_the_password_that_was_shown(one, admin):
    made = admin("POST", "/people", json={"name": "noor", "teams": ["growth"]})
    assert made.status_code == 201
    noor = Client(one, "noor", made.json()["password"])
    assert noor("GET", "/me").json()["teams"] == ["growth"]
    listed = {each["name"]: each for each in admin("GET", "/people").json()["items"]}
    assert {key: listed["noor"][key] for key in ("admin", "teams", "disabled", "managed")} == {
        "admin": False,
        "teams": ["growth"],
        "disabled": False,
        "managed": True,
    }
    assert made.json()["password"] not in (one.home / "people.json").read_text()


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"name": "team:growth"}, "name"),
        ({"name": "Noor"}, "name"),
        ({"name": "a" * 65}, "name"),
        ({"name": "a/b"}, "name"),
        ({"name": "zoe", "teams": ["ok", "Not ok"]}, "teams[1]"),
        ({"name": "zoe", "colour": 1}, "colour"),
    ],
)
def test_a_wrong_name_or_team_is_refused_with_its_path(admin, document, path):
    refused = admin("POST", "/people", json=document)
    assert refused.status_code == 400
    assert refused.json()["error"]["path"] == path


def test_a_name_is_given_once(admin):
    assert admin("POST", "/people", json={"name": "ada"}).status_code == 409


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("GET", "/people", None), ("POST", "/people", {"name": "zed"}), ("PATCH", "/people/eve", {"admin": True}), ("POST", "/people/admin/password", None)],
)
def test_only_admins_see_and_change_people(one, method, path, body):
    ben = Client(one, "ben", password(one, "ben"))
    assert ben(method, path, json=body).status_code == 403


def test_who_is_disabled_is_out_with_tokens_and_browser_and_starts_nothing(one, admin):
    made = admin("POST", "/people", json={"name": "otto"}).json()
    otto = Client(one, "otto", made["password"])
    assert otto("GET", "/me").status_code == 200
    assert otto.browser.get("/hub/token", follow_redirects=False).status_code == 200
    assert admin("PATCH", "/people/otto", json={"disabled": True}).json()["disabled"] is True
    assert otto("GET", "/me").status_code == 403
    assert otto("POST", "/hub/api/users/otto/server").status_code in (401, 403)
    assert admin("POST", "/hub/api/users/otto/server").status_code == 403
    eventually(lambda: otto.browser.get("/hub/token", follow_redirects=False).status_code == 302, "the hub sends them to sign in", 60)
    with pytest.raises(AssertionError):
        one.browser("otto", made["password"])
    admin("PATCH", "/people/otto", json={"disabled": False})
    assert otto("GET", "/me").status_code == 200


def test_a_new_password_ends_the_old_one(one, admin):
    made = admin("POST", "/people", json={"name": "pia"}).json()
    fresh = admin("POST", "/people/pia/password").json()["password"]
    with pytest.raises(AssertionError):
        one.browser("pia", made["password"])
    assert Client(one, "pia", fresh)("GET", "/me").status_code == 200


def test_a_team_that_is_taken_away_opens_nothing_any_more(one, admin):
    made = admin("POST", "/people", json={"name": "rob", "teams": ["growth"]}).json()
    rob = Client(one, "rob", made["password"])
    assert rob("GET", "/me").json()["teams"] == ["growth"]
    admin("PATCH", "/people/rob", json={"teams": ["research"]})
    eventually(lambda: rob("GET", "/me").json()["teams"] == ["research"], "the teams of now")
    assert "research" in admin("GET", "/people").json()["teams"]


def test_an_admin_keeps_their_own_rights(admin):
    assert admin("PATCH", "/people/admin", json={"admin": False}).status_code == 409
    assert admin("PATCH", "/people/admin", json={"disabled": True}).status_code == 409


def test_who_was_never_here_is_known_and_who_the_hub_removed_is_marked(one, admin):
    assert admin("POST", "/hub/api/users/stray").status_code == 201
    listed = lambda: {each["name"]: each for each in admin("GET", "/people").json()["items"]}  # noqa: E731
    eventually(lambda: "stray" in listed(), "the mirror has them")
    assert (listed()["stray"]["managed"], listed()["stray"]["seen_at"]) == (False, None)
    assert admin("DELETE", "/hub/api/users/stray").status_code == 204
    eventually(lambda: listed()["stray"]["disabled"], "they are marked, not deleted")
