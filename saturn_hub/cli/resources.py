"""Resources: listed, shown, made and changed from recipes, deleted, opened."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin

import click

from saturn_hub.cli import names
from saturn_hub.cli.output import Failed, ago, connected, show_json, table, with_json, words

if TYPE_CHECKING:
    from saturn_hub.client import Client

ENDINGS = (".yaml", ".yml", ".json")


@click.command("list")
@click.argument("kind", type=click.Choice([f"{each}s" for each in names.KINDS]), required=False)
@click.option("--state", metavar="STATE", help="Only what is in this state: running, failed, …")
@click.option("--all", "everyone", is_flag=True, help="What everyone has; for admins.")
@with_json
@connected
def list_(client: Client, kind: str | None, state: str | None, everyone: bool, as_json: bool) -> None:
    """List what you and your teams have: of one KIND, or all."""
    query = {"kind": kind.removesuffix("s") if kind else None, "state": state, "all": 1 if everyone else None, "limit": 200}
    items = list(client.pages("/recipes", **query))
    if as_json:
        show_json(items)
        return
    rows = [[names.key(each), words(each["state"]), each["size"], f"{each['price_per_hour']} {each['currency']}", ago(each["updated_at"])] for each in items]
    table(["NAME", "STATE", "SIZE", "AN HOUR", "CHANGED"], rows, "There is nothing yet. `saturn apply -f FILE` makes something from a recipe.")


@click.command()
@click.argument("name")
@with_json
@connected
def get(client: Client, name: str, as_json: bool) -> None:
    """Show a resource: how it is, and its recipe as YAML, which `apply` takes."""
    item = names.find(client, name)
    if as_json:
        show_json(item)
        return
    import yaml

    click.echo(f"# {names.key(item)}: {words(item['state'])}, revision {item['revision']}, cost so far {item['cost']} {item['currency']}")
    for title, value in (("why", item["problem"]), ("address", _address(client, item)), ("next run", item["next_run_at"])):
        if value:
            click.echo(f"# {title}: {' '.join(str(value).split())}")
    click.echo(yaml.safe_dump(item["recipe"], sort_keys=False, allow_unicode=True, width=120), nl=False)


@click.command()
@click.option("-f", "--file", "files", multiple=True, required=True, metavar="FILE", help="A file, a folder of them, or - for standard input. May be repeated.")
@click.option("--dry-run", is_flag=True, help="Check everything and say what would change, but change nothing.")
@with_json
@connected
def apply(client: Client, files: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Make resources as their recipes say, or change them to that.

    A file has one recipe or several, in YAML or JSON. All are checked before the first is written. What is already so stays as it is.
    """
    wanted = [each for file in files for each in _documents(file)]
    if not wanted:
        raise click.UsageError("There is no recipe in what was given.")
    me = client.get("/me")["name"]
    planned = _checked(client, me, wanted)
    changes = [_change(client, me, document, before, after, dry_run) for _, document, before, after in planned]
    if as_json:
        show_json(changes)
        return
    for each in changes:
        what = {"created": "would be made" if dry_run else "made", "updated": "would change" if dry_run else "changed"}.get(each["change"], "as it was")
        click.echo(f"{each['resource']}: {what}{' (' + ', '.join(each['keys']) + ')' if each['change'] == 'updated' else ''}")


@click.command()
@click.argument("name")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@with_json
@connected
def delete(client: Client, name: str, yes: bool, as_json: bool) -> None:
    """Delete a resource. What runs has to be stopped before."""
    item = names.find(client, name)
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError(f"This deletes {names.key(item)}, and there is nobody to ask. Say --yes.")
        click.confirm(f"Delete {names.key(item)}, with its schedules and its address?", abort=True, err=True)
    client.delete(f"/recipes{names.path(item)}")
    if as_json:
        show_json({"deleted": names.key(item)})
    else:
        click.echo(f"{names.key(item)}: deleted")


