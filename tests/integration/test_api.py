"""The HTTP API on a running hub: who may do what, how input is refused, and how streams go on."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saturn_hub.client import Event, events
from saturn_hub.web.api.openapi import document
from saturn_hub.web.api.routes import TEMPLATES

API = "/services/saturn/api/v1"
SIZES = {"size": "small", "image": "local"}
TEAM = "team%3Agrowth"


@pytest.fixture(scope="module")
def people(hub) -> Iterator[dict[str, Any]]:
    """Everyone, by what they are to what `ada` and her team have."""
    from conftest import Session  # pytest puts this folder first

    found = {role: Session(hub, name) for role, name in (("owner", "ada"), ("member", "ben"), ("outsider", "eve"), ("admin", "admin"))}
    yield found
    for each in found.values():
        each.client.close()


@pytest.fixture(scope="module")
def things(people) -> dict[str, str]:
    """A job, a run and an app of the team, and a workspace of ada's: what stands for each part of an address."""
    ada = people["owner"]
    ada.make(kind="job", name="matrix-job", owner="team:growth", command="echo hello; mkdir -p outputs; echo x > outputs/made.txt")
    ada.make(kind="app", name="matrix-app", owner="team:growth", command="python -m http.server $PORT --bind 127.0.0.1")
    ada.make(kind="workspace", name="matrix-desk", tool="jupyterlab")
    run = ada.api("POST", f"/jobs/{TEAM}/matrix-job/runs", json={}).json()
    run = ada.api("GET", f"/runs/{run['id']}?wait=30").json()
    assert run["state"] == "succeeded", run
    ada.api("POST", f"/apps/{TEAM}/matrix-app/deploy", json={})
    token = ada.api("POST", f"/apps/{TEAM}/matrix-app/tokens", json={"name": "matrix"}).json()
    for _ in range(300):
        digest = ada.api("GET", f"/runs/{run['id']}").json()["environment"]
        if digest:
            break
        threading.Event().wait(0.1)
    assert digest
    return {"run_id": run["id"], "token_id": token["id"], "digest": digest, "number": "1", "path": "outputs/made.txt", "name": "matrix-job", "owner": TEAM}


# What is asked for by a look and changes nothing, with the status for the owner, a member of the team, an outsider, an admin, and nobody.
LOOKS = [
    ("/recipes/job/{owner}/matrix-job", 200, 200, 404, 200),
    ("/recipes/app/{owner}/matrix-app", 200, 200, 404, 200),
    ("/recipes/workspace/ada/matrix-desk", 200, 404, 404, 200),
    ("/recipes/job/{owner}/matrix-job/revisions", 200, 200, 404, 200),
    ("/jobs/{owner}/matrix-job/runs", 200, 200, 404, 200),
    ("/runs/{run_id}", 200, 200, 404, 200),
    ("/runs/{run_id}/logs", 200, 200, 404, 200),
    ("/runs/{run_id}/logs?follow=1", 200, 200, 404, 200),
    ("/runs/{run_id}/files", 200, 200, 404, 200),
    ("/runs/{run_id}/files/{path}", 200, 200, 404, 200),
    ("/apps/{owner}/matrix-app/versions", 200, 200, 404, 200),
    ("/apps/{owner}/matrix-app/logs", 200, 200, 404, 200),
    ("/apps/{owner}/matrix-app/tokens", 200, 200, 404, 403),
    ("/environments/{digest}", 200, 200, None, 200),
    ("/me", 200, 200, 200, 200),
    ("/catalog", 200, 200, 200, 200),
    ("/recipes", 200, 200, 200, 200),
    ("/recipes?all=1", 403, 403, 403, 200),
    ("/sessions", 200, 200, 200, 200),
    ("/runs", 200, 200, 200, 200),
    ("/people", 403, 403, 403, 200),
]
# What changes something: only those are tried who must not, and the owner's right is shown by the tests of each noun.
ACTS = [
    ("PUT", "/recipes/job/{owner}/matrix-job", {"command": "false", **SIZES}, 404, 403),
    ("PUT", "/recipes/workspace/ada/matrix-desk", SIZES, 404, 403),
    ("DELETE", "/recipes/job/{owner}/matrix-job", None, 404, 403),
    ("POST", "/recipes/job/{owner}/matrix-job/revisions/1/restore", {}, 404, 403),
    ("POST", "/recipes/job/{owner}/matrix-job/environment", {}, 404, None),
    ("POST", "/jobs/{owner}/matrix-job/runs", {}, 404, None),
    ("POST", "/runs/{run_id}/cancel", {}, 404, 409),
    ("POST", "/apps/{owner}/matrix-app/deploy", {}, 404, None),
    ("POST", "/apps/{owner}/matrix-app/rollback", {}, 404, None),
    ("POST", "/apps/{owner}/matrix-app/stop", {}, 404, None),
    ("PUT", "/apps/{owner}/matrix-app/access", {"who": "public"}, 404, 403),
    ("POST", "/apps/{owner}/matrix-app/tokens", {"name": "x"}, 404, 403),
    ("DELETE", "/apps/{owner}/matrix-app/tokens/{token_id}", None, 404, 403),
    ("POST", "/workspaces/ada/matrix-desk/start", {}, 404, None),
    ("POST", "/workspaces/ada/matrix-desk/stop", {}, 404, None),
    ("POST", "/people", {"name": "mallory"}, 403, None),
    ("PATCH", "/people/ada", {"admin": True}, 403, None),
    ("POST", "/people/ada/password", {}, 403, None),
]


