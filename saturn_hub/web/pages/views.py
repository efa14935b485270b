"""View-models: from what the engine says to what a template shows. Pure: no query, no clock but the one handed in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from saturn_hub.engine.home import ALIVE, ENDED_BADLY
from saturn_hub.model.access import Person, permissions
from saturn_hub.model.catalog import Catalog
from saturn_hub.model.recipe import ScheduleEntry
from saturn_hub.model.schedule import next_time
from saturn_hub.model.workload import Owner
from saturn_hub.web.pages.words import cron_words, look, money, plural

JSON = dict[str, Any]
STRIP = 40
STATES = {
    "workspace": ("running", "starting", "stopping", "stopped", "failed"),
    "job": ("never_run", "queued", "running", "succeeded", "failed", "cancelled", "timed_out", "lost"),
    "app": ("serving", "deploying", "sleeping", "stopped", "failed"),
}


def where(item: Mapping[str, Any]) -> str:
    """The path of a resource's page below the service's address."""
    return f"/{item['kind']}s/{quote(item['owner'], safe='')}/{item['name']}"


def has_words(item: Mapping[str, Any], words: str) -> bool:
    """Whether every one of `words` is in an app's name, owner or description."""
    text = f"{item['name']} {item['owner']} {item['description']}".lower()
    return all(each in text for each in words.lower().split())


def may(person: Person, owner: str) -> set[str]:
    """What `person` may do with what `owner` has, as words for templates."""
    return {str(each) for each in permissions(person, Owner.parse(owner))}


def home(found: Mapping[str, Any], shared: list[JSON]) -> JSON:
    """The home page: what runs first, then what needs somebody, the last runs, and the newest of the rest."""
    items = found["items"]
    running = [each for each in items if each["state"] in ALIVE]
    following = sorted((each for each in items if each["next_run_at"]), key=lambda each: each["next_run_at"])
    return {
        **{each: found[each] for each in ("runs", "cost_per_hour", "cost_month", "currency")},
        "running": running,
        "needs": needs(items),
        "newest": items[:10],
        "count": len(items),
        "next": following[0] if following else None,
        "shared": shared[:6],
        "shared_count": len(shared),
    }


def needs(items: Iterable[JSON]) -> list[JSON]:
    """What somebody has to look at: the newest life ended badly, or a branch moved under uncommitted changes."""
    found = []
    for item in items:
        if item["state"] in ENDED_BADLY:
            found.append({"item": item, "state": item["state"], "text": item["problem"] or "Its log says why."})
        for each in item["repositories"]:
            if each.get("message"):
                found.append({"item": item, "state": item["state"], "text": f"{each['path']}: {each['message']}"})
    return found


def strip(runs: Iterable[JSON]) -> list[JSON]:
    """The last runs as bars, oldest first: tone by state, height from 1 to 8 by how long each took beside the longest."""
    shown = list(reversed(list(runs)[:STRIP]))
    seconds = [_seconds(each) for each in shown]
    longest = max(seconds, default=0) or 1
    return [
        {"id": run["id"], "number": run["number"], "state": run["state"], "tone": look(run["state"])[0], "height": max(1, round(8 * length / longest))}
        | {"started_at": run["started_at"], "finished_at": run["finished_at"]}
        for run, length in zip(shown, seconds, strict=True)
    ]


def schedules(recipe: Mapping[str, Any], now: datetime, count: int = 3) -> list[JSON]:
    """Each schedule in words with its next times, in its own zone."""
    found = []
    for each in recipe.get("schedules", []):
        entry = ScheduleEntry.model_validate(each)
        times, after = [], now
        while len(times) < count and (following := next_time(entry, after)):
            times.append(following.astimezone(ZoneInfo(entry.timezone)))
            after = following
        said = [{"at": moment.astimezone(UTC).isoformat(), "text": moment.strftime("%a %d %b %Y, %H:%M %Z")} for moment in times]
        found.append({"cron": entry.cron, "words": cron_words(entry.cron), "timezone": entry.timezone, "overlap": entry.overlap} | {"next": said})
    return found


