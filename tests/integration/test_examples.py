"""Each example runs by its plain command, outside Saturn Hub, as it stands."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
IMAGE = Path(os.environ.get("SATURN_IMAGES", Path(__file__).parents[2] / ".images")).resolve() / "local" / "bin"


def run(folder: Path, *command: str) -> str:
    environment = {**os.environ, "PATH": f"{IMAGE}:{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def churn(tmp_path) -> Path:
    return Path(shutil.copytree(EXAMPLES / "churn", tmp_path / "churn"))


def test_the_script_imports_modules_of_two_folders(churn):
    assert "Di" in run(churn, "python", "score.py")
    assert (churn / "outputs" / "scores.csv").read_text().startswith("name,months,calls,score\n")


def test_the_r_script_runs(churn):
    assert "0.889" in run(churn, "Rscript", "model.R")


@pytest.mark.parametrize("notebook", ["explore.ipynb", "explore-r.ipynb"])
def test_the_notebooks_run(churn, notebook):
    run(churn, "papermill", notebook, "executed.ipynb", "--no-progress-bar")
    assert "Ann" in (churn / "executed.ipynb").read_text()


def test_the_report_is_rendered(tmp_path):
    shutil.copy(EXAMPLES / "report" / "report.Rmd", tmp_path)
    run(tmp_path, "Rscript", "-e", 'rmarkdown::render("report.Rmd", quiet = TRUE)')
    assert "Customers" in (tmp_path / "report.html").read_text()


def test_the_api_answers():
    said = run(EXAMPLES / "api", "python", "-c", "from main import score; print(score(4, 6))")
    assert said == "{'score': 0.8}\n"
