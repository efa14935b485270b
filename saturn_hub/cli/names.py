"""From the name that a person types to the one resource that it means."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import click

from saturn_hub.cli.output import Missing

if TYPE_CHECKING:
    from saturn_hub.client import Client

KINDS = ("workspace", "job", "app")


class Ambiguous(click.ClickException):
    exit_code = 2


def parse(text: str) -> tuple[str, str, str]:
    """Kind, owner and name of `job/ada/churn`, `ada/churn` or `churn`; what is not said is empty. Raises UsageError."""
    parts = text.split("/")
    if len(parts) > 3 or not all(parts) or (len(parts) == 3 and parts[0] not in KINDS):
        raise click.UsageError(f"'{text}' is not a name: write job/ada/churn, ada/churn, team:growth/churn, or churn.")
    kind, owner, name = ["", "", *parts][-3:]
    return kind, owner, name


def find(client: Client, text: str, kinds: Collection[str] = KINDS) -> dict[str, Any]:
    """The resource that `text` means, one of `kinds`. Of several that fit, one's own comes before a team's."""
    from saturn_hub.client import key_path

    kind, owner, name = parse(text)
    if kind and kind not in kinds:
        raise click.UsageError(f"'{text}' is a {kind}; this takes {' or '.join(f'{each}s' for each in kinds)}.")
    possible = (kind,) if kind else tuple(kinds)
    if owner and len(possible) == 1:
        found: dict[str, Any] = client.get(f"/recipes{key_path(possible[0], owner, name)}")
        return found
    query = {"kind": possible[0]} if len(possible) == 1 else {}
    fitting = [each for each in client.pages("/recipes", limit=200, search=name, **query) if each["name"] == name and each["kind"] in possible]
    if owner:
        fitting = [each for each in fitting if each["owner"] == owner]
    elif len(fitting) > 1:
        me = client.get("/me")["name"]
        fitting = [each for each in fitting if each["owner"] == me] or fitting
    if not fitting:
        raise Missing(f"There is no {' or '.join(possible)} '{text}' that you may see. `saturn list` shows what there is.")
    if len(fitting) > 1:
        raise Ambiguous(f"'{text}' may be {', '.join(sorted(map(key, fitting)))}. Say which.")
    return fitting[0]


def key(item: dict[str, Any]) -> str:
    """The full name of a resource."""
    return f"{item['kind']}/{item['owner']}/{item['name']}"


def path(item: dict[str, Any]) -> str:
    """Its path in the API below `/recipes`."""
    from saturn_hub.client import key_path

    return key_path(item["kind"], item["owner"], item["name"])


def action(item: dict[str, Any], *rest: str) -> str:
    """The path of something to do with it: `/jobs/ada/churn/runs`."""
    from saturn_hub.client import key_path

    return "/".join([key_path(f"{item['kind']}s", item["owner"], item["name"]), *rest])
