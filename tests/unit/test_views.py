"""The pages render from what they are given, say what is wrong where it is, and hold to the content policy."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from saturn_hub.model.access import Person
from saturn_hub.web.pages import forms, views, words
from saturn_hub.web.pages.environment import make_environment

INLINE = re.compile(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=|javascript:")
DIGEST = "ab" * 32
NOW = "2026-11-24T10:00:00+00:00"
LATER = "2026-11-24T10:03:05+00:00"
MOMENT = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
PAGE = {"base": "/services/saturn", "hub": "/hub/", "me": {"name": "ada", "admin": True, "teams": ["growth"]}, "xsrf": "token"}
PAGE |= {"kind": "", "here": "", "watch": ""}
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
    item = {"id": "1", "kind": kind, "owner": "team:growth", "name": "seen", "description": HARD, "state": state, "revision": 2, "recipe": {}, "size": "small"}
    item |= {"price_per_hour": "0.04", "currency": "EUR", "cost": "0.12", "url": "/user/ada/seen", "updated_at": NOW, "next_run_at": None, "problem": HARD}
    item |= {"progress": HARD, "last_run": {"id": "1", "state": state}}
    return item | {"access": {"who": "private", "people": [], "teams": []}, "environment": DIGEST, "repositories": [REPOSITORY]} | values


def a_run(state: str, finished_at: str | None) -> dict[str, Any]:
    run = {"id": "1", "job": {"owner": "ada", "name": "seen"}, "number": 7, "state": state, "trigger": "manual", "reason": HARD, "path": "", "size": "small"}
    times = {"started_at": NOW, "finished_at": finished_at}
    steps = [{"name": name, "state": state, "reason": "", "needs": [], **times} for name in ("one", "two")]
    run |= {"parameters": {"day": HARD}, "requested_by": "ada", "environment": DIGEST, "created_at": NOW, "revision": 1, "again_of": "2", **times}
    return run | {"repositories": [REPOSITORY], "cost": "0.0001", "currency": "EUR", "steps": steps}


def a_page_of(kind: str, state: str, **values: Any) -> dict[str, Any]:
    """What the page of a resource is given whatever its kind."""
    revisions = [{"number": number, "created_at": NOW, "created_by": HARD} for number in (2, 1)]
    common = {"item": an_item(kind, state), "may": {"see", "edit", "operate", "share"}, "revisions": revisions}
    return {**common, "token": None, "problems": [{"path": "size", "message": HARD}], "given": {}, **values}


def an_app(state: str, **values: Any) -> dict[str, Any]:
    versions = [{"number": n, "state": state, "reason": HARD, "created_at": NOW, "created_by": "ada", "revision": n, "environment": DIGEST} for n in (2, 1)]
    found = {
        "versions": versions,
        "tokens": [{"id": "1", "name": HARD, "created_at": NOW, "created_by": HARD}],
        "snippets": views.snippets(HARD),
        "teams": ["growth"],
    }
    return a_page_of("app", state, **found, **values)


def a_workspace(state: str, **values: Any) -> dict[str, Any]:
    session = {"created_at": NOW, "finished_at": None, "state": state, "size": "small", "environment": DIGEST, "reason": HARD}
    tools = [{"title": "JupyterLab", "url": "/user/ada/seen/lab", "description": HARD, "reason": ""}, {"title": "RStudio", "url": "/x", "reason": HARD}]
    return a_page_of("workspace", state, sessions=[session], tools=tools, catalog=CATALOG, **values)


RECIPE = {"parameters": {"day": {"type": "date", "default": "scheduled_date"}, "n": {"type": "integer"}}, "schedules": [{"cron": "0 6 * * *"}]}


def a_job(state: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    found = {"strip": views.strip(runs), "schedules": views.schedules(RECIPE, MOMENT), "parameters": views.parameters(RECIPE), "next": "x"}
    return a_page_of("job", state, runs=runs, **found)


NOTHING: dict[str, Any] = {"added": {}, "removed": {}, "changed": {}}
CHANGES = views.changes({"os": {**NOTHING, "added": {HARD: "1"}}, "python": {**NOTHING, "changed": {"pandas": ["2", "3"]}, "removed": {"six": "1"}}})
RECORD = {"os": {"id": "debian", "version": "12", "packages": {"r-base": "4"}}, "interpreters": [], "python": {"pandas": "3"}, "r": {}, "conda": {}}
USE = {"resource": "job/ada/seen", "taken_at": NOW, "moment": "stop", "hardware": {"cpu_model": HARD, "cores": 2}, "repositories": [REPOSITORY]}
RECORDED = [{"digest": DIGEST, "kind": "job", "owner": "ada", "name": "seen", "taken_at": NOW}]
FOUND = {"items": [], "runs": [], "cost_per_hour": "0.04", "cost_month": "1.20", "currency": "EUR"}
SHARED = [{"name": "seen", "owner": "eve", "url": "http://seen.apps.localhost/", "description": HARD, "state": "serving", "who": "signed_in"}]
FULL = {**FOUND, "items": [an_item("job", "failed", next_run_at=NOW), an_item("app", "serving")], "runs": [a_run("failed", LATER)]}
LIST = {"next": "?after=x", "first": True, "state": "", "owner": "", "search": HARD, "filtered": True}
SEEN = {"name": HARD, "admin": False, "teams": ["growth"], "disabled": True, "seen_at": None, "managed": True}
PEOPLE = {"items": [SEEN], "teams": ["growth"], "managed": True, "password": {"name": HARD, "password": "x"}, "problem": HARD, "given": {}}
COMPARED = [{"title": "the original", "run": {"id": "2", "number": 6, "environment": DIGEST}, "changes": CHANGES, "moved": []}]
FILE = {"path": HARD, "size": 4096}
WRONG = [{"path": "size", "message": HARD, "field": "size"}, {"path": "tags", "message": HARD, "field": ""}]


def a_form(kind: str, **values: Any) -> dict[str, Any]:
    found = {"form": forms.form_of({"kind": kind}), "yaml": HARD, "problems": [], "catalog": CATALOG, "item": None, "view": "form", "here": f"{kind}s"}
    return {"kind": kind, **found, **values}


PAGES: list[tuple[str, dict[str, Any]]] = [
    ("home.html", views.home(FOUND, [])),
    ("home.html", views.home(FULL, SHARED)),
    ("list.html", {**LIST, "kind": "job", "here": "jobs", "states": views.STATES["job"], "items": [an_item("job", "never_run")]}),
    ("list.html", {**LIST, "kind": "app", "here": "apps", "states": views.STATES["app"], "items": []}),
    ("list.html", {**LIST, "kind": "app", "here": "apps", "states": views.STATES["app"], "items": [], "filtered": False}),
    ("search.html", {**LIST, "items": [], "shared": []}),
    ("search.html", {**LIST, "items": [an_item("job", "queued")], "shared": SHARED}),
    ("gallery.html", {"items": SHARED, "search": HARD}),
    ("gallery.html", {"items": [], "search": ""}),
    *(("workspace.html", a_workspace(state)) for state in ("starting", "running", "stopping", "stopped", "failed")),
    ("job.html", a_job("succeeded", [a_run("succeeded", LATER), a_run("running", None)])),
    ("job.html", a_job("never_run", [])),
    ("run.html", {"run": a_run("running", None), "files": [], "compared": [], "may": {"see"}}),
    (
        "run.html",
        {"run": a_run("failed", LATER), "may": {"operate"}, "compared": COMPARED}
        | {"files": [{"path": "a.html", "size": 4096, "url": "/f", "preview": "page", "page": "/p"}]},
    ),
    *(
        ("file.html", {"run": a_run("failed", LATER), "file": FILE, "how": how, "text": HARD, "rows": [[HARD], ["1"]], "url": "/f", "image": "/i", "cut": True})
        for how in ("page", "image", "table", "text", "")
    ),
    *(("app.html", an_app(state)) for state in ("deploying", "serving", "sleeping", "failed", "stopped")),
    ("app.html", an_app("serving", token={"id": "1", "name": HARD, "token": "sat_app_x"})),
    *(("recipe.html", a_form(kind)) for kind in ("workspace", "job", "app")),
    ("recipe.html", a_form("job", item=an_item("job", "failed"), view="yaml", problems=WRONG)),
    ("environment.html", {"digest": DIGEST, "record": RECORD, "uses": [USE], "packages": views.packages(RECORD), "others": RECORDED}),
    ("compare.html", {"a": DIGEST, "b": DIGEST, "changes": CHANGES, "recorded": RECORDED}),
    ("compare.html", {"a": "", "b": "", "changes": None, "recorded": []}),
    ("admin.html", {**LIST, "chosen": "", "items": [an_item("workspace", "running"), an_item("job", "running")]}),
    ("people.html", PEOPLE),
    ("people.html", {**PEOPLE, "managed": False, "password": None}),
    *(("confirm.html", {"item": an_item(kind, "stopped"), "action": "/x"}) for kind in ("workspace", "job", "app")),
    *(("error.html", {"status": status, "message": HARD, "detail": [HARD, "More."], "id": "abcd"}) for status in (403, 404, 503)),
    ("spawn_form.html", {"catalog": CATALOG}),
]
PARTS = {"base.html", "ui.html", "rows.html", "cards.html", "changes.html"}


def page(template: str, **values: Any) -> str:
    return make_environment().get_template(template).render(**{**PAGE, **values})


@pytest.mark.parametrize(("template", "values"), PAGES)
def test_a_page_renders_escapes_and_has_nothing_inline(template, values):
    text = page(template, **values)
    assert not INLINE.search(text)
    assert HARD not in text


def test_every_template_is_rendered_here():
    assert {name for name, _ in PAGES} == set(make_environment().list_templates()) - PARTS


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
        ("steps[1].needs", "steps"),
        ("environment_variables.STAGE", "environment_variables"),
        ("tags[0]", ""),
    ],
)
def test_a_problem_stands_at_its_field_alone(path, field):
    problems = forms.at_fields([forms.Problem("invalid", "This cannot be.", path)])
    text = page("recipe.html", **a_form("job", problems=problems))
    slots = re.findall(r'data-problems="(\w*)"[^>]*>\s*<div>', text)
    assert slots == [field]


def test_the_first_size_that_can_be_had_is_chosen():
    text = page("spawn_form.html", catalog=CATALOG)
    assert re.findall(r'name="size" value="(\w+)" checked', text) == ["small"]


def test_a_workspace_that_stops_can_be_neither_started_nor_deleted():
    text = page("workspace.html", **a_workspace("stopping"))
    assert "/start" not in text
    assert "/delete" not in text


def test_who_may_only_see_is_offered_nothing_to_do():
    for template, values in (("app.html", an_app("serving", may={"see"})), ("job.html", a_job("failed", []) | {"may": {"see"}})):
        assert 'method="post"' not in page(template, **values)


def test_a_recipe_goes_through_its_form_unchanged():
    recipe = {"schema": 1, "kind": "job", "name": "nightly", "owner": "team:growth", "tags": ["churn"], "size": "small", "image": "local"}
    recipe["timeout_seconds"] = 60
    recipe |= {"repositories": [{"url": "https://example.com/a.git", "reference": "dev"}, {"url": "https://example.com/a.git", "path": "b"}]}
    recipe |= {"packages": {"pip": ["pandas==3"]}, "environment_variables": {"STAGE": "a=b"}, "start_script": "set -e\ndate"}
    recipe |= {"steps": [{"name": "one", "command": "date"}, {"name": "two", "notebook": "a.ipynb", "needs": ["one"]}]}
    recipe |= {"parameters": {"day": {"type": "date", "default": "scheduled_date"}, "note": {}}}
    recipe |= {"schedules": [{"cron": "0 6 * * *", "timezone": "Europe/Paris", "overlap": "allow"}, {"cron": "0 7 * * *", "timezone": "UTC"}]}
    assert forms.recipe_of("job", posted(page("recipe.html", **a_form("job", form=forms.form_of(recipe), item=an_item("job", "failed", **OF_TEAM))))) == recipe


OF_TEAM = {"name": "nightly", "owner": "team:growth"}


def posted(text: str) -> dict[str, list[str]]:
    """What a browser would send of a page's form."""
    from bs4 import BeautifulSoup

    found: dict[str, list[str]] = {}
    form = BeautifulSoup(text, "html.parser").select_one("form[data-check]")
    assert form
    for part in form.select("template"):
        part.decompose()
    for each in form.select("input[name], textarea[name], select[name]"):
        value = str(each.get("value", ""))
        if each.name == "textarea":
            value = each.text.removeprefix("\n")
        elif each.name == "select":
            option = each.select_one("option[selected]") or each.select_one("option")
            value = str(option.get("value", option.text)) if option else ""
        if each.get("type") not in ("radio", "checkbox") or each.has_attr("checked"):
            found.setdefault(str(each["name"]), []).append(value)
    return found


