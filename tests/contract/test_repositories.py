"""Repositories are there at the reference that was asked for, and what a person changed is never touched."""

from __future__ import annotations

import pytest
from units import Origin, git, run

from saturn_hub.model.workload import Checkout, Kind
from saturn_hub.web.pages.forms import RUNNERS

WORKSPACE = {"kind": Kind.WORKSPACE, "folder": "workspaces/1"}


@pytest.fixture
def at(backend, origin):
    """Run a command in a checkout of the origin at a reference. Its status, its log, and what is said of the repository."""
    count = iter(range(100))

    async def run_at(reference: str, command: str = "git -C code rev-parse HEAD", *, commit: str | None = None, **more):
        name = f"a{next(count)}"
        status, log = await run(
            backend, name, command, **{"folder": f"runs/{name}", "repositories": (Checkout(origin.url, reference, "code", commit),), **more}
        )
        return status, log.strip(), (status.repositories or ({"message": ""},))[0]

    return run_at


@pytest.fixture
def references(origin) -> dict[str, str]:
    """A branch, two kinds of tags, and a commit that no branch reaches: reference and commit."""
    first = origin.git("rev-parse", "HEAD")
    origin.git("tag", "light")
    origin.git("checkout", "--quiet", "-b", "dev")
    dev = origin.commit(file="dev\n")
    origin.git("checkout", "--quiet", "--detach")
    tagged = origin.commit(file="tagged\n")
    origin.git("tag", "--annotate", "v1.0", "--message=one")
    loose = origin.commit(file="loose\n")
    origin.git("checkout", "--quiet", "main")
    newest = origin.commit(file="two\n")
    return {"main": newest, "dev": dev, "light": first, "v1.0": tagged, first: first, loose: loose, first[:10]: first}


async def test_a_branch_a_tag_and_a_commit_are_had_where_they_are(at, references):
    for reference, commit in references.items():
        for place in ({}, WORKSPACE | {"folder": f"workspaces/{reference}"}):
            status, log, said = await at(reference, **place)
            assert (status.message, log, said["commit"], said["dirty"]) == ("", commit, commit, False), reference


async def test_a_recorded_commit_comes_before_the_branch(at, references):
    _, log, _ = await at("main", commit=references["light"])
    assert log == references["light"]


async def test_one_repository_twice_at_two_branches(backend, origin, references):
    twice = (Checkout(origin.url, "main", "a"), Checkout(origin.url, "dev", "b"))
    _, log = await run(backend, "a", "git -C a rev-parse HEAD; git -C b rev-parse HEAD", repositories=twice)
    assert log.split() == [references["main"], references["dev"]]


async def test_a_repository_without_main_gives_its_default_branch(backend, at):
    other = Origin(backend.home, "other", branch="trunk")
    commit = other.commit(file="one\n")
    for place in ({}, WORKSPACE):
        _, log, _ = await at("main", repositories=(Checkout(other.url, "main", "code"),), **place)
        assert log == commit
    moved = other.commit(file="two\n")
    _, log, _ = await at("main", repositories=(Checkout(other.url, "main", "code"),), **WORKSPACE)
    assert log == moved


async def test_a_run_gets_the_commit_alone_and_a_workspace_the_history(at, references):
    assert (await at("main", "git -C code log --oneline | wc -l"))[1] == "1"
    assert (await at("main", "git -C code log --oneline | wc -l", **WORKSPACE))[1] == "2"


async def test_what_cannot_be_had_is_refused_with_its_path_and_a_sentence(backend, at, origin):
    nowhere = (Checkout(origin.url, "main", "one"), Checkout(f"file://{origin.folder}-nowhere", "main", "two"))
    status, _, _ = await at("main", repositories=nowhere)
    assert (status.code, status.path) == ("repository_failed", "repositories[1].url")
    for reference in ("no-such-branch", "f" * 40):
        status, _, _ = await at(reference)
        assert (status.code, status.path) == ("repository_failed", "repositories[0].reference")
        assert status.message == f"There is no branch, tag or commit '{reference}' in {origin.url}."
    empty = Origin(backend.home, "empty")
    empty.git("status")
    status, _, _ = await at("main", repositories=(Checkout(empty.url, "main", "code"),))
    assert (status.path, status.message) == ("repositories[0].url", "The repository has no commit yet.")


async def test_a_password_in_an_address_is_not_said(at):
    status, log, _ = await at("main", repositories=(Checkout("http://user:geheim@127.0.0.1:1/x.git", "main", "code"),))
    assert status.path == "repositories[0].url"
    assert "geheim" not in status.message + log + status.progress


async def test_a_folder_with_files_of_somebodys_own_is_not_cloned_over(backend, at):
    await at("main", "rm -rf code; mkdir code; echo mine > code/file", **WORKSPACE)
    status, _, _ = await at("main", **WORKSPACE)
    assert status.path == "repositories[0].path"
    assert (backend.home / "homes/workspaces/1/code/file").read_text() == "mine\n"


async def test_a_clone_that_was_killed_is_made_again(backend, at, references):
    half = backend.home / "homes/workspaces/1/.code.clone"
    await at("main", "rm -rf code; mkdir -p .code.clone/.git", **WORKSPACE)
    assert half.exists()
    _, log, _ = await at("main", **WORKSPACE)
    assert (log, half.exists()) == (references["main"], False)


async def test_changes_of_a_persons_own_are_never_touched_when_the_branch_moves(at, origin):
    _, first, _ = await at("main", "git -C code rev-parse HEAD; echo mine > code/file; echo mine > code/new", **WORKSPACE)
    second = origin.commit(file="two\n")
    _, log, said = await at("main", "cat code/file code/new; git -C code rev-parse HEAD", **WORKSPACE)
    assert log.split() == ["mine", "mine", first]
    assert first[:12] in said["message"]
    assert second[:12] in said["message"]


