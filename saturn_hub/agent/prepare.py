"""Puts code and software in place as the work's own user, then becomes the command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import layers


class Refused(Exception):
    """The preparation cannot go on: `code`, a sentence, and the path of the recipe's field."""

    def __init__(self, code: str, message: str, path: str) -> None:
        super().__init__(message)
        self.code, self.message, self.path = code, message, path

    def as_dict(self) -> dict:
        return {"code": self.code, "message": self.message, "path": self.path}


def write_whole(file: Path, text: str) -> None:
    """Write, fsync, rename: the file is there whole or not at all."""
    part = file.with_name(file.name + ".part")
    with open(part, "w") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    os.replace(part, file)


def progress(folder: Path, phase: str, message: str) -> None:
    """One line of what is being done, for the page that waits."""
    line = json.dumps({"time": datetime.now(timezone.utc).isoformat(), "phase": phase, "message": message})
    with open(folder / "progress.jsonl", "a") as file:
        file.write(line + "\n")


def run(folder: Path, workload: dict, settings: dict, layer: str) -> None:
    """Prepare, then exec the command. Never returns but by Refused."""
    home, code = Path(settings["home"]), Path(settings["code"])
    for each in (home, code, *([code / "outputs"] if workload["kind"] == "job" else [])):
        each.mkdir(parents=True, exist_ok=True)
    os.chdir(code)
    environment = dict(settings["environment"])
    if workload["keeps_packages"]:
        layer = layers.make(home / ".saturn" / "python", layer or settings["image_python"], settings["image_site"])
        (home / ".saturn" / "R").mkdir(exist_ok=True)
        environment["R_LIBS_USER"] = str(home / ".saturn" / "R")
    if layer:
        environment["PATH"] = f"{layer}/bin:{environment['PATH']}"
        environment["VIRTUAL_ENV"] = layer
        environment["JUPYTER_PATH"] = ":".join([*filter(None, [environment.get("JUPYTER_PATH")]), str(layers.kernels(folder / "agent", layer))])
    checkouts = [checkout(folder, code, index, each, environment) for index, each in enumerate(workload["repositories"])]
    write_whole(folder / "agent" / "repositories.json", json.dumps(checkouts))
    where = code / workload["working_directory"]
    if not where.is_dir():
        raise Refused("invalid", f"There is no folder '{workload['working_directory']}' in the work.", "working_directory")
    os.chdir(where)
    if workload["start_script"]:
        progress(folder, "start_script", "Running the start script")
        done = subprocess.run(["sh", "-e", "-c", workload["start_script"]], env=environment)
        if done.returncode:
            raise Refused("start_script_failed", f"The start script ended with {done.returncode}; its output is in the log.", "start_script")
    record(folder, code, environment)
    progress(folder, "running", "Running")
    command = notebook(workload, settings, code) if workload["notebook"] else workload["command"]
    os.execvpe(command[0], command, environment)


def notebook(workload: dict, settings: dict, code: Path) -> list[str]:
    """The command that executes a notebook with papermill and renders it also where a cell failed."""
    name = Path(workload["notebook"]).stem
    executed = code / "outputs" / f"{name}.ipynb"
    words = ["papermill", workload["notebook"], str(executed), "--cwd", ".", "--no-progress-bar", "--log-output"]
    for key, value in workload["parameters"].items():
        words += ["-p", key, value]
    script = '"$@"; code=$?; jupyter nbconvert --log-level=ERROR --to html "$EXECUTED" || true; exit $code'
    return ["env", f"EXECUTED={executed}", "sh", "-c", script, "notebook", *words]


def record(folder: Path, code: Path, environment: dict) -> None:
    """Record the environment beside the command, at the lowest priority; the command does not wait for it."""
    program = Path(__file__).with_name("record.py")
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        return
    if os.fork():
        os._exit(0)
    os.nice(19)
    with open(os.devnull, "r+b") as null:
        os.dup2(null.fileno(), 0), os.dup2(null.fileno(), 1)
    os.execve(sys.executable, [sys.executable, "-I", "-S", str(program), str(folder / "agent"), str(code)], environment)


def checkout(folder: Path, code: Path, index: int, repository: dict, environment: dict) -> dict:
    """Have one repository in place, and never touch what a person changed. What was done, with the commit."""
    target = code / repository["path"]
    wanted = repository["commit"] or repository["reference"]
    result = {"path": repository["path"], "url": repository["url"], "reference": repository["reference"], "message": ""}
    if not (target / ".git").exists():
        progress(folder, "cloning", f"Cloning {repository['url']}")
        _git(environment, index, "url", "clone", "--quiet", repository["url"], str(target))
        _git(environment, index, "reference", "-C", str(target), "checkout", "--quiet", wanted)
    else:
        result["message"] = _refresh(target, index, wanted, environment)
    result["commit"] = _git(environment, index, "reference", "-C", str(target), "rev-parse", "HEAD")
    result["dirty"] = bool(_git(environment, index, "path", "-C", str(target), "status", "--porcelain"))
    return result


def _refresh(target: Path, index: int, wanted: str, environment: dict) -> str:
    """Bring a clean folder to where its branch is now. The sentence to show where that cannot be."""
    where = ("-C", str(target))
    try:
        _git(environment, index, "url", *where, "fetch", "--quiet", "--tags", "origin")
    except Refused as refused:
        return f"It could not be brought up to date: {refused.message}"
    head = _git(environment, index, "path", *where, "rev-parse", "HEAD")
    remote = subprocess.run(
        ["git", *where, "rev-parse", "--verify", "--quiet", f"origin/{wanted}"], env=environment, capture_output=True, text=True
    ).stdout.strip()
    if not remote or remote == head:
        return ""
    ahead = subprocess.run(["git", *where, "merge-base", "--is-ancestor", head, remote], env=environment).returncode
    if ahead or _git(environment, index, "path", *where, "status", "--porcelain"):
        return f"'{wanted}' is at {remote[:12]} now; this folder has changes of yours on {head[:12]}, so nothing was touched."
    _git(environment, index, "reference", *where, "merge", "--ff-only", "--quiet", f"origin/{wanted}")
    return ""


def _git(environment: dict, index: int, field: str, *words: str) -> str:
    done = subprocess.run(["git", *words], env={**environment, "GIT_TERMINAL_PROMPT": "0"}, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["git failed"])[-1]
        raise Refused("repository_failed", f"git says: {last}", f"repositories[{index}].{field}")
    return done.stdout.strip()