@pytest.mark.parametrize(
    ("work", "recipe"),
    [
        ("python", {"command": "python score.py"}),
        ("r", {"command": "Rscript model.R"}),
        ("rmarkdown", {"command": forms.RUNNERS["rmarkdown"].replace("{}", "a/b.Rmd")}),
        ("notebook", {"notebook": "explore.ipynb"}),
        ("command", {"command": "python score.py --day {{ day }}"}),
    ],
)
def test_the_kind_of_work_is_found_again(work, recipe):
    found = forms.form_of({"kind": "job", **recipe})
    assert found["work"] == work
    again = forms.recipe_of("job", {"name": ["x"], "work": [found["work"]], "command": [found["command"]]})
    assert {key: again[key] for key in recipe} == recipe


def test_a_form_shows_even_a_recipe_that_makes_no_sense():
    found = forms.form_of({"kind": "job", "repositories": "no", "packages": [], "parameters": [1], "schedules": {"a": 1}, "steps": [None], "name": 3})
    assert page("recipe.html", **a_form("job", form=found))


def test_a_schedule_is_said_in_words_with_its_next_times_in_its_zone():
    [found] = views.schedules({"schedules": [{"cron": "0 6 * * 1-5", "timezone": "Europe/Paris"}]}, MOMENT)
    assert found["words"] == "At 06:00, Monday through Friday"
    assert [each["text"] for each in found["next"]] == ["Wed 25 Nov 2026, 06:00 CET", "Thu 26 Nov 2026, 06:00 CET", "Fri 27 Nov 2026, 06:00 CET"]