async def test_commits_of_a_persons_own_are_never_touched_when_the_branch_moves(at, origin):
    commit = "git -C code -c user.name=a -c user.email=a commit -q --allow-empty -m mine; git -C code rev-parse HEAD"
    _, mine, _ = await at("main", commit, **WORKSPACE)
    second = origin.commit(file="two\n")
    _, log, said = await at("main", **WORKSPACE)
    assert log == mine
    assert (mine[:12] in said["message"], second[:12] in said["message"]) == (True, True)


async def test_a_clean_folder_follows_its_branch(at, origin):
    await at("main", **WORKSPACE)
    second = origin.commit(file="two\n")
    _, log, said = await at("main", **WORKSPACE)
    assert (log, said["message"]) == (second, "")


async def test_a_run_stays_at_its_commit_from_step_to_step(backend, origin):
    wanted = (Checkout(origin.url, "main", "code"),)
    _, first = await run(backend, "a", "git -C code rev-parse HEAD; touch code/made", repositories=wanted)
    origin.commit(file="two\n")
    status, again = await run(backend, "b", "ls code/made >/dev/null && git -C code rev-parse HEAD", repositories=wanted)
    assert (again, status.repositories[0]["message"]) == (first, "")


async def test_a_branch_that_a_person_switched_to_is_left_alone_and_said(at, references):
    await at("main", "git -C code checkout -q dev", **WORKSPACE)
    _, log, said = await at("main", **WORKSPACE)
    assert log == references["dev"]
    assert said["message"] == "This folder is on 'dev' and the recipe says 'main', so it was left as it is."


async def test_a_recipe_that_names_another_reference_moves_a_clean_folder(at, references):
    for reference in ("main", "dev", "v1.0", "main"):
        _, log, said = await at(reference, **WORKSPACE)
        assert (log, said["message"]) == (references[reference], "")
    await at("main", "echo mine > code/file", **WORKSPACE)
    _, log, said = await at("dev", **WORKSPACE)
    assert (log, "changes of yours" in said["message"]) == (references["main"], True)


async def test_a_start_without_the_origin_goes_on_and_says_so(at, origin):
    await at("main", **WORKSPACE)
    origin.folder.rename(f"{origin.folder}-away")
    status, _, said = await at("main", **WORKSPACE)
    assert status.exit_code == 0
    assert said["message"].startswith("It could not be brought up to date. git says:")


async def test_submodules_are_left_to_the_person(backend, at, origin):
    part = Origin(backend.home, "part")
    part.commit(file="part\n")
    origin.git("update-index", "--add", "--cacheinfo", f"160000,{part.git('rev-parse', 'HEAD')},part")
    origin.git("commit", "--quiet", "--message=submodule")
    (origin.folder / "part").mkdir()
    origin.commit(__gitmodules=f'[submodule "part"]\n\tpath = part\n\turl = {part.url}\n')
    status, log, said = await at("main", "ls -A code/part | wc -l; git -C code status --porcelain")
    assert (status.exit_code, log, said["dirty"]) == (0, "0", False)


NOTEBOOK = """{{"cells": [{{"cell_type": "code", "execution_count": null, "id": "a", "metadata": {{}}, "outputs": [], "source": "{source}"}}],
 "metadata": {{"kernelspec": {{"display_name": "x", "language": "{language}", "name": "{kernel}"}}}}, "nbformat": 4, "nbformat_minor": 5}}"""
REPORT_COMMAND = RUNNERS["rmarkdown"].replace("{}", "report.Rmd")
REPORT = "---\\ntitle: x\\noutput: html_document\\n---\\n\\n```{r}\\nplot(1)\\nfile.exists('report.Rmd')\\n```\\n"


@pytest.mark.parametrize(
    "more",
    [
        {"command": "PYTHONDONTWRITEBYTECODE=1 python -c 'import module'"},
        {"notebook": "r.ipynb"},
        {"notebook": "fails.ipynb"},
        {"command": REPORT_COMMAND},
        {"kind": Kind.WORKSPACE},
    ],
    ids=["command", "R notebook", "failing notebook", "report", "workspace"],
)
async def test_nothing_of_ours_is_written_inside_a_repository(backend, origin, more):
    files = {"r__ipynb": NOTEBOOK.format(source="x <- 1", language="R", kernel="ir"), "module__py": "", "report__Rmd": REPORT.replace("\\n", "\n")}
    files |= {"fails__ipynb": NOTEBOOK.format(source="import module; 1/0", language="python", kernel="python3"), "__gitignore": "__pycache__\n"}
    origin.commit(**files)
    wanted = {"command": "git status", "repositories": (Checkout(origin.url, "main", "code"),), "working_directory": "code", **more}
    status, log = await run(backend, "a", memory=2**30, pip=("cowsay==6.1",), keeps_packages="kind" in more, **wanted)
    assert (status.exit_code == 0) is (more.get("notebook") != "fails.ipynb"), log
    folder = backend.home / "homes/runs/1" / ("" if "kind" in more else "files")
    assert git("status", "--porcelain", "--untracked-files=all", folder=folder / "code") == ""
    assert git("rev-parse", "HEAD", folder=folder / "code") == origin.git("rev-parse", "HEAD")
    if "notebook" in more:
        stem = more["notebook"].partition(".")[0]
        assert {f"{stem}.ipynb", f"{stem}.html"} <= {each.name for each in (folder / "outputs").iterdir()}
