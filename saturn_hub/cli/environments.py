"""Environments: what something ran on, and what differs between two."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from saturn_hub.cli import names
from saturn_hub.cli.output import Missing, connected, show_json, table, with_json

if TYPE_CHECKING:
    from saturn_hub.client import Client

DIGEST = re.compile(r"[0-9a-f]{64}")
RUN = re.compile(r"[0-9][0-9a-z]{25}")
WHAT = "WHAT is a name (what it ran on last), the id of a run, or the digest of an environment."
SIGNS = {"added": "+", "removed": "-", "changed": "~"}


@click.group()
def env() -> None:
    """What work ran on: show it, and compare two."""


@env.command(epilog=WHAT)
@click.argument("what")
@with_json
@connected
def show(client: Client, what: str, as_json: bool) -> None:
    """Show an environment: its packages and interpreters, and what ran on it."""
    found = client.get(f"/environments/{_digest(client, what)}")
    if as_json:
        show_json(found)
        return
    record = found["record"]
    click.echo(f"Environment {found['digest']}")
    rows = [[kind, name, str(version)] for kind in ("python", "r", "conda") for name, version in sorted((record.get(kind) or {}).items())]
    rows += [["os", name, str(version)] for name, version in sorted(((record.get("os") or {}).get("packages") or {}).items())]
    table(["KIND", "PACKAGE", "VERSION"], rows, "No packages were found in it.")


@env.command(epilog=WHAT)
@click.argument("what")
@click.argument("other")
@with_json
@connected
def diff(client: Client, what: str, other: str, as_json: bool) -> None:
    """Say what was added, removed and changed from WHAT to OTHER."""
    found = client.get("/environments/diff", a=_digest(client, what), b=_digest(client, other))
    if as_json:
        show_json(found)
        return
    rows = []
    for kind, changes in found["difference"].items():
        for change, sign in SIGNS.items():
            for name, version in sorted(changes[change].items()):
                rows.append([sign, kind, name, " -> ".join(version) if isinstance(version, list) else str(version)])
    table(["", "KIND", "PACKAGE", "VERSION"], rows, "The two are equal.")


def _digest(client: Client, what: str) -> str:
    """The environment that a person means."""
    if DIGEST.fullmatch(what):
        return what
    if RUN.fullmatch(what):
        title, digest = f"The run {what}", client.get(f"/runs/{what}")["environment"]
    else:
        item: dict[str, Any] = names.find(client, what)
        title, digest = names.key(item), item["environment"]
        if digest is None and item["last_run"]:
            digest = client.get(f"/runs/{item['last_run']['id']}")["environment"]
    if not digest:
        raise Missing(f"{title} has no environment recorded yet. It is taken when something starts.")
    return str(digest)


COMMANDS = [env]
