"""Each example runs by its plain command, outside Saturn Hub, as it stands; and says the same as a job or app on a running hub."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import visitor
import yaml

import saturn_hub
from saturn_hub.backends.local import LocalBackend
from saturn_hub.engine import apps, jobs, recipes
from saturn_hub.engine.context import Context
from saturn_hub.model import catalog
from saturn_hub.model.resolve import Machine
from saturn_hub.store import people
from saturn_hub.store.database import Database
from saturn_hub.web import examples

EXAMPLES = Path(__file__).parents[2] / "examples"
IMAGE = Path(os.environ.get("SATURN_IMAGES", Path(__file__).parents[2] / ".images")).resolve() / "local" / "bin"
SCORE = "/score?calls=4&months=6"
APPS = {
    "dashboard": ["/", "/_stcore/health"],
    "api": [SCORE, "/score?calls=x", "/openapi.json"],
    "api-bearer": [SCORE, "/openapi.json"],
    "shiny": ["/"],
    "plumber": [SCORE, "/openapi.json"],
    "any": ["/", "/missing"],
}


def recipe(example: str, hub: Any, **changes: Any) -> dict[str, Any]:
    """The example's own recipe, at a repository of this hub and under a name that nobody has."""
    document = yaml.safe_load((EXAMPLES / example / "saturn.yaml").read_text())
    document["repositories"][0]["url"] = examples.repository(hub.home, example)
    return {**document, "name": f"{document['name']}-as-is", **changes}