def fill(template: str, things: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: things[match[1]], template)


@pytest.mark.parametrize(("template", "owner", "member", "outsider", "admin"), LOOKS, ids=[each[0] for each in LOOKS])
def test_who_sees_what(people, things, template, owner, member, outsider, admin):
    path = fill(template, things)
    for role, expected in (("owner", owner), ("member", member), ("outsider", outsider), ("admin", admin)):
        answer = people[role].api("GET", path)
        assert expected is None or answer.status_code == expected, (role, answer.text)
        if answer.status_code == 404:
            assert answer.json()["error"]["code"] == "not_found"
    nobody = httpx.get(f"{people['owner'].hub.url}{API}{path}")
    assert (nobody.status_code, nobody.json()["error"]["code"]) == (401, "not_signed_in")


@pytest.mark.parametrize(("method", "template", "body", "outsider", "admin"), ACTS, ids=[f"{each[0]} {each[1]}" for each in ACTS])
def test_who_may_not_act(people, things, method, template, body, outsider, admin):
    path, before = fill(template, things), people["owner"].api("GET", "/recipes?limit=200").json()
    for role, expected in (("outsider", outsider), ("admin", admin)):
        if expected:
            answer = people[role].api(method, path, **({"json": body} if body is not None else {}))
            assert answer.status_code == expected, (role, answer.text)
    nobody = httpx.request(method, f"{people['owner'].hub.url}{API}{path}", json=body)
    assert (nobody.status_code, nobody.json()["error"]["code"]) == (401, "not_signed_in")
    after = people["owner"].api("GET", "/recipes?limit=200").json()
    assert [(each["id"], each["revision"], each["access"]) for each in after["items"]] == [
        (each["id"], each["revision"], each["access"]) for each in before["items"]
    ]


def test_every_route_is_in_the_matrix():
    def shape(path: str) -> str:
        return re.sub(r"\{\w+\}|matrix-\w+|/ada|/1\b|\?.*|(?<=recipes/)\w+", "*", path).replace("/*", "*")

    tried = {("GET", shape(each[0])) for each in LOOKS} | {(each[0], shape(each[1])) for each in ACTS}
    tried |= {("POST", shape("/recipes")), ("GET", shape("/environments/diff")), ("GET", shape("/events"))}  # tests of their own, below
    every = {(method.upper(), shape(template)) for template, handler in TEMPLATES for method in vars(handler) if hasattr(vars(handler)[method], "needs")}
    assert every - tried == set()


def test_what_one_may_not_see_is_in_no_list_and_no_comparison(people, things):
    eve = people["outsider"]
    assert things["run_id"] not in [each["id"] for each in eve.api("GET", "/runs?limit=200").json()["items"]]
    assert "matrix-job" not in [each["name"] for each in eve.api("GET", "/recipes?limit=200").json()["items"]]
    assert eve.api("GET", f"/environments/diff?a={'0' * 64}&b={'1' * 64}").status_code == 404
    made = eve.api("POST", "/recipes", json={"kind": "job", "name": "theirs", "owner": "team:growth", "command": "true", **SIZES})
    assert (made.status_code, made.json()["error"]["path"]) == (400, "owner")


