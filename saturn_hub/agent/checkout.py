"""Has the repositories of a work in place, and never touches what a person changed in one."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from refused import Refused

COMMIT = re.compile(r"[0-9a-f]{7,64}")


@dataclass
class Git:
    """git for one repository of the recipe, with the path of its fields for what goes wrong."""

    environment: dict[str, str]
    index: int
    folder: Path

    def __call__(self, field: str, *words: str, anywhere: bool = False) -> str:
        """What git prints. Raises Refused with its last words, at the recipe's field."""
        done = self.tried(*words, anywhere=anywhere)
        if done.returncode:
            said = [line for line in done.stderr.strip().splitlines() if line.strip()] or ["it failed"]
            line = next((each for each in said if each.startswith(("fatal:", "error:"))), said[-1])
            raise self.refused(f"git says: {without_password(line)}", field)
        return done.stdout.strip()

    def tried(self, *words: str, anywhere: bool = False) -> subprocess.CompletedProcess:
        where = [] if anywhere else ["-C", str(self.folder)]
        variables = {**self.environment, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8"}
        return subprocess.run(["git", *where, *words], env=variables, capture_output=True, text=True, stdin=subprocess.DEVNULL)

    def commit_of(self, name: str) -> str:
        """The commit that a name means here, empty where there is none."""
        return self.tried("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").stdout.strip()

    def refused(self, message: str, field: str) -> Refused:
        return Refused("repository_failed", message, f"repositories[{self.index}].{field}")


def every(code: Path, repositories: list[dict], environment: dict, report: Callable[[dict], None], keeps: Path | None) -> list[dict]:
    """Have each in place; what was done, with the commits. `keeps` is a workspace's file of what was checked out for it."""
    known = _read(keeps)
    results = []
    for index, repository in enumerate(repositories):
        git = Git(environment, index, code / repository["path"])
        wanted = repository["commit"] or repository["reference"]
        result = {"path": repository["path"], "url": without_password(repository["url"]), "reference": repository["reference"], "message": ""}
        if not (git.folder / ".git").exists():
            report({"phase": "cloning", "message": f"Cloning {result['url']}"})
            _clone(git, repository["url"], wanted, shallow=keeps is None)
            known[repository["path"]] = wanted
        elif keeps is not None:
            result["message"] = _refresh(git, repository["url"], wanted, known.get(repository["path"]))
            known[repository["path"]] = known.get(repository["path"], wanted) if result["message"] else wanted
        result["commit"] = git("reference", "rev-parse", "HEAD")
        result["dirty"] = bool(git("path", "status", "--porcelain"))
        results.append(result)
    if keeps is not None and known != _read(keeps):
        keeps.parent.mkdir(exist_ok=True)
        part = keeps.with_suffix(".part")
        part.write_text(json.dumps(known))
        part.replace(keeps)
    return results


def _read(keeps: Path | None) -> dict[str, str]:
    try:
        return json.loads(keeps.read_text()) if keeps else {}
    except (OSError, ValueError):
        return {}


def without_password(text: str) -> str:
    return re.sub(r"(?<=://)[^/@\s]+@", "", text)


def _clone(git: Git, url: str, wanted: str, *, shallow: bool) -> None:
    """Clone beside the place and move it there, so that a clone that was interrupted is never taken for one.

    A run or an app gets the one commit that it runs; a workspace the whole history, for a person works there.
    """
    target = git.folder
    if target.exists() and any(target.iterdir()):
        raise git.refused(f"The folder '{target.name}' has files in it already, so nothing can be cloned there.", "path")
    part = target.parent / f".{target.name}.clone"
    shutil.rmtree(part, ignore_errors=True)
    part.parent.mkdir(parents=True, exist_ok=True)
    listed = git("url", "ls-remote", "--symref", "--", url, anywhere=True)
    names = {line.partition("\t")[2] for line in listed.splitlines() if not line.startswith("ref:")}
    default = re.search(r"^ref: refs/heads/(\S+)\tHEAD$", listed, re.MULTILINE)
    inside = Git(git.environment, git.index, part)
    if wanted == "main" and "refs/heads/main" not in names and "refs/tags/main" not in names:
        wanted = ""
    if not names:
        raise git.refused("The repository has no commit yet.", "url")
    if not wanted and default is None:
        raise git.refused("The repository does not say which branch is its default; name one.", "reference")
    if not wanted or names & {f"refs/heads/{wanted}", f"refs/tags/{wanted}"}:
        depth = ["--depth=1"] if shallow else []
        # git takes a plain path or file:// for a local clone; --depth works over the latter.
        git("reference", "clone", "--quiet", *depth, f"--branch={wanted or default[1]}", "--", url, str(part), anywhere=True)
    elif COMMIT.fullmatch(wanted):
        _clone_commit(inside, url, wanted, shallow=shallow)
    else:
        raise git.refused(f"There is no branch, tag or commit '{wanted}' in {without_password(url)}.", "reference")
    if target.exists():
        target.rmdir()
    os.rename(part, target)


def _clone_commit(git: Git, url: str, commit: str, *, shallow: bool) -> None:
    """A commit, also one that no branch reaches where the server gives it."""
    git("url", "init", "--quiet", str(git.folder), anywhere=True)
    git("url", "remote", "add", "origin", url)
    if not (shallow and len(commit) >= 40 and not git.tried("fetch", "--quiet", "--depth=1", "origin", commit).returncode):
        git("url", "fetch", "--quiet", "--tags", "origin")
        if not git.commit_of(commit):
            git.tried("fetch", "--quiet", "origin", commit)
    found = git.commit_of(commit)
    if not found:
        raise git.refused(f"There is no branch, tag or commit '{commit}' in {without_password(url)}.", "reference")
    git("reference", "checkout", "--quiet", "--detach", found)


def _refresh(git: Git, url: str, wanted: str, before: str | None) -> str:
    """Bring a clean folder of a workspace to where its reference is now. The sentence to show where that cannot be.

    `before` is the reference that we checked out last: where the recipe names another since then we follow it, and where it
    does not, a person switched the folder, and it stays as they have it.
    """
    origin = git.tried("config", "remote.origin.url").stdout.strip()
    if origin != url:
        return f"The folder has a clone of {without_password(origin) or 'nothing'}, so nothing was touched. Move it away to have the other repository."
    if (done := git.tried("fetch", "--quiet", "--tags", "--force", "origin")).returncode:
        return f"It could not be brought up to date. git says: {without_password((done.stderr.strip().splitlines() or ['it failed'])[-1])}"
    branch = git.tried("symbolic-ref", "--short", "--quiet", "HEAD").stdout.strip()
    head, dirty = git("path", "rev-parse", "HEAD"), bool(git("path", "status", "--porcelain"))
    if wanted == "main" and not git.commit_of("refs/remotes/origin/main"):
        wanted = git.tried("symbolic-ref", "--short", "--quiet", "refs/remotes/origin/HEAD").stdout.strip().removeprefix("origin/") or wanted
    remote = git.commit_of(f"refs/remotes/origin/{wanted}")
    aim = remote or git.commit_of(f"refs/tags/{wanted}") or git.commit_of(wanted)
    if not aim:
        return f"There is no branch, tag or commit '{wanted}' at its origin any more, so nothing was touched."
    if branch != wanted if remote else aim != head:
        if before in (None, wanted):
            return f"This folder is on {repr(branch) if branch else head[:12]} and the recipe says '{wanted}', so it was left as it is."
        if dirty:
            return f"The recipe says '{wanted}' now; this folder has changes of yours on {head[:12]}, so nothing was touched."
        git("reference", "checkout", "--quiet", *([wanted] if remote else ["--detach", aim]))
        head = git("path", "rev-parse", "HEAD")
    if not remote or not git.tried("merge-base", "--is-ancestor", remote, head).returncode:
        return ""
    if dirty or git.tried("merge-base", "--is-ancestor", head, remote).returncode:
        return f"'{wanted}' is at {remote[:12]} now; this folder has changes of yours on {head[:12]}, so nothing was touched."
    git("reference", "merge", "--ff-only", "--quiet", f"refs/remotes/origin/{wanted}")
    return ""
