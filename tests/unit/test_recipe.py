"""What a recipe may say, and how it is told what is wrong."""

import pytest

from saturn_hub.errors import InvalidInput
from saturn_hub.model import recipe


def problems(document):
    with pytest.raises(InvalidInput) as caught:
        recipe.read(document)
    return {each.path: each.code for each in caught.value.details}


def test_every_problem_comes_at_once_with_its_path():
    found = problems({"kind": "job", "name": "Bad Name", "colour": 1, "secrets": [{"name": "x"}], "packages": {"apt": ["curl"]}})
    assert found == {"secrets": "not_available_yet", "packages.apt": "not_available_yet", "name": "invalid", "colour": "unknown_key"}


@pytest.mark.parametrize("name", ["1st", "-a", "a-", "a--b", "A", "a" * 31, "a_b", ""])
def test_names_that_jupyterhub_would_refuse_are_refused(name):
    assert "name" in problems({"kind": "job", "name": name, "command": "true"})


def test_a_job_has_exactly_one_of_command_notebook_and_steps():
    assert problems({"kind": "job", "name": "a"}) == {"command": "invalid"}
    assert problems({"kind": "job", "name": "a", "command": "true", "notebook": "a.ipynb"}) == {"command": "invalid"}


def test_a_step_may_only_need_one_that_comes_before_it():
    steps = [{"name": "one", "command": "true", "needs": ["two"]}, {"name": "two", "command": "true"}]
    assert problems({"kind": "job", "name": "a", "steps": steps}) == {"steps[0].needs": "invalid"}


def test_paths_do_not_leave_the_folder_of_the_work():
    repositories = [{"url": "https://git.example.com/a.git", "path": "../../etc"}]
    assert problems({"kind": "workspace", "name": "a", "repositories": repositories}) == {"repositories[0].path": "invalid"}


def test_the_same_repository_twice_needs_two_folders():
    one = {"url": "https://git.example.com/a.git", "reference": "main"}
    assert problems({"kind": "workspace", "name": "a", "repositories": [one, one]}) == {"repositories": "invalid"}
    recipe.read({"kind": "workspace", "name": "a", "repositories": [one, {**one, "reference": "next", "path": "next"}]})


def test_a_recipe_survives_yaml():
    document = {"schema": 1, "kind": "job", "name": "a", "command": "true", "packages": {"pip": ["six==1.17.0"]}}
    assert recipe.read(recipe.read_yaml(recipe.write_yaml(recipe.read(document).document()))) == recipe.read(document)