def test_replies_are_as_the_document_says(people, things):
    schemas = document()
    for template, *_ in LOOKS:
        path = template.partition("?")[0]
        known = next(each for each in schemas["paths"] if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", each), path.replace("{path}", "x")))
        content = schemas["paths"][known]["get"]["responses"]["200"]["content"]
        if schema := content.get("application/json"):
            reply = people["admin" if path == "/people" else "owner"].api("GET", fill(path, things))
            jsonschema.validate(reply.json(), {**schema["schema"], "components": schemas["components"]})


def test_the_document_is_there_for_everyone(hub):
    told = httpx.get(f"{hub.url}/services/saturn/api/openapi.json")
    assert (told.status_code, told.json()["openapi"]) == (200, "3.1.0")


def test_a_token_works_in_both_spellings_and_a_cookie_needs_its_own(people, hub):
    ada = people["owner"]
    token = ada.token()
    for word in ("token", "Bearer"):
        made = httpx.post(f"{hub.url}{API}/recipes?dry_run=1", headers={"Authorization": f"{word} {token}"}, json={"kind": "job", "name": "x", "command": "y"})
        assert made.status_code == 200, made.text
    assert httpx.get(f"{hub.url}{API}/me", headers={"Authorization": "token wrong"}).status_code == 401
    forged = ada.client.post(f"{API}/recipes", json={"kind": "job", "name": "forged", "command": "true", **SIZES})
    assert (forged.status_code, forged.json()["error"]["code"]) == (403, "forbidden")
    assert ada.api("GET", "/recipes/job/ada/forged").status_code == 404


def test_a_token_of_a_service_is_nobody(hub):
    token = (hub.home / "service" / "service.token").read_text().strip()
    refused = httpx.get(f"{hub.url}{API}/me", headers={"Authorization": f"token {token}"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "token_not_allowed")


GOOD = {"kind": "job", "name": "refused", "command": "true", **SIZES}
REFUSED = [
    ("POST", "/recipes", b"{", "application/json", 400, ""),
    ("POST", "/recipes", b"[]", "application/json", 400, ""),
    ("POST", "/recipes", b'{"name": NaN}', "application/json", 400, ""),
    ("POST", "/recipes", b"[" * 100_000, "application/json", 400, ""),
    ("POST", "/recipes", b'{"a":' * 5_000, "application/json", 400, ""),
    ("POST", "/recipes", b'{"name": "\xff"}', "application/json", 400, ""),
    ("POST", "/recipes", b'{"name": "\\ud800"}', "application/json", 400, ""),
    ("POST", "/recipes", json.dumps({**GOOD, "command": "a\0b"}).encode(), "application/json", 400, "command"),
    ("POST", "/recipes", json.dumps({**GOOD, "tags": [[[1]]]}).encode(), "application/json", 400, "tags[0]"),
    ("POST", "/recipes", json.dumps({**GOOD, "timeout_seconds": 10**40}).encode(), "application/json", 400, "timeout_seconds"),
    ("POST", "/recipes", json.dumps({**GOOD, "name": {"a": 1}}).encode(), "application/json", 400, "name"),
    ("POST", "/recipes", json.dumps(GOOD).encode(), "text/plain", 415, ""),
    ("POST", "/recipes", json.dumps(GOOD).encode(), "application/x-www-form-urlencoded", 415, ""),
    ("POST", "/recipes", b'{"name": "' + b"x" * (2 * 2**20) + b'"}', "application/json", 413, ""),
    ("POST", "/jobs/ada/none/runs", b'{"parameters": []}', "application/json", 400, "parameters"),
    ("POST", "/jobs/ada/none/runs", b'{"parameters": {"a": [1]}, "colour": 1}', "application/json", 400, "colour"),
    ("POST", "/apps/ada/none/deploy", b'{"revision": "1"}', "application/json", 400, "revision"),
    ("POST", "/apps/ada/none/deploy", b'{"revision": 99999999999999999999}', "application/json", 400, "revision"),
    ("POST", "/apps/ada/none/rollback", b'{"to": -1}', "application/json", 400, "to"),
    ("PUT", "/apps/ada/none/access", b'{"who": "all", "people": "eve"}', "application/json", 400, "who"),
    ("POST", "/apps/ada/none/tokens", b"{}", "application/json", 400, "name"),
    ("POST", "/runs/x/cancel", b'{"now": true}', "application/json", 400, "now"),
    ("GET", "/recipes?limit=0", b"", "", 400, "limit"),
    ("GET", "/recipes?limit=many", b"", "", 400, "limit"),
    ("GET", "/recipes?limit=1&limit=2", b"", "", 400, "limit"),
    ("GET", "/recipes?kind=cake", b"", "", 400, "kind"),
    ("GET", "/recipes?colour=1", b"", "", 400, "colour"),
    ("GET", "/recipes?after=%00", b"", "", 400, "after"),
    ("GET", "/recipes?search=%ff", b"", "", 400, "search"),
    ("GET", "/runs?state=happy", b"", "", 400, "state"),
    ("GET", "/runs/x?wait=nan", b"", "", 400, "wait"),
    ("GET", "/runs/x?wait=1e9", b"", "", 400, "wait"),
    ("GET", "/runs/x/logs?offset=-1", b"", "", 400, "offset"),
    ("GET", "/runs/x/logs?offset=1e3", b"", "", 400, "offset"),
    ("GET", "/runs/x/logs?follow=perhaps", b"", "", 400, "follow"),
    ("GET", "/environments/diff?a=1", b"", "", 400, "a"),
    ("GET", "/recipes/job/ada/%00", b"", "", 404, ""),
    ("GET", "/recipes/cake/ada/x", b"", "", 404, ""),
    ("POST", "/recipes/job/ada/x/revisions/99999999999999999999/restore", b"", "", 404, ""),
    ("GET", "/nothing", b"", "", 404, ""),
    ("DELETE", "/me", b"", "", 405, ""),
    ("POST", "/nothing", b"{}", "application/json", 404, ""),
]


@pytest.mark.parametrize(("method", "path", "content", "kind", "status", "at"), REFUSED, ids=[f"{n} {each[0]} {each[1]}" for n, each in enumerate(REFUSED)])
def test_bad_input_is_refused_with_a_path_and_a_sentence(people, method, path, content, kind, status, at):
    answer = people["owner"].api(method, path, content=content, headers={"Content-Type": kind} if kind else {})
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["code"] and error["message"]
    assert not at or at in (error["path"], *(each["path"] for each in error["details"])), error
    assert people["owner"].api("GET", "/recipes/job/ada/refused").status_code == 404


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=()), max_size=12)
NAMES = ["schema", "kind", "name", "owner", "command", "steps", "schedules", "parameters", "again_of", "revision", "to", "packages", "tags", "port", "health"]
ANYTHING = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=8)
WRITES = ["/recipes", "/jobs/ada/fuzz/runs", "/apps/ada/fuzz/deploy", "/apps/ada/fuzz/rollback", "/apps/ada/fuzz/tokens"]
BODY_KEYS = st.sampled_from(
    ["schema", "kind", "name", "owner", "command", "steps", "schedules", "parameters", "again_of", "revision", "to", "packages", "tags", "port", "health"]
)


