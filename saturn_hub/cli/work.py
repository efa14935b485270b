"""Work: workspaces started and stopped, jobs run, logs followed, apps deployed; with progress where one waits."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from saturn_hub.cli import names
from saturn_hub.cli.output import INTERRUPTED, Failed, Missing, Progress, ago, connected, progress, show_json, table, with_json, words

if TYPE_CHECKING:
    from saturn_hub.client import Client

# How often one looks at something that cannot be waited for on the hub.
LOOK_SECONDS = 0.5
STALE_SECONDS = 20.0


@click.command()
@click.argument("name")
@click.option("--wait/--no-wait", default=True, help="Wait until it runs (the default).")
@with_json
@connected
def start(client: Client, name: str, wait: bool, as_json: bool) -> None:
    """Start a workspace, and wait until it can be opened."""
    item = names.find(client, name, ("workspace",))
    client.post(names.action(item, "start"))
    if wait:
        try:
            with progress(f"{names.key(item)} starts", quiet=as_json) as shown:
                item = _until(client, item, shown, "running")
        except KeyboardInterrupt:
            click.echo(f"It goes on starting. See how it is: saturn get {names.key(item)}", err=True)
            raise SystemExit(INTERRUPTED) from None
    _done(client, item, as_json)


@click.command()
@click.argument("name")
@click.option("--wait/--no-wait", default=True, help="Wait until it has stopped (the default).")
@with_json
@connected
def stop(client: Client, name: str, wait: bool, as_json: bool) -> None:
    """Stop a workspace or an app. Its files and recipe stay."""
    item = names.find(client, name, ("workspace", "app"))
    client.post(names.action(item, "stop"))
    if wait:
        with progress(f"{names.key(item)} stops", quiet=as_json) as shown:
            item = _until(client, item, shown, "stopped", "failed", "retired")
    _done(client, item, as_json)


@click.command()
@click.argument("name")
@click.option("-p", "--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="A parameter of the job. May be repeated.")
@click.option("--again-of", metavar="RUN", help="Run again at the commits, packages and parameters of this run.")
@click.option("--wait", is_flag=True, help="Wait until it has ended; the exit code is then 1 where it did not succeed.")
@with_json
@connected
def run(client: Client, name: str, parameters: tuple[str, ...], again_of: str | None, wait: bool, as_json: bool) -> None:
    """Run a job now."""
    given = {}
    for each in parameters:
        key, equals, value = each.partition("=")
        if not equals or not key:
            raise click.UsageError(f"'{each}' is not a parameter: write -p name=value.")
        given[key] = value
    item = names.find(client, name, ("job",))
    made = client.post(names.action(item, "runs"), {"parameters": given, "again_of": again_of or ""})
    if wait:
        made = _ended(client, item, made, quiet=as_json)
    if as_json:
        show_json(made)
    elif wait:
        click.echo(_summary(made))
    else:
        click.echo(f"Run {made['number']} is {words(made['state'])}. Follow it: saturn logs {names.key(item)} --run {made['id']} -f")
    if wait and made["state"] != "succeeded":
        raise SystemExit(1)


@click.command()
@click.argument("name")
@click.option("-n", "--limit", type=click.IntRange(1, 200), default=20, show_default=True, help="How many at most.")
@with_json
@connected
def runs(client: Client, name: str, limit: int, as_json: bool) -> None:
    """List the runs of a job, newest first."""
    item = names.find(client, name, ("job",))
    found = client.get(names.action(item, "runs"), limit=limit)["items"]
    if as_json:
        show_json(found)
        return
    rows = [[str(each["number"]), each["id"], words(each["state"]), each["trigger"], ago(each["created_at"]), _took(each), each["reason"]] for each in found]
    table(["RUN", "ID", "STATE", "BY", "MADE", "TOOK", "WHY"], rows, f"{names.key(item)} never ran. `saturn run {names.key(item)}` runs it.")


@click.command()
@click.argument("name")
@click.option("--run", "run_id", metavar="ID", help="A run of the job; the newest otherwise.")
@click.option("-f", "--follow", is_flag=True, help="Go on as it grows, until the run has ended; a lost connection is made again.")
@with_json
@connected
def logs(client: Client, name: str, run_id: str | None, follow: bool, as_json: bool) -> None:
    """Show what a job's run or an app said."""
    item = names.find(client, name, ("job", "app"))
    if run_id and item["kind"] == "app":
        raise click.UsageError("An app has no runs: leave --run out.")
    path = names.action(item, "logs") if item["kind"] == "app" else f"/runs/{_run_id(client, item, run_id)}/logs"
    try:
        if follow:
            for event in client.follow(path, lost=_lost, follow=1):
                _write(json.loads(event.data), int(event.id), as_json)
        else:
            _write(client.text(path), None, as_json)
    except KeyboardInterrupt:
        # Nothing that runs is touched by no longer looking at it.
        raise SystemExit(INTERRUPTED) from None


