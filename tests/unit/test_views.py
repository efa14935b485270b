"""The pages render from what they are given, say what is wrong where it is, and hold to the content policy."""

from __future__ import annotations

import re
from typing import Any

import pytest

from saturn_hub.web.pages.environment import make_environment

INLINE = re.compile(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=|javascript:")
DIGEST = "ab" * 32
NOW = "2026-11-24T10:00:00+00:00"
PAGE = {"base": "/services/saturn", "hub": "/hub/", "me": {"name": "ada", "admin": True, "teams": ["growth"]}, "xsrf": "token"}
HARD = '<script>alert("x")</script>'
CATALOG = {
    "sizes": [
        {"name": "huge", "cpu": "64", "memory": "512Gi", "gpu": 0, "price_per_hour": "9", "reason": "This machine has 2 cores."},
        {"name": "small", "cpu": "1", "memory": "2Gi", "gpu": 0, "price_per_hour": "0.04", "reason": ""},
    ],
    "images": [{"name": "local", "description": "Python", "tools": ["jupyterlab"], "contains": ["Python 3.11"], "reason": ""}],
    "tools": [{"name": "jupyterlab", "title": "JupyterLab", "description": "Notebooks", "reason": ""}],
    "currency": "EUR",
}
REPOSITORY = {"path": "churn", "url": HARD, "commit": "c" * 40, "dirty": True, "message": "It has changes."}


def an_item(kind: str, state: str, **values: Any) -> dict[str, Any]:
    item = {"kind": kind, "owner": "team:growth", "name": "seen", "description": HARD, "state": state, "revision": 2, "recipe": {}, "size": "small"}
    item |= {"price_per_hour": "0.04", "currency": "EUR", "cost": "0.12", "url": "/user/ada/seen", "updated_at": NOW, "next_run_at": None, "problem": HARD}
    return item | {"access": {"who": "private", "people": [], "teams": []}, "environment": DIGEST, "repositories": [REPOSITORY]} | values


def a_run(state: str, finished_at: str | None) -> dict[str, Any]:
    run = {"id": "1", "job": {"owner": "ada", "name": "seen"}, "number": 7, "state": state, "trigger": "manual", "reason": HARD, "path": "", "size": "small"}
    steps = [{"name": name, "state": state, "reason": ""} for name in ("one", "two")]
    run |= {"parameters": {"day": HARD}, "requested_by": "ada", "environment": None, "created_at": NOW, "finished_at": finished_at}
    return run | {"repositories": [REPOSITORY], "cost": "0.0001", "currency": "EUR", "steps": steps}


def an_app(state: str, **values: Any) -> dict[str, Any]:
    version = {"number": 1, "state": state, "reason": "", "created_at": NOW, "created_by": "ada", "environment": DIGEST}
    return {"item": an_item("app", state), "versions": [version], "tokens": [{"id": "1", "name": HARD, "created_at": NOW}], "new_token": "", **values}


def a_workspace(state: str) -> dict[str, Any]:
    session = {"created_at": NOW, "finished_at": None, "state": state, "size": "small", "environment": DIGEST}
    tools = [{"title": "JupyterLab", "url": "/user/ada/seen/lab"}]
    return {"item": an_item("workspace", state), "sessions": [session], "tools": tools, "sizes": CATALOG["sizes"], "catalog": CATALOG}


RECIPE = {"parameters": {"day": {"default": HARD}}, "schedules": [{"cron": "0 6 * * *", "timezone": "UTC"}]}
NOTHING: dict[str, Any] = {"added": {}, "removed": {}, "changed": {}}
RECORD = {"os": {"id": "debian", "version": "12", "packages": {"r-base": "4"}}, "interpreters": [], "python": {"pandas": "3"}, "r": {}, "conda": {}}
USE = {"resource": "job/ada/seen", "taken_at": NOW, "hardware": {"cpu_model": "x", "cores": 2}, "repositories": [REPOSITORY]}
TOTALS = {"cost_per_hour": "0.04", "cost_month": "1.20", "currency": "EUR"}
PAGES: list[tuple[str, dict[str, Any]]] = [
    ("home.html", {"running": [], "runs": [], "needs": [], "resources": [], **TOTALS}),
    ("home.html", {"running": [], "runs": [a_run("failed", NOW)], "needs": [{"text": HARD, "url": "/"}], "resources": [an_item("job", "failed")], **TOTALS}),
    ("list.html", {"kind": "job", "items": [an_item("job", "never_run")], "next": "x"}),
    ("list.html", {"kind": "app", "items": [], "next": None}),
    *(("workspace.html", a_workspace(state)) for state in ("starting", "running", "stopping", "stopped", "failed")),
    ("job.html", {"item": an_item("job", "succeeded", recipe=RECIPE, next_run_at=NOW), "runs": [a_run("succeeded", NOW)]}),
    ("run.html", {"run": a_run("running", None), "files": []}),
    ("run.html", {"run": a_run("failed", NOW), "files": [{"path": "a.html", "size": 4096, "url": "/f", "preview": "/p"}]}),
    *(("app.html", an_app(state)) for state in ("deploying", "serving", "sleeping", "failed", "stopped")),
    *(("new.html", {"kind": kind, "catalog": CATALOG, "form": {}, "problems": []}) for kind in ("workspace", "job", "app")),
    ("edit.html", {"item": an_item("job", "failed"), "yaml": HARD, "problems": [{"path": "size", "message": HARD}]}),
    ("environment.html", {"digest": DIGEST, "record": RECORD, "uses": [USE]}),
    ("compare.html", {"a": DIGEST, "b": DIGEST, "difference": {"os": NOTHING, "python": {**NOTHING, "changed": {"pandas": ["2", "3"]}}}}),
    ("admin.html", {"items": [an_item("workspace", "running")]}),
    ("confirm.html", {"title": "Delete?", "text": HARD, "action": "/x", "danger": True}),
    ("error.html", {"status": 503, "message": HARD, "detail": [], "id": "abcd"}),
    ("spawn_form.html", {"catalog": CATALOG}),
]


def page(template: str, **values: Any) -> str:
    return make_environment().get_template(template).render(**PAGE, **values)


@pytest.mark.parametrize(("template", "values"), PAGES)
def test_a_page_renders_escapes_and_has_nothing_inline(template, values):
    text = page(template, **values)
    assert not INLINE.search(text)
    assert HARD not in text


def test_every_template_is_rendered_here():
    parts = {"base.html", "parts.html"}
    assert {name for name, _ in PAGES} == set(make_environment().list_templates()) - parts


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("name", "name"),
        ("owner", "owner"),
        ("size", "size"),
        ("command", "command"),
        ("notebook", "command"),
        ("repositories[0].url", "repositories"),
        ("packages.pip[0]", "pip"),
        ("schedules[0].cron", "cron"),
        ("schedules[0].timezone", "timezone"),
        ("parameters.day", "parameters"),
        ("environment_variables.STAGE", "environment_variables"),
    ],
)
def test_a_problem_stands_at_its_field_alone(path, field):
    text = page("new.html", kind="job", catalog=CATALOG, form={}, problems=[{"path": path, "message": "This cannot be."}])
    assert re.findall(r'id="(\w+)-wrong"', text) == [field]


def test_the_first_size_that_can_be_had_is_chosen():
    text = page("spawn_form.html", catalog=CATALOG)
    assert re.findall(r'name="size" value="(\w+)" checked', text) == ["small"]


def test_a_workspace_that_stops_can_be_neither_started_nor_deleted():
    text = page("workspace.html", **a_workspace("stopping"))
    assert "/start" not in text
    assert "/delete" not in text


def test_a_page_with_a_new_token_stays():
    assert "data-refresh" in page("app.html", **an_app("deploying"))
    assert "data-refresh" not in page("app.html", **an_app("deploying", new_token="sat_app_x"))
