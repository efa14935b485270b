"""Puts code and software in place as the work's own user, then becomes the command."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import checkout
import layers
from refused import Refused

Report = Callable[[dict], None]


def write_whole(file: Path, text: str) -> None:
    """Write, fsync, rename: the file is there whole or not at all, and for its owner alone."""
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    with open(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    os.replace(part, file)


def variables(folder: Path, workload: dict, settings: dict, layer: str) -> dict[str, str]:
    """The environment variables of the command. Pure, so that a record is taken with the same ones."""
    environment = dict(settings["environment"])
    if workload["keeps_packages"]:
        own = Path(settings["home"]) / ".saturn"
        layer, environment["R_LIBS_USER"] = str(own / "python"), str(own / "R")
    if layer:
        environment["PATH"] = f"{layer}/bin:{environment['PATH']}"
        environment["VIRTUAL_ENV"] = layer
        environment["JUPYTER_PATH"] = ":".join([*filter(None, [environment.get("JUPYTER_PATH")]), str(folder / "agent" / "jupyter")])
    return environment


def run(folder: Path, workload: dict, settings: dict, layer: str, report: Report) -> None:
    """Prepare, then exec the command. Never returns but by Refused."""
    home, code = Path(settings["home"]), Path(settings["code"])
    for each in (home, code, *([code / "outputs"] if workload["kind"] == "job" else [])):
        each.mkdir(parents=True, exist_ok=True)
    os.chdir(code)
    environment = variables(folder, workload, settings, layer)
    if workload["keeps_packages"]:
        layer = layers.make(home / ".saturn" / "python", layer or settings["image_python"], settings["image_site"])
        (home / ".saturn" / "R").mkdir(exist_ok=True)
    if layer:
        layers.kernels(folder / "agent", layer)
    keeps = home / ".saturn" / "checkouts.json" if workload["kind"] == "workspace" else None
    report({"repositories": checkout.every(code, workload["repositories"], environment, report, keeps)})
    where = code / workload["working_directory"]
    if not where.is_dir():
        raise Refused("invalid", f"There is no folder '{workload['working_directory']}' in the work.", "working_directory")
    os.chdir(where)
    if workload["start_script"]:
        report({"phase": "start_script", "message": "Running the start script"})
        done = subprocess.run(["sh", "-e", "-c", workload["start_script"]], env=environment)
        if done.returncode:
            raise Refused("start_script_failed", f"The start script ended with {done.returncode}; its output is in the log.", "start_script")
    command = notebook(workload, code) if workload["notebook"] else workload["command"]
    if workload["notebook"] and not Path(workload["notebook"]).is_file():
        raise Refused("invalid", f"There is no notebook '{workload['notebook']}' in the folder that the work starts in.", "notebook")
    report({"phase": "running", "message": "Running"})
    os.execvpe(command[0], command, environment)


def notebook(workload: dict, code: Path) -> list[str]:
    """The command that executes a notebook with papermill and renders it also where a cell failed."""
    executed = code / "outputs" / f"{Path(workload['notebook']).stem}.ipynb"
    words = ["papermill", workload["notebook"], str(executed), "--cwd", ".", "--no-progress-bar", "--log-output"]
    if workload["parameters"]:
        # JSON is YAML too, and keeps a text that looks like a number a text.
        words += ["--parameters_yaml", json.dumps(typed(workload["parameters"], workload.get("parameter_types", {})))]
    script = '"$@"; code=$?; [ ! -f "$EXECUTED" ] || jupyter nbconvert --log-level=ERROR --to html "$EXECUTED"; exit $code'
    return ["env", f"EXECUTED={executed}", "sh", "-c", script, "notebook", *words]


def typed(values: dict[str, str], types: dict[str, str]) -> dict[str, object]:
    """Each parameter as a value of its type; a date stays its text."""
    read = {"integer": int, "number": float, "boolean": lambda text: text == "true"}
    return {name: read.get(types.get(name, "string"), str)(text) for name, text in values.items()}
