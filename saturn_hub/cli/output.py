"""What commands print: tables and progress for people, JSON in the API's words for scripts; and the exit codes."""

from __future__ import annotations

import contextlib
import functools
import json
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import click

FAILED, USAGE, UNREACHABLE, NOT_FOUND, INTERRUPTED = 1, 2, 3, 4, 130


class Failed(click.ClickException):
    """What was asked for did not come to be. One sentence that says what to do."""

    exit_code = FAILED


class Missing(click.ClickException):
    """There is no such thing, or it is not one's own."""

    exit_code = NOT_FOUND


def with_json(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the option `--json`, as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, in the words of the HTTP API.")(command)


def connected(command: Callable[..., None]) -> Callable[..., None]:
    """Hand a command the client of the hub that one is signed in to, and close it after."""

    @functools.wraps(command)
    @click.pass_obj
    def call(hubs: Any, /, *arguments: Any, **options: Any) -> None:
        with hubs.client() as client:
            command(client, *arguments, **options)

    return call


def show_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def table(columns: list[str], rows: list[list[str]], empty: str) -> None:
    """Rows below their heads, each as wide as it has to be; whole lines also where nobody looks at a terminal."""
    if not rows:
        click.echo(empty, err=True)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, no_wrap=True)
    for row in rows:
        made.add_row(*map(Text, row))
    Console(highlight=False, width=None if sys.stdout.isatty() else 10_000).print(made)


class Progress:
    """What one waits for: a spinner with a sentence on a terminal, else a line each time the sentence changes."""

    def __init__(self, spinner: Any = None) -> None:
        self.spinner, self.last, self.began = spinner, "", time.monotonic()

    def say(self, sentence: str) -> None:
        if self.spinner:
            from rich.markup import escape

            self.spinner.update(f"{escape(sentence)} [dim]{time.monotonic() - self.began:.0f} s[/dim]")
        elif sentence != self.last:
            click.echo(sentence, err=True)
        self.last = sentence


@contextlib.contextmanager
def progress(sentence: str, *, quiet: bool = False) -> Iterator[Progress]:
    """Say on stderr what is waited for."""
    if quiet or not sys.stderr.isatty():
        shown = Progress()
        if not quiet:
            shown.say(sentence)
        else:
            shown.say = lambda sentence: None  # type: ignore[method-assign]
        yield shown
        return
    from rich.console import Console

    with Console(stderr=True).status(sentence) as spinner:
        yield Progress(spinner)


def ago(moment: str | None) -> str:
    """How long ago a time of the API was."""
    if not moment:
        return "-"
    seconds = int((datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{max(seconds, 0)} s ago"


def words(state: str) -> str:
    """A state as people read it."""
    return state.replace("_", " ")
