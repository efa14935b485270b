"""What starts with `make hub` ends with it, also when something is killed; what is wrong is said in a sentence."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.starting import Started, eventually

pytestmark = pytest.mark.xdist_group("starting")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not below /tmp, where each unit has a folder of its own."""
    made = Path(tempfile.mkdtemp(prefix="saturn-start-", dir="/var/tmp"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def started(folder) -> Iterator[Started]:
    one = Started(folder / "home")
    yield one
    one.clean()


def parts(one: Started) -> dict[str, list[int]]:
    names = {"hub": "jupyterhub -f", "proxy": "configurable-http-proxy", "service": "saturn_hub.web worker", "gateway": "saturn_hub.gateway"}
    return {name: one.processes(words) for name, words in names.items()}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_parts_and_stop_ends_the_work(started, number):
    started.start()
    started.ready()
    eventually(lambda: all(parts(started).values()), "all parts run")
    eventually(lambda: started.processes("launch.py"), "the example app runs")
    assert started.end(number) == 0
    assert "go on running" in started.said or "goes on running" in started.said
    assert {name: pids for name, pids in parts(started).items() if pids} == {}
    assert started.processes("launch.py")
    assert "Stopped" in started.stop()
    eventually(lambda: not started.processes(), "nothing is left")


@pytest.mark.parametrize("killed", ["hub", "launcher"])
def test_a_kill_ends_all_parts_and_the_next_start_has_its_ports_free(started, killed):
    started.start()
    started.ready()
    eventually(lambda: all(parts(started).values()), "all parts run")
    assert started.process
    os.kill(parts(started)["hub"][0] if killed == "hub" else started.process.pid, signal.SIGKILL)
    started.process.wait(30)
    eventually(lambda: not any(parts(started).values()), "all parts have ended", 30)
    started.start()
    started.ready()
    eventually(lambda: all(parts(started).values()), "all parts run again")


def test_a_killed_worker_and_gateway_are_started_again(started):
    started.start()
    started.ready()
    before = eventually(lambda: all(parts(started).values()) and parts(started), "all parts run")
    for name in ("service", "gateway"):
        os.kill(before[name][0], signal.SIGKILL)
    eventually(lambda: all(pids and pids != before[name] for name, pids in parts(started).items() if name in ("service", "gateway")), "both are back")
    assert parts(started)["hub"] == before["hub"]


def test_stop_ends_a_running_hub_too(started):
    started.start()
    started.ready()
    assert "Ended the hub." in started.stop()
    eventually(lambda: not started.processes(), "nothing is left")


def test_passwords_are_shown_at_the_first_start_alone(started):
    started.start()
    started.ready()
    password = (started.home / "passwords" / "ada").read_text().strip()
    eventually(lambda: password in started.said, "it is shown")
    started.end()
    started.start()
    started.ready()
    eventually(lambda: "Ctrl-C" in started.said, "all is said")
    assert password not in started.said


@pytest.mark.parametrize(("which", "variable"), [("port", "HUB_PORT"), ("apps_port", "APPS_PORT")])
def test_a_taken_port_says_which_variable_to_set_and_nothing_else(started, which, variable):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", getattr(started, which)))
        taken.listen()
        started.start()
        assert started.process and started.process.wait(60) == 1
    assert f"Port {getattr(started, which)} is taken" in started.said
    assert variable in started.said
    assert len(started.said.splitlines()) == 1, started.said


WRONG = {
    "an unknown setting": ("c.SaturnHub.colour = 1", "", ["config.py: c.SaturnHub.colour: There is no setting 'colour'"]),
    "bad values, all at once": (
        "c.SaturnHub.apps_port = 'x'\nc.SaturnHub.log_bytes = 1\nc.SaturnHub.apps_url = 'nowhere'",
        "",
        ["c.SaturnHub.apps_port", "c.SaturnHub.log_bytes", "c.SaturnHub.apps_url: 'nowhere' is not an address"],
    ),
    "a catalog that is not YAML": ("", "sizes: [", ["catalog.yaml: this is not YAML"]),
    "a catalog with several faults": (
        "",
        """
sizes: [{name: s, cpu: 1, memory: 1Gi, price_per_hour: 0}, {name: s, cpu: x, memory: 1Gi, price_per_hour: 0, colour: red}]
images: [{name: i, tools: [emacs], versions: [{name: "1"}]}]
tools: [{name: jupyterlab, title: JupyterLab}]
""",
        ["sizes[1].cpu", "sizes[1].colour: There is no key 'colour'", "sizes[1].name: 's' is there twice", "images[0].tools[0]: There is no tool 'emacs'"],
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_configuration_stops_the_start_with_its_sentences_alone(folder, wrong):
    settings, catalog, sentences = WRONG[wrong]
    config = folder / "config.py"
    config.write_text(f"from saturn_hub import configure\nc = get_config()\n{settings}\nconfigure(c, embedded=True)\n")
    one = Started(folder / "home", config=config)
    if catalog:
        one.home.mkdir()
        (one.home / "catalog.yaml").write_text(catalog)
    one.start()
    assert one.process and one.process.wait(60) == 1
    assert [each for each in sentences if each not in one.said] == [], one.said
    assert len(one.said.splitlines()) == len(sentences), one.said
    assert not one.processes()


def test_a_log_is_begun_anew_when_it_is_full(folder):
    config = folder / "config.py"
    config.write_text(
        "from saturn_hub import configure\nc = get_config()\nc.SaturnHub.log_bytes = 10000\nc.SaturnHub.log_files = 1\nconfigure(c, embedded=True)\n"
    )
    one = Started(folder / "home", config=config)
    one.start()
    try:
        one.ready()
        client = one.browser("ada", (one.home / "passwords" / "ada").read_text().strip())
        logs = one.home / "logs"
        eventually(lambda: client.get("/services/saturn/nothing").status_code and (logs / "service.log.1").exists(), "the log is full once", 60)
        assert {each.name for each in logs.glob("service.log*")} == {"service.log", "service.log.1"}
        assert all(each.stat().st_size <= 10000 for each in logs.glob("service.log*"))
        assert logs.stat().st_mode & 0o777 == 0o700
    finally:
        one.clean()
