"""Signing in, and the hubs that one is signed in to, kept in a file that only oneself can read."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from saturn_hub.cli.output import Missing, show_json, with_json

if TYPE_CHECKING:
    from saturn_hub.client import Client


class Hubs:
    """The hubs signed in to: `{"current": URL, "hubs": {URL: {"name", "token"}}}`. `chosen` is one of them, or any with SATURN_TOKEN."""

    def __init__(self, chosen: str | None = None) -> None:
        self.chosen = chosen.rstrip("/") if chosen else None
        self.file = Path(click.get_app_dir("saturn")) / "hubs.json"

    def read(self) -> dict[str, Any]:
        try:
            kept: dict[str, Any] = json.loads(self.file.read_text())
            return kept if isinstance(kept["hubs"], dict) else {"hubs": {}}
        except FileNotFoundError:
            return {"hubs": {}}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Missing(f"{self.file} cannot be read ({error}). Sign in again after removing it: saturn login") from error

    def keep(self, url: str, name: str, token: str) -> None:
        """Write the file anew beside the old one and put it in its place: it is never half written, and never another's to read."""
        kept = self.read()
        kept["current"], kept["hubs"][url] = url, {"name": name, "token": token}
        self.file.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=self.file.parent, prefix=".hubs-")
        with os.fdopen(handle, "w") as file:
            json.dump(kept, file, indent=2)
        os.chmod(part, 0o600)
        os.replace(part, self.file)

    def client(self) -> Client:
        """A client of the chosen hub, else of the last one signed in to."""
        from saturn_hub.client import Client

        kept = self.read() if not (self.chosen and os.environ.get("SATURN_TOKEN")) else {"hubs": {}}
        url = self.chosen or kept.get("current")
        if not url:
            raise Missing("You are not signed in. Type: saturn login --url https://hub.example.com --user NAME")
        token = os.environ.get("SATURN_TOKEN") or kept["hubs"].get(url, {}).get("token")
        if not token:
            raise Missing(f"You are not signed in to {url}. Type: saturn login --url {url} --user NAME")
        return Client(url, token)


@click.command()
@click.option("--url", metavar="URL", help="The hub's address. The one of --hub otherwise.")
@click.option("--user", metavar="NAME", help="Your name at the hub. The password is asked for where no file is named.")
@click.option("--password-file", type=click.File(), metavar="FILE", help="A file with your password; - for standard input.")
@click.option("--token-file", type=click.File(), metavar="FILE", help="A file with a token of JupyterHub's; - for standard input.")
@with_json
@click.pass_obj
def login(hubs: Hubs, url: str | None, user: str | None, password_file: Any, token_file: Any, as_json: bool) -> None:
    """Sign in to a hub, with a password or with a token.

    By password a token called `saturn CLI` is made for this machine. It can be taken back on the hub's token page.
    """
    from saturn_hub.client import Client, sign_in

    url = (url or hubs.chosen or hubs.read().get("current") or "").rstrip("/")
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
        raise click.UsageError("Name the hub by its address: --url https://hub.example.com")
    if bool(user) == bool(token_file) or (password_file and not user):
        raise click.UsageError("Sign in either with --user (and --password-file), or with --token-file.")
    if token_file:
        token = token_file.read().strip()
    else:
        assert user
        given = password_file.read().rstrip("\r\n") if password_file else _ask(user)
        token = sign_in(url, user, given)
    if not token or not token.isascii() or not token.isprintable():
        raise click.UsageError(f"There is no token in {token_file.name}.")
    with Client(url, token) as client:
        me = client.get("/me")
    hubs.keep(url, me["name"], token)
    if as_json:
        show_json({"url": url, **me})
    else:
        click.echo(f"You are {me['name']} at {url}.")


def _ask(user: str) -> str:
    if not sys.stdin.isatty():
        raise click.UsageError("There is nobody to ask for the password. Name a file with it: --password-file")
    return str(click.prompt(f"Password of {user}", hide_input=True, err=True))


COMMANDS = [login]
