"""From a recipe to a workload, or every problem at once."""

from datetime import UTC, datetime

import pytest

from saturn_hub.errors import InvalidInput
from saturn_hub.model import catalog, parameters, recipe, schedule
from saturn_hub.model.access import Access, Person, Who, may_open
from saturn_hub.model.resolve import Machine, resolve
from saturn_hub.model.workload import Owner, Workload

CATALOG = catalog.read(
    {
        "sizes": [
            {"name": "small", "cpu": 1, "memory": "2Gi", "price_per_hour": "0.04"},
            {"name": "large", "cpu": 8, "memory": "64Gi", "price_per_hour": "1.20", "groups": ["research"]},
        ],
        "images": [{"name": "local", "tools": ["jupyterlab"], "versions": [{"name": "1"}]}],
        "tools": [{"name": "jupyterlab", "title": "JupyterLab"}, {"name": "rstudio", "title": "RStudio"}],
    },
    "catalog.yaml",
)
ANY = Machine()
ADA = Person("1", "ada", teams=frozenset({"growth"}))


def job(**keys):
    return recipe.read({"kind": "job", "name": "churn", "command": "true", **keys})


def paths(a_recipe, person=ADA, machine=ANY):
    with pytest.raises(InvalidInput) as caught:
        resolve(a_recipe, person, CATALOG, machine)
    return [each.path for each in caught.value.details]


def test_all_that_is_not_allowed_is_said_at_once():
    assert paths(job(size="large", image="other", owner="team:research")) == ["owner", "size", "image"]


def test_a_size_larger_than_the_machine_is_refused():
    assert paths(job(size="small"), machine=Machine(cpu=0.5)) == ["size"]


def test_a_tool_has_to_be_in_the_image():
    assert paths(recipe.read({"kind": "workspace", "name": "a", "tool": "rstudio"})) == ["tool"]


def test_a_workload_goes_to_json_and_back():
    workload = resolve(job(owner="team:growth"), ADA, CATALOG, folder="runs/1")
    assert Workload.from_json(workload.to_json()) == workload
    assert workload.owner == Owner.parse("team:growth")


def test_parameters_are_quoted_for_the_shell():
    declared = {"day": recipe.Parameter(type="date", default="scheduled_date"), "note": recipe.Parameter()}
    found, problems = parameters.values(declared, {"note": "a'; rm -rf /"}, datetime(2026, 3, 1, 23, 30, tzinfo=UTC), "Europe/Paris")
    assert problems == []
    assert parameters.fill("run {{ day }} {{note}} {{ other }}", found) == "run 2026-03-02 'a'\"'\"'; rm -rf /' {{ other }}"


def test_an_hour_that_daylight_saving_repeats_runs_once():
    nightly = recipe.ScheduleEntry(cron="30 2 * * *", timezone="Europe/Paris", catch_up="all")
    first = schedule.next_time(nightly, datetime(2026, 10, 24, 12, tzinfo=UTC))
    assert len(schedule.due(nightly, first, datetime(2026, 10, 25, 12, tzinfo=UTC))) == 1


def test_catch_up_last_runs_only_the_newest_of_the_missed():
    hourly = recipe.ScheduleEntry(cron="0 * * * *")
    now = datetime(2026, 5, 1, 12, 30, tzinfo=UTC)
    assert schedule.due(hourly, datetime(2026, 5, 1, 8, tzinfo=UTC), now) == [datetime(2026, 5, 1, 12, tzinfo=UTC)]


def test_an_app_is_private_until_it_is_shared():
    ben, owner = Person("2", "ben"), Owner.parse("ada")
    assert not may_open(ben, owner, Access())
    assert may_open(ben, owner, Access(Who.PEOPLE, people=("ben",)))
    assert not may_open(None, owner, Access(Who.SIGNED_IN))
    assert may_open(None, owner, Access(Who.PUBLIC))