@pytest.fixture
def plain(tmp_path: Path):
    """Runs a shell command in a copy of an example, and gives what it printed."""

    def run(example: str, command: str) -> str:
        folder = tmp_path / example
        if not folder.exists():
            shutil.copytree(EXAMPLES / example, folder)
        environment = {"PATH": f"{IMAGE}:/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path), "LANG": "C.UTF-8"}
        done = subprocess.run(command, shell=True, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
        assert done.returncode == 0, done.stdout
        return done.stdout

    return run


def on_the_hub(session: Any, document: dict[str, Any]) -> tuple[str, dict[str, bytes]]:
    """What a job of this recipe logs, and the files that it leaves."""
    session.make(**document)
    run = session.run(document["name"])
    log = session.api("GET", f"/runs/{run['id']}/logs").text
    assert run["state"] == "succeeded", log
    files = [each["path"] for each in session.api("GET", f"/runs/{run['id']}/files").json()["items"]]
    return log, {path: session.api("GET", f"/runs/{run['id']}/files/{path}").content for path in files}


@pytest.mark.parametrize(("command", "said"), [("python score.py", "Di"), ("Rscript model.R", "0.889")])
def test_a_script_that_imports_modules_of_two_folders_says_the_same_on_the_hub(hub, ada, plain, command, said):
    name = "churn-r" if "R" in command else "churn-python"
    log, files = on_the_hub(ada, recipe("churn", hub, name=name, command=command))
    assert log == plain("churn", command)
    assert said in log
    if name == "churn-python":
        assert files == {"churn/outputs/scores.csv": files["churn/outputs/scores.csv"]}
        assert files["churn/outputs/scores.csv"].startswith(b"name,months,calls,score\n")


@pytest.mark.parametrize("notebook", ["explore", "explore-r"])
def test_a_notebook_has_the_same_outputs_on_the_hub(hub, ada, plain, tmp_path, notebook):
    plain("churn", f"papermill {notebook}.ipynb executed.ipynb --no-progress-bar")
    document = recipe("churn", hub, name=f"churn-{notebook}", notebook=f"{notebook}.ipynb")
    document.pop("command")
    _, files = on_the_hub(ada, document)
    executed = json.loads(files[f"outputs/{notebook}.ipynb"])
    here = json.loads((tmp_path / "churn" / "executed.ipynb").read_text())
    assert outputs(executed) == outputs(here)
    assert "Ann" in json.dumps(outputs(executed))
    assert b"Ann" in files[f"outputs/{notebook}.html"]


def outputs(notebook: dict[str, Any]) -> list[Any]:
    return [each["outputs"] for each in notebook["cells"] if each["cell_type"] == "code"]


def test_the_report_is_rendered_the_same_on_the_hub(hub, ada, plain, tmp_path):
    document = recipe("report", hub)
    plain("report", document["command"])
    _, files = on_the_hub(ada, document)
    assert files == {"report/report.html": (tmp_path / "report" / "report.html").read_bytes()}
    assert b"Customers" in files["report/report.html"]


def test_steps_in_three_languages_hand_files_on(hub, ada, plain):
    document = recipe("steps", hub)
    log, files = on_the_hub(ada, document)
    assert log == "".join(plain("steps", each["command"]) for each in document["steps"])
    assert "most calls: Ann" in log
    assert set(files) == {"steps/data/calls.csv", "steps/data/shares.csv"}


@contextmanager
def served(example: str, document: dict[str, Any], tmp_path: Path) -> Iterator[int]:
    """The example's app, run by its plain command. Gives its port."""
    folder = Path(shutil.copytree(EXAMPLES / example, tmp_path / example))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    variables = {"PATH": f"{IMAGE}:/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path), "LANG": "C.UTF-8", "PORT": str(port)}
    with open(tmp_path / "log", "wb") as log:
        command = f"exec {document['command']}"
        process = subprocess.Popen(
            ["sh", "-c", command], cwd=folder, env={**variables, **document.get("environment_variables", {})}, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield port
    finally:
        process.kill()
        process.wait()


def listens(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/").status_code > 0
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("example", APPS)
def test_an_app_answers_the_same_behind_the_gateway(hub, ada, until, tmp_path, example):
    document = recipe(example, hub)
    ada.make(**document)
    host = visitor.deploy(ada, document["name"], until)
    token = ada.api("POST", f"/apps/ada/{document['name']}/tokens", json={"name": "test"}).json()["token"]
    headers = [{"Authorization": f"Bearer {token}"}]
    if example == "api-bearer":
        ada.api("PUT", f"/apps/ada/{document['name']}/access", json={"who": "public"})
        until(lambda: visitor.get(hub, host, "/openapi.json").status_code == 200)
        headers = [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {document['environment_variables']['API_KEY']}"}]
    with served(example, document, tmp_path) as port:
        until(lambda: listens(port))
        for path in APPS[example]:
            for each in headers:
                elsewhere, here = httpx.get(f"http://127.0.0.1:{port}{path}", headers=each), visitor.get(hub, host, path, **each)
                assert (here.status_code, here.text) == (elsewhere.status_code, elsewhere.text)
                assert here.headers["content-type"] == elsewhere.headers["content-type"]
    assert example != "api-bearer" or (visitor.get(hub, host, SCORE, **headers[2]).json(), visitor.get(hub, host, SCORE).status_code) == ({"score": 0.8}, 401)
    ada.api("POST", f"/apps/ada/{document['name']}/stop")
    until(lambda: ada.api("GET", f"/recipes/app/ada/{document['name']}").json()["state"] == "stopped")


def test_no_example_mentions_the_platform():
    """What a person's code needs of us is nothing: an address and a port on its command line."""
    code = [each for each in EXAMPLES.rglob("*") if each.suffix in (".py", ".R", ".Rmd", ".sh", ".ipynb", ".html")]
    assert len(code) > 10
    assert [each for each in code if "saturn" in each.read_text().lower()] == []


def test_the_first_page_is_not_empty(ada, until):
    assert until(lambda: ada.api("GET", "/recipes/app/ada/dashboard").json().get("state") == "serving")
    assert ada.api("GET", "/recipes/workspace/ada/churn").json()["recipe"]["tool"] == "jupyterlab"
    assert until(lambda: ada.api("GET", "/recipes/job/ada/churn").json()["last_run"]["state"] == "succeeded")


async def test_the_examples_wait_for_the_image_and_are_made_once_also_after_a_kill(tmp_path):
    home, images = tmp_path / "home", tmp_path / "images"
    for each in (home / "service", home / "passwords", images / "local", home / "examples" / ".churn.part"):
        each.mkdir(parents=True)
    (home / "passwords" / "ada").touch()
    database = Database(f"sqlite:///{home / 'service' / 'saturn.sqlite'}")
    await asyncio.to_thread(database.migrate)
    kept = catalog.parse(Path(saturn_hub.__file__).with_name("catalog.yaml").read_text(), "catalog.yaml")
    context = Context(database, LocalBackend(home, images), kept, home, Machine(), lambda host: host)
    first = asyncio.create_task(examples.make(context, images))
    async with asyncio.timeout(30):
        ada = None
        while ada is None or len((await recipes.listing(context, ada))["items"]) < 3:
            await asyncio.sleep(0.01)
            async with database.begin() as connection:
                ada = await people.by_name(connection, "ada")
    assert not first.done()
    first.cancel()
    (images / "local" / ".installed.txt").touch()
    for _ in range(2):
        await examples.make(context, images)
        (home / "service" / "examples.done").unlink()
    assert len((await recipes.listing(context, ada))["items"]) == 3
    assert len((await jobs.listing(context, ada, jobs.job_key("ada", "churn")))["items"]) == 1
    assert len((await apps.listing(context, ada, apps.app_key("ada", "dashboard")))["items"]) == 1
    await database.engine.dispose()