@given(path=st.sampled_from(WRITES), body=st.dictionaries(st.sampled_from(NAMES), ANYTHING, max_size=4))
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_body_is_answered_by_a_failure_of_ours(people, path, body):
    # `colour` makes each of them one to refuse, so that nothing may come of it.
    answer = people["owner"].api("POST", path, content=json.dumps({**body, "colour": 1}).encode(), headers={"Content-Type": "application/json"})
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json()["error"]["message"]


@given(query=st.dictionaries(st.sampled_from(["after", "limit", "kind", "state", "search", "all", "wait", "offset"]), st.text(max_size=12), max_size=3))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_query_is_answered_by_a_failure_of_ours(people, query):
    for path in ("/recipes", "/runs", "/sessions"):
        assert people["owner"].api("GET", path, params=query).status_code < 500


def test_a_dry_run_says_every_problem_and_writes_nothing(people):
    ada = people["owner"]
    fine = ada.api("POST", "/recipes?dry_run=1", json={**GOOD, "name": "dry"})
    assert (fine.status_code, fine.json()["valid"], fine.json()["recipe"]["name"]) == (200, True, "dry")
    assert ada.api("GET", "/recipes/job/ada/dry").status_code == 404
    wrong = ada.api("POST", "/recipes?dry_run=1", json={**GOOD, "name": "matrix", "size": "huge", "image": "none"})
    assert {"size", "image"} <= {each["path"] for each in wrong.json()["error"]["details"]}