def test_the_strip_has_the_oldest_run_first_and_the_longest_highest():
    runs = [{"id": str(n), "number": n, "state": "succeeded", "started_at": NOW, "finished_at": end} for n, end in ((3, None), (2, LATER), (1, NOW))]
    assert [(each["number"], each["height"]) for each in views.strip(runs)] == [(1, 1), (2, 8), (3, 1)]


def test_what_ended_badly_and_what_moved_under_changes_needs_somebody():
    found = views.needs([an_item("job", "failed", repositories=[]), an_item("workspace", "running"), an_item("app", "serving", repositories=[])])
    assert [(each["item"]["kind"], each["text"]) for each in found] == [("job", HARD), ("workspace", "churn: It has changes.")]


def test_a_stranger_may_do_nothing_and_an_admin_only_see_and_stop():
    assert views.may(Person("1", "eve"), "ada") == set()
    assert views.may(Person("2", "root", admin=True), "ada") == {"see", "operate"}


def test_every_state_has_a_shape_of_its_own_tone():
    shapes = {state: words.look(state) for kind in views.STATES.values() for state in kind}
    assert all(state in words.LOOKS for state in shapes)


@pytest.mark.parametrize(("end", "said"), [("2026-11-24T10:00:04.200+00:00", "4.2 s"), (LATER, "3 min 5 s"), ("2026-11-24T12:10:00+00:00", "2 h 10 min")])
def test_a_duration_is_said_in_two_units(end, said):
    assert words.took(NOW, end) == said
