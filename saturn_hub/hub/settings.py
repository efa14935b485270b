"""The settings of Saturn Hub, each with its help. They are read once, by the hub, which hands them to the service and the gateway."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from traitlets import Bool, Integer, TraitError, Unicode, default, validate
from traitlets.config import Config, Configurable

from saturn_hub.errors import ConfigurationError, Problem

ROOT = Path(__file__).parents[2]
APPS_PORT_OFFSET = 100


class SaturnHub(Configurable):
    """Set as `c.SaturnHub.NAME = VALUE` before `configure(c)`, or given as `configure(c, NAME=VALUE)`."""

    embedded = Bool(
        False,
        help="Set up JupyterHub itself too, as `make hub` does: on this machine's own address, its database, ports and people kept in `home`. "
        "False leaves all of that as your configuration has it.",
    ).tag(config=True)
    home = Unicode(help="The folder of everything kept: database, people's files, logs. Not below `/tmp`. The default is `SATURN_HOME`, else `.saturn`.").tag(
        config=True
    )
    images = Unicode(help="The folder of the prepared software. The default is `SATURN_IMAGES`, else `.images` beside the code.").tag(config=True)
    catalog = Unicode(
        None, allow_none=True, help="The catalog's file. None means `catalog.yaml` in `home` where there is one, else the one that comes with Saturn Hub."
    ).tag(config=True)
    public_url = Unicode(
        None,
        allow_none=True,
        help="The address at which people open JupyterHub, with its path. None means what `c.JupyterHub.bind_url` says, "
        "with `localhost` where that listens on this machine's own or on every address.",
    ).tag(config=True)
    apps_address = Unicode("127.0.0.1", help="The address on which the gateway listens for visitors of apps.").tag(config=True)
    apps_port = Integer(None, allow_none=True, min=1, max=65535, help="The gateway's port. None means `APPS_PORT`, else the hub's port + 100.").tag(config=True)
    apps_domain = Unicode(help="Each app is at `NAME.` and this domain. The default is `APPS_DOMAIN`, else `apps.localhost`.").tag(config=True)
    apps_url = Unicode(
        None,
        allow_none=True,
        help="The public address of an app, with `{host}` for its name. None means `http://{host}.` with `apps_domain` and `apps_port`.",
    ).tag(config=True)
    service_port = Integer(
        None, allow_none=True, min=1, max=65535, help="The service's port on 127.0.0.1. None means a free one, chosen once and kept in `home`."
    ).tag(config=True)
    start_timeout_seconds = Integer(900, min=1, help="How long a workspace may take to clone, install and start, in seconds.").tag(config=True)
    http_timeout_seconds = Integer(120, min=1, help="How long a started workspace may take to answer, in seconds.").tag(config=True)
    people_seconds = Integer(60, min=1, help="How often people and groups are read from the hub, in seconds.").tag(config=True)
    auth_refresh_seconds = Integer(
        30, min=1, help="How long a person whom an admin disabled may still have an open page of the hub, in seconds. For the sign-in of `make hub`."
    ).tag(config=True)
    identity_seconds = Integer(10, min=1, help="How long the service remembers whom a cookie or token belongs to, in seconds.").tag(config=True)
    log_bytes = Integer(5_000_000, min=10_000, help="The size at which a log in `home/logs` is begun anew, in bytes.").tag(config=True)
    log_files = Integer(3, min=1, help="How many full logs of each kind are kept beside the one that is written.").tag(config=True)

    @default("home")
    def _home(self) -> str:
        return os.environ.get("SATURN_HOME") or ".saturn"

    @default("images")
    def _images(self) -> str:
        return os.environ.get("SATURN_IMAGES") or str(ROOT / ".images")

    @default("apps_domain")
    def _apps_domain(self) -> str:
        return os.environ.get("APPS_DOMAIN") or "apps.localhost"

    @validate("home", "images")
    def _absolute(self, proposal: Any) -> str:
        if not proposal["value"]:
            raise TraitError("it has to name a folder")
        return str(Path(proposal["value"]).expanduser().absolute())

    @validate("public_url", "apps_url")
    def _address(self, proposal: Any) -> str | None:
        value: str | None = proposal["value"]
        if value is not None and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).netloc):
            raise TraitError(f"'{value}' is not an address that begins with http:// or https://")
        if proposal["trait"].name == "apps_url" and value is not None and "{host}" not in value:
            raise TraitError(f"'{value}' has no {{host}}, so all apps would be at one address")
        return value

    @validate("apps_domain")
    def _domain(self, proposal: Any) -> str:
        value = str(proposal["value"])
        if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)*", value):
            raise TraitError(f"'{value}' is not a domain: write one such as apps.example.com")
        return value


def read(c: Config, options: dict[str, Any], source: str) -> SaturnHub:
    """The settings that `c.SaturnHub` and `options` give. Raises ConfigurationError with every problem; `source` names the file."""
    given = {**{key: (f"c.SaturnHub.{key}", value) for key, value in c.get("SaturnHub", {}).items()}}
    given |= {key: (f"configure(c, {key}=…)", value) for key, value in options.items()}
    settings, problems = SaturnHub(), []
    known = sorted(SaturnHub.class_trait_names(config=True))
    for key, (path, value) in given.items():
        if key not in known:
            problems.append(Problem("unknown_key", f"There is no setting '{key}'. There are {', '.join(known)}.", path))
            continue
        try:
            setattr(settings, key, value)
        except TraitError as error:
            # Traitlets tells of the instance too, which says nothing to a person.
            text = re.sub(r"The '\w+' trait of an? SaturnHub instance", "It", str(error))
            problems.append(Problem("bad_value", text, path))
    if problems:
        raise refusal(source, problems)
    return settings


def refusal(source: str, problems: list[Problem]) -> ConfigurationError:
    """Every problem of one file as one error, a line each."""
    lines = [f"{source}: {each.path}: {each.message}" for each in problems]
    return ConfigurationError("\n".join(lines), details=problems)


def port_of(name: str, otherwise: int) -> int:
    """A port from an environment variable. Raises ConfigurationError."""
    text = os.environ.get(name) or str(otherwise)
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise ConfigurationError(f"{name}: '{text}' is not a port: write a number from 1 to 65535.", path=name)
    return int(text)