def test_if_match_holds_for_every_write(people):
    ada = people["owner"]
    ada.make(kind="job", name="held", command="true")
    change = {"command": "false", **SIZES}
    bad = ada.api("PUT", "/recipes/job/ada/held", json=change, headers={"If-Match": "latest"})
    assert (bad.status_code, bad.json()["error"]["path"]) == (400, "If-Match")
    for method, path, body in (
        ("PUT", "/recipes/job/ada/held", change),
        ("DELETE", "/recipes/job/ada/held", None),
        ("POST", "/recipes/job/ada/held/revisions/1/restore", {}),
    ):
        moved = ada.api(method, path, headers={"If-Match": '"7"'}, **({"json": body} if body is not None else {}))
        assert (moved.status_code, moved.json()["error"]["code"]) == (412, "revision_moved"), path
    saved = ada.api("PUT", "/recipes/job/ada/held", json=change, headers={"If-Match": '"1"'})
    assert (saved.status_code, saved.headers["ETag"]) == (200, '"2"')
    assert ada.api("DELETE", "/recipes/job/ada/held", headers={"If-Match": '"2"'}).status_code == 204


def test_the_address_and_the_recipe_name_the_same_thing(people):
    differs = people["owner"].api("PUT", "/recipes/job/ada/one", json={"name": "two", "command": "true", **SIZES})
    assert (differs.status_code, differs.json()["error"]["path"]) == (400, "name")


def test_a_deployment_repeated_with_its_key_is_made_once(people, until):
    ada = people["owner"]
    ada.make(kind="app", name="once", command="python -m http.server $PORT --bind 127.0.0.1")
    made = [ada.api("POST", "/apps/ada/once/deploy", json={}, headers={"Idempotency-Key": "one"}).json()["number"] for _ in range(3)]
    assert made == [1, 1, 1]
    bad = ada.api("POST", "/apps/ada/once/deploy", json={}, headers={"Idempotency-Key": "x" * 101})
    assert (bad.status_code, bad.json()["error"]["path"]) == (400, "Idempotency-Key")
    ada.api("POST", "/apps/ada/once/stop")
    until(lambda: ada.api("GET", "/recipes/app/ada/once").json()["state"] == "stopped")


def test_lists_come_in_pages_without_losing_or_doubling_one(people):
    eve = people["outsider"]
    for number in range(5):
        eve.make(kind="job", name=f"page-{number}", command="true")
    found, after = [], ""
    while True:
        page = eve.api("GET", "/recipes", params={"limit": 2, "after": after, "search": "page-"}).json()
        found += [each["name"] for each in page["items"]]
        if not (after := page["next"]):
            break
    assert found == [f"page-{number}" for number in reversed(range(5))]
    assert eve.api("GET", "/recipes?state=running&search=page-").json() == {"items": [], "next": None}
    assert len(eve.api("GET", "/recipes?state=never_run&search=page-").json()["items"]) == 5


def test_runs_of_mine_are_filtered_by_state(people, things):
    ada = people["owner"]
    ada.make(kind="job", name="ends-badly", command="exit 2")
    ada.run("ends-badly")
    failed = ada.api("GET", "/runs?state=failed&limit=200").json()["items"]
    assert {"ends-badly"} <= {each["job"]["name"] for each in failed}
    assert {each["state"] for each in failed} == {"failed"}
    assert things["run_id"] in [each["id"] for each in people["member"].api("GET", "/runs?limit=200").json()["items"]]


