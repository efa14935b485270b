"""What a card says of software that is not there yet."""

from __future__ import annotations

import os
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import pytest

from saturn_hub.backends.local import LocalBackend, software
from saturn_hub.backends.local.process import Process, boot_id, start_time
from saturn_hub.backends.local.software import Installation
from saturn_hub.cli import install
from saturn_hub.errors import ImageUnavailable
from saturn_hub.model.workload import Hardware, Kind, Owner, Software, Workload

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def state(images, name, minutes=0, message="", alive=True):
    process = asdict(Process(os.getpid(), (start_time(os.getpid()) or "") if alive else "1", boot_id()))
    software.write(images, "local", Installation(name, (NOW - timedelta(minutes=minutes)).isoformat(), message, process))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": "installing", "minutes": 2}, "Being installed, 2 minutes so far."),
        ({"name": "installing", "alive": False}, "The installation was interrupted. Repeat it with: make install"),
        ({"name": "failed", "message": "No space left."}, "The installation failed: No space left. Repeat it with: make install"),
        ({"name": "missing", "message": "sudo apt-get install -y x"}, "Not installed here. Type: sudo apt-get install -y x"),
    ],
)
def test_each_state_has_its_sentence(tmp_path, given, said):
    state(tmp_path, **given)
    assert software.why_no_image(tmp_path, "local", NOW) == said


def test_what_was_whole_is_used_while_it_is_brought_up_to_date(tmp_path):
    state(tmp_path, "installing")
    (tmp_path / "local" / "bin").mkdir(parents=True)
    (tmp_path / "local" / "bin" / "python").touch()
    assert software.why_no_image(tmp_path, "local", NOW)
    (tmp_path / "local" / ".installed.txt").touch()
    assert software.why_no_image(tmp_path, "local", NOW) == ""


def test_a_part_that_fails_says_its_last_line_and_is_tried_again(tmp_path, monkeypatch):
    tries = []

    def fails_once(run: install.Run) -> None:
        tries.append(1)
        run.command("sh", "-c", "echo the disk is full; exit 1" if len(tries) == 1 else "true")

    monkeypatch.setitem(install.PARTS, "local", install.Part("A part", lambda images: False, fails_once))
    said = []
    assert install.one(tmp_path, "local", said.append) is False
    assert "the disk is full" in software.why_no_image(tmp_path, "local", NOW)
    assert "the disk is full" in (tmp_path / "logs" / "local.log").read_text()
    assert install.one(tmp_path, "local", said.append) is True
    assert software.read(tmp_path, "local").state == "installed"


def test_without_root_the_one_line_to_type_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(install, "has_debian", lambda packages: False)
    said = []
    assert install.one(tmp_path, "r", said.append) is False
    assert any("sudo apt-get install -y git r-base-core" in each for each in said)
    assert software.why_missing(tmp_path, "r", NOW).startswith("Not installed here. Type: sudo apt-get install -y git r-base-core")


async def test_a_start_meanwhile_is_refused_with_the_sentence_of_the_card(tmp_path):
    state(tmp_path / "images", "missing", message="sudo apt-get install -y x")
    software_of_it = Software("local", "1")
    workload = Workload(
        name="x", owner=Owner.parse("ada"), hardware=Hardware("small", 1, 2**20, 0, ""), software=software_of_it, folder="runs/1", kind=Kind.JOB
    )
    (tmp_path / "home").mkdir()
    with pytest.raises(ImageUnavailable, match=r"Not installed here\. Type: sudo apt-get install -y x") as refused:
        await LocalBackend(tmp_path / "home", tmp_path / "images").start("one", workload)
    assert refused.value.path == "image"
    assert not (tmp_path / "home" / "work" / "one").exists()