@click.command("open")
@click.argument("name")
@click.option("--print", "only", is_flag=True, help="Print the address, and open no browser.")
@with_json
@connected
def open_(client: Client, name: str, only: bool, as_json: bool) -> None:
    """Open a workspace's editor, an app, or a job's page in the browser."""
    item = names.find(client, name)
    address = _address(client, item)
    if as_json:
        show_json({"url": address})
        return
    click.echo(address)
    if not only:
        click.launch(address)


def _address(client: Client, item: dict[str, Any]) -> str:
    """Where a browser finds it."""
    from saturn_hub.client import SERVICE

    page = f"{SERVICE}/{item['kind']}s/{quote(item['owner'], safe='')}/{item['name']}"
    return urljoin(client.url + "/", str(item["url"] or page))


def _documents(file: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each recipe of a file, a folder's files or standard input, with where it is from."""
    if file != "-" and Path(file).is_dir():
        for each in sorted(Path(file).iterdir()):
            if each.suffix in ENDINGS and each.is_file():
                yield from _documents(str(each))
        return
    import yaml

    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text()
        found = [each for each in yaml.safe_load_all(text) if each is not None]
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{file} cannot be read: {error}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Failed(f"{file} is not YAML: {' '.join(str(error).split())}") from error
    for number, document in enumerate(found, 1):
        place = file if len(found) == 1 else f"{file}, recipe {number}"
        if not isinstance(document, dict) or not all(isinstance(document.get(each), str) for each in ("kind", "name")):
            raise Failed(f"{place}: a recipe is an object with at least `kind` and `name`.")
        yield place, document


def _checked(client: Client, me: str, wanted: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, dict[str, Any], dict[str, Any] | None, dict[str, Any]]]:
    """Each recipe with the resource as it is now and the recipe as the hub reads it. Raises Failed with every problem of all."""
    from saturn_hub.client import ClientError

    planned, problems = [], []
    for place, document in wanted:
        before = _now(client, me, document)
        try:
            found = client.put(_path(me, document), document, params={"dry_run": 1}) if before else client.post("/recipes", document, params={"dry_run": 1})
            planned.append((place, document, before, found["recipe"]))
        except ClientError as error:
            if error.status != 400:
                raise
            for each in error.details or [{"path": error.path, "message": error.message}]:
                problems.append(f"{place}: {each['path'] + ': ' if each['path'] else ''}{each['message']}")
        except (TypeError, ValueError) as error:
            problems.append(f"{place}: cannot be sent as JSON: {error}. Put dates in quotes.")
    if problems:
        raise Failed("\n".join(["Nothing was changed.", *problems]))
    return planned


def _change(client: Client, me: str, document: dict[str, Any], before: dict[str, Any] | None, after: dict[str, Any], dry_run: bool) -> dict[str, Any]:
    """Bring one resource to its recipe, unless this is dry, and say what that changed."""
    old = before["recipe"] if before else {}
    keys = sorted(each for each in {*old, *after} - {"owner"} if old.get(each) != after.get(each))
    change = "created" if before is None else "updated" if keys else "unchanged"
    item = before
    if not dry_run and before is None:
        item = client.post("/recipes", document)
    elif not dry_run and keys and before:
        item = client.put(_path(me, document), document, headers={"If-Match": f'"{before["revision"]}"'})
    resource = f"{document['kind']}/{document.get('owner') or me}/{document['name']}"
    return {"resource": resource, "change": change, "keys": keys, "revision": item["revision"] if item else None}


def _path(me: str, document: dict[str, Any]) -> str:
    from saturn_hub.client import key_path

    return f"/recipes{key_path(document['kind'], str(document.get('owner') or me), document['name'])}"


def _now(client: Client, me: str, document: dict[str, Any]) -> dict[str, Any] | None:
    """The resource that a recipe names as it is now, None where there is none."""
    from saturn_hub.client import ClientError

    try:
        found: dict[str, Any] = client.get(_path(me, document))
    except ClientError as error:
        if error.status == 404:
            return None
        raise
    return found


COMMANDS = [list_, get, apply, delete, open_]