def stream(session: Any, path: str, last: str = "") -> Iterator[Event]:
    headers = {**session.headers, **({"Last-Event-ID": last} if last else {})}
    with session.client.stream("GET", f"{API}{path}", headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        yield from events(answer.iter_lines())


def test_a_log_is_resumed_at_any_event_without_losing_or_doubling_a_byte(people):
    ada = people["owner"]
    # Characters of one to four bytes, so that what is read at once ends within one of them.
    ada.make(kind="job", name="speaks", command="python -c \"import sys; [sys.stdout.write('aé€😀' * 9999 + chr(10)) for _ in range(4)]\"")
    run = ada.run("speaks")
    whole = ada.api("GET", f"/runs/{run['id']}/logs").content
    assert whole.decode() == ("aé€😀" * 9999 + "\n") * 4
    every = list(stream(ada, f"/runs/{run['id']}/logs?follow=1"))
    assert every[-1].name == "end"
    assert "".join(json.loads(each.data) for each in every[:-1]).encode() == whole
    assert len(every) > 3
    for known in every[:-1]:
        rest = "".join(json.loads(each.data) for each in stream(ada, f"/runs/{run['id']}/logs?follow=1", known.id) if each.name == "message")
        assert rest.encode() == whole[int(known.id) :]
    # A download may begin anywhere, also within a character.
    assert ada.api("GET", f"/runs/{run['id']}/logs?offset=2").content == whole[2:]
    part = ada.api("GET", f"/runs/{run['id']}/logs", headers={"Range": "bytes=2-11"})
    assert (part.status_code, part.content, part.headers["Content-Range"]) == (206, whole[2:12], "bytes 2-11/*")
    rest = ada.api("GET", f"/runs/{run['id']}/logs", headers={"Range": f"bytes={len(whole) - 5}-"})
    assert (rest.content, rest.headers["Content-Range"]) == (whole[-5:], f"bytes {len(whole) - 5}-{len(whole) - 1}/{len(whole)}")
    assert ada.api("GET", f"/runs/{run['id']}/logs", headers={"Range": f"bytes={len(whole)}-"}).status_code == 416


def test_events_of_what_i_may_see_are_told_and_resumed(people):
    ada, seen = people["owner"], []
    ready = threading.Event()

    def listen() -> list[tuple[str, dict[str, Any]]]:
        with ada.client.stream("GET", f"{API}/events?after=0", headers=ada.headers) as answer:
            ready.set()
            for each in events(answer.iter_lines()):
                seen.append((each.id, json.loads(each.data)))
                if seen[-1][1]["resource"] == "job/ada/told" and seen[-1][1]["state"] == "succeeded":
                    return seen
        raise AssertionError("the stream ended")

    with ThreadPoolExecutor() as pool:
        listening = pool.submit(listen)
        assert ready.wait(30)
        ada.make(kind="job", name="told", command="true")
        run = ada.run("told")
        listening.result(30)
    mine = [(number, each) for number, each in seen if each["subject"] == run["id"]]
    assert (mine[0][1]["state"], mine[-1][1]["state"]) == ("queued", "succeeded")
    assert {each["kind"] for _, each in mine} == {"run"}
    again = stream(ada, "/events", mine[0][0])
    following = [next(again) for _ in mine[1:]]
    again.close()
    assert [each.id for each in following if json.loads(each.data)["subject"] == run["id"]] == [number for number, _ in mine[1:]]
    numbers = [int(number) for number, _ in seen]
    assert numbers == sorted(set(numbers))
    # Nothing of hers is told to an outsider, though events of his own come.
    eve = people["outsider"]
    theirs = stream(eve, "/events?after=0")
    eve.make(kind="job", name="eves", command="true")
    for each in theirs:
        told = json.loads(each.data)
        assert told["resource"].split("/")[1] == "eve"
        if told["resource"] == "job/eve/eves":
            break
    theirs.close()


def test_an_address_that_is_no_text_is_refused(people, hub):
    # The hub's own proxy answers such an address itself; nobody but it is between, so the service is asked as it would be.
    port = json.loads((hub.home / "service" / "ports.json").read_text())["service"]
    headers = {"Authorization": f"token {people['owner'].token()}"}
    for path, status in (("/recipes/job/ada/%ff", 400), ("/recipes/job/ada/%zz", 404), ("/runs/../../x", 404)):
        answer = httpx.get(f"http://127.0.0.1:{port}{API}{path}", headers=headers)
        assert answer.status_code == status, (path, answer.text)


def test_a_wait_ends_with_the_run(people, until):
    ada = people["owner"]
    ada.make(kind="job", name="waits", command="sleep 300")
    run = ada.api("POST", "/jobs/ada/waits/runs", json={}).json()
    with ThreadPoolExecutor() as pool:
        waited = pool.submit(lambda: ada.api("GET", f"/runs/{run['id']}?wait=30").json())
        until(lambda: ada.api("GET", f"/runs/{run['id']}").json()["state"] == "running")
        ada.api("POST", f"/runs/{run['id']}/cancel")
        assert waited.result(25)["state"] == "cancelled"
