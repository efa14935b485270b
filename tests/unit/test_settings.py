"""What `configure` makes of an admin's own configuration, and what it refuses."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from traitlets.config import Config

import saturn_hub
from saturn_hub.errors import ConfigurationError
from saturn_hub.hub.kept import free_port, unreachable
from saturn_hub.hub.settings import read
from saturn_hub.model import catalog


@pytest.fixture
def home(monkeypatch) -> Iterator[Path]:
    """A folder for SATURN_HOME; below /tmp it would be refused."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        monkeypatch.setenv("SATURN_HOME", f"{folder}/home")
        monkeypatch.setenv("APPS_PORT", str(free_port(set())))
        monkeypatch.setenv("SATURN_SETTINGS", "")
        yield Path(folder) / "home"


def test_what_the_admin_set_wins_and_lists_are_added_to(home):
    c = Config()
    c.JupyterHub.default_url = "/mine"
    c.JupyterHub.allow_named_servers = False
    c.JupyterHub.services = [{"name": "mine"}]
    c.JupyterHub.template_paths = ["/mine"]
    c.JupyterHub.extra_user_scopes = {"shares!user"}
    c.Spawner.start_timeout = 11
    saturn_hub.configure(c)
    assert (c.JupyterHub.default_url, c.JupyterHub.allow_named_servers) == ("/mine", False)
    assert [each["name"] for each in c.JupyterHub.services] == ["mine", "saturn"]
    assert c.JupyterHub.template_paths[0] == "/mine" and len(c.JupyterHub.template_paths) == 2
    assert c.JupyterHub.extra_user_scopes == {"shares!user", "access:services!service=saturn"}
    assert "start_timeout" not in c.SaturnLocalSpawner


def test_a_hub_of_ones_own_keeps_its_address_database_and_sign_in(home):
    c = Config()
    saturn_hub.configure(c)
    assert not {"bind_url", "hub_bind_url", "db_url", "cookie_secret_file", "authenticator_class"} & set(c.JupyterHub)
    assert not (home / "people.json").exists()


def test_a_role_user_of_ones_own_gains_access_to_the_service(home):
    c = Config()
    c.JupyterHub.load_roles = [{"name": "user", "scopes": ["self"]}]
    saturn_hub.configure(c)
    assert {each["name"]: each["scopes"] for each in c.JupyterHub.load_roles}["user"] == ["self", "access:services!service=saturn"]
    assert "extra_user_scopes" not in c.JupyterHub


def test_the_service_and_gateway_get_what_was_settled(home):
    c = Config()
    c.JupyterHub.bind_url = "https://hub.example.com/data/"
    saturn_hub.configure(c, apps_domain="apps.example.com", identity_seconds=7)
    told = json.loads(c.JupyterHub.services[0]["environment"]["SATURN_SETTINGS"])
    assert told == json.loads(os.environ["SATURN_SETTINGS"])
    assert told["hub_url"] == "https://hub.example.com:443/data"
    assert told["apps_url"] == f"http://{{host}}.apps.example.com:{told['apps_port']}/"
    assert (told["identity_seconds"], told["home"]) == (7, str(home))
    assert "token" not in json.dumps({key: value for key, value in told.items() if key != "internal_token_file"})


def test_secrets_and_ports_are_made_once(home):
    saturn_hub.configure(Config())
    before = {file: file.read_text() for file in (home / "service").iterdir()}
    saturn_hub.configure(Config())
    assert {file: file.read_text() for file in (home / "service").iterdir()} == before
    assert all(file.stat().st_mode & 0o077 == 0 for file in before)


def test_a_service_of_our_name_is_refused(home, capsys):
    c = Config()
    c.JupyterHub.services = [{"name": "saturn"}]
    with pytest.raises(SystemExit, match="there is a service 'saturn' already"):
        saturn_hub.configure(c)


def test_a_home_below_tmp_is_refused(monkeypatch):
    with pytest.raises(SystemExit, match="is below /tmp"):
        saturn_hub.configure(Config(), home="/tmp/saturn")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("apps_port", 70000, "apps_port"),
        ("apps_port", "80", "apps_port"),
        ("public_url", "hub.example.com", "not an address"),
        ("apps_url", "https://apps.example.com/", "no {host}"),
        ("apps_domain", "Apps example", "not a domain"),
        ("home", "", "name a folder"),
        ("log_files", None, "log_files"),
        ("colour", 1, "There is no setting 'colour'"),
    ],
)
def test_a_bad_value_is_said_with_its_path(key, value, said):
    c = Config()
    c.SaturnHub[key] = value
    with pytest.raises(ConfigurationError) as refused:
        read(c, {}, "jupyterhub_config.py")
    assert refused.value.message.startswith(f"jupyterhub_config.py: c.SaturnHub.{key}: ")
    assert said in refused.value.message


def test_all_bad_settings_are_said_at_once():
    with pytest.raises(ConfigurationError) as refused:
        read(Config(), {"colour": 1, "log_bytes": 0, "log_files": 0}, "x.py")
    assert [each.path for each in refused.value.details] == ["configure(c, colour=…)", "configure(c, log_bytes=…)", "configure(c, log_files=…)"]


CATALOG = """
sizes: [{name: small, cpu: 1, memory: 1Gi, price_per_hour: 0}]
images: [{name: local, tools: [jupyterlab], versions: [{name: "1"}]}]
tools: [{name: jupyterlab, title: JupyterLab}]
"""


@pytest.mark.parametrize(
    ("before", "after", "path"),
    [
        ("memory: 1Gi", "memory: lots", "sizes[0].memory"),
        ("cpu: 1", "cpu: 0", "sizes[0].cpu"),
        ("cpu: 1", "cpu: 1, colour: red", "sizes[0].colour"),
        ("price_per_hour: 0}", "price_per_hour: 0}, {name: small, cpu: 1, memory: 1Gi, price_per_hour: 0}", "sizes[1].name"),
        ("tools: [jupyterlab]", "tools: [emacs]", "images[0].tools[0]"),
        ('versions: [{name: "1"}]', 'versions: [{name: "1"}, {name: "1"}]', "images[0].versions[1].name"),
        ("title: JupyterLab", "titel: JupyterLab", "tools[0].titel"),
        ("sizes: [", "sices: [", "sices"),
    ],
)
def test_a_fault_of_the_catalog_is_said_with_file_and_path(before, after, path):
    catalog.parse(CATALOG, "catalog.yaml")
    with pytest.raises(ConfigurationError) as refused:
        catalog.parse(CATALOG.replace(before, after), "catalog.yaml")
    assert f"catalog.yaml: {path}: " in refused.value.message


def test_a_folder_that_others_cannot_pass_is_named(home):
    (home / "closed" / "open").mkdir(parents=True)
    home.parent.chmod(0o711)
    (home / "closed").chmod(0o700)
    assert unreachable(home / "closed" / "open") == home / "closed"
    (home / "closed").chmod(0o701)
    assert unreachable(home / "closed" / "open") is None