def changes(difference: Mapping[str, Mapping[str, Any]]) -> list[JSON]:
    """A comparison as rows per kind of package: name, before, after."""
    titles = {"python": "Python", "r": "R", "conda": "conda", "os": "Operating system"}
    found = []
    for kind, title in titles.items():
        change = difference.get(kind) or {"added": {}, "removed": {}, "changed": {}}
        rows = [{"name": name, "before": "", "after": version} for name, version in change["added"].items()]
        rows += [{"name": name, "before": version, "after": ""} for name, version in change["removed"].items()]
        rows += [{"name": name, "before": old, "after": new} for name, (old, new) in change["changed"].items()]
        if rows:
            found.append({"title": title, "rows": sorted(rows, key=lambda each: each["name"])})
    return found


def moved(old: Iterable[JSON], new: Iterable[JSON]) -> list[JSON]:
    """Repositories whose commit is another than before."""
    before = {each["path"]: each.get("commit") or "" for each in old}
    rows = [{"path": each["path"], "before": before.get(each["path"], ""), "after": each.get("commit") or ""} for each in new]
    return [each for each in rows if each["before"] != each["after"]]


def packages(record: Mapping[str, Any]) -> list[JSON]:
    """The packages of an environment by kind, kinds without any left out."""
    kinds = (("Python", record.get("python")), ("R", record.get("r")), ("conda", record.get("conda")), ("Operating system", record["os"].get("packages")))
    return [{"title": title, "items": found} for title, found in kinds if found]


def snippets(url: str) -> list[JSON]:
    """How a script calls an app with a token: the same call three times."""
    return [
        {"title": "curl", "text": f'curl -H "Authorization: Bearer $APP_TOKEN" {url}'},
        {
            "title": "Python",
            "text": "import os, requests\n\n"
            f'answer = requests.get(\n    "{url}",\n    headers={{"Authorization": f"Bearer {{os.environ[\'APP_TOKEN\']}}"}},\n)\nprint(answer.text)',
        },
        {
            "title": "R",
            "text": f'library(httr)\n\nanswer <- GET(\n  "{url}",\n  add_headers(Authorization = paste("Bearer", Sys.getenv("APP_TOKEN")))\n)\ncontent(answer)',
        },
    ]


def parameters(recipe: Mapping[str, Any]) -> list[JSON]:
    """The fields of `Run now`: an input's type for each parameter's."""
    inputs = {"integer": "number", "number": "number", "date": "date", "boolean": "boolean"}
    found = []
    for name, each in recipe.get("parameters", {}).items():
        kind, default = each.get("type", "string"), each.get("default")
        needed = default is None
        text = "" if needed else str(default).lower() if isinstance(default, bool) else str(default)
        found.append(
            {"name": name, "kind": kind, "input": inputs.get(kind, "text"), "default": text, "required": needed} | {"hint": each.get("description", "")}
        )
    return found


def _seconds(run: Mapping[str, Any]) -> float:
    if not run["started_at"] or not run["finished_at"]:
        return 0.0
    return (datetime.fromisoformat(run["finished_at"]) - datetime.fromisoformat(run["started_at"])).total_seconds()


def checked(document: Mapping[str, Any], problems: list[dict[str, str]], catalog: Catalog, now: datetime) -> JSON:
    """What the page of a recipe says while it is filled in: problems, cost, and the schedule in words."""
    found = catalog.size(document.get("size", ""))
    costs = f"{money(str(found.price_per_hour), catalog.currency)} an hour while it runs, on {found.name}" if found else ""
    state = "Ready to save." if not problems else f"{plural(len(problems), 'thing')} to look at before it can be saved."
    words = ""
    if not any(each["path"].startswith("schedules") for each in problems):
        said = schedules(document, now, 1)
        words = " ".join(f"{each['words']}, {each['timezone']}." + (f" Next: {each['next'][0]['text']}." if each["next"] else "") for each in said)
    return {"problems": problems, "costs": costs, "state": state, "schedule": words}