@click.command()
@click.argument("name")
@click.option("--revision", type=click.IntRange(1), help="A revision of the recipe; the current one otherwise.")
@click.option("--wait/--no-wait", default=True, help="Wait until it serves (the default).")
@with_json
@connected
def deploy(client: Client, name: str, revision: int | None, wait: bool, as_json: bool) -> None:
    """Deploy an app, and wait until it serves. What served before goes on until then."""
    item = names.find(client, name, ("app",))
    made = client.post(names.action(item, "deploy"), {"revision": revision} if revision else {})
    if wait:
        try:
            with progress(f"{names.key(item)}: version {made['number']} is deploying", quiet=as_json) as shown:
                made = _serving(client, item, made, shown)
        except KeyboardInterrupt:
            click.echo(f"Version {made['number']} goes on deploying. See what it says: saturn logs {names.key(item)} -f", err=True)
            raise SystemExit(INTERRUPTED) from None
    if as_json:
        show_json(made)
    else:
        click.echo(f"Version {made['number']} of {names.key(item)} is {words(made['state'])}{': ' + made['reason'] if made['reason'] else ''}. {made['url']}")
    if wait and made["state"] != "serving":
        click.echo(f"See what it said: saturn logs {names.key(item)}", err=True)
        raise SystemExit(1)


def _until(client: Client, item: dict[str, Any], shown: Progress, *states: str) -> dict[str, Any]:
    """The resource when it is in one of `states`. Raises Failed where it comes to fail instead."""
    # A session that failed before is not what was asked for now: the new one has a while to appear.
    stale = item["state"] == "failed"
    while True:
        found: dict[str, Any] = client.get(f"/recipes{names.path(item)}")
        stale = stale and found["state"] == "failed" and time.monotonic() - shown.began < STALE_SECONDS
        if found["state"] in states and not stale:
            return found
        if found["state"] == "failed" and not stale:
            raise Failed(f"{names.key(item)}: {found['problem'] or 'it failed.'}")
        shown.say(f"{names.key(item)} is {words(found['state'])}{': ' + found['progress'] if found.get('progress') else ''}")
        time.sleep(LOOK_SECONDS)


def _ended(client: Client, item: dict[str, Any], made: dict[str, Any], *, quiet: bool) -> dict[str, Any]:
    """The run at its end: the hub holds each request until then, so it is known at once. Ctrl-C leaves the run going."""
    try:
        with progress(f"Run {made['number']} of {names.key(item)} is {words(made['state'])}", quiet=quiet) as shown:
            while not made["finished_at"]:
                # The first answers come soon, for whoever looks at the states; what is slow is waited for longer.
                made = client.get(f"/runs/{made['id']}", wait=2 if time.monotonic() - shown.began < 10 else 20)
                shown.say(f"Run {made['number']} of {names.key(item)} is {words(made['state'])}{': ' + made['reason'] if made['reason'] else ''}")
    except KeyboardInterrupt:
        click.echo(f"The run goes on. Follow it: saturn logs {names.key(item)} --run {made['id']} -f", err=True)
        raise SystemExit(INTERRUPTED) from None
    return made


def _serving(client: Client, item: dict[str, Any], made: dict[str, Any], shown: Progress) -> dict[str, Any]:
    """The version when it no longer deploys."""
    while True:
        found: dict[str, Any] = next(each for each in client.get(names.action(item, "versions"))["items"] if each["id"] == made["id"])
        if found["state"] != "deploying":
            return found
        shown.say(f"{names.key(item)}: version {found['number']} is deploying{': ' + found['progress'] if found.get('progress') else ''}")
        time.sleep(LOOK_SECONDS)


def _run_id(client: Client, item: dict[str, Any], given: str | None) -> str:
    """The run that is meant, the newest where none is named."""
    if given:
        return given
    found = client.get(names.action(item, "runs"), limit=1)["items"]
    if not found:
        raise Missing(f"{names.key(item)} never ran. `saturn run {names.key(item)}` runs it.")
    return str(found[0]["id"])


def _lost(reason: str) -> None:
    click.echo(f"The connection was lost ({reason}); trying again.", err=True)


def _write(text: str, offset: int | None, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"offset": offset, "text": text}, ensure_ascii=False))
        return
    # A log may have what this terminal cannot write.
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
    sys.stdout.flush()


def _took(found: dict[str, Any]) -> str:
    from datetime import datetime

    if not found["started_at"] or not found["finished_at"]:
        return "-"
    return f"{(datetime.fromisoformat(found['finished_at']) - datetime.fromisoformat(found['started_at'])).total_seconds():.1f} s"


def _summary(made: dict[str, Any]) -> str:
    return f"Run {made['number']} {words(made['state'])} after {_took(made)}{': ' + made['reason'] if made['reason'] else ''}"


def _done(client: Client, item: dict[str, Any], as_json: bool) -> None:
    from urllib.parse import urljoin

    if as_json:
        show_json(item)
    else:
        where = f" {urljoin(client.url + '/', item['url'])}" if item["state"] == "running" else ""
        click.echo(f"{names.key(item)} is {words(item['state'])}.{where}")


COMMANDS = [start, stop, run, runs, logs, deploy]
