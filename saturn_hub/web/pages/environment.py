"""The Jinja environment of all pages, and its filters."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

STEPS = ((60, "second", 1), (3600, "minute", 60), (86400, "hour", 3600), (31_536_000, "day", 86400))


def make_environment() -> Environment:
    """Templates escape what they print and fail on a name that is not there."""
    templates = FileSystemLoader(str(Path(__file__).parents[1] / "templates"))
    environment = Environment(loader=templates, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"ago": ago, "money": money, "size": size}
    return environment


def ago(text: str | None, now: datetime | None = None) -> Markup:
    """A time of the API as `3 minutes ago`, the exact one on hover."""
    if not text:
        return Markup("–")
    moment = datetime.fromisoformat(text)
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    words = next(
        (f"{int(abs(seconds) // unit)} {name}{'' if int(abs(seconds) // unit) == 1 else 's'}" for limit, name, unit in STEPS if abs(seconds) < limit),
        "over a year",
    )
    relative = f"in {words}" if seconds < -1 else f"{words} ago"
    return Markup('<time datetime="{0}" title="{1} UTC">{2}</time>').format(text, moment.strftime("%Y-%m-%d %H:%M:%S"), relative)


def money(amount: str, currency: str) -> str:
    """An amount with its currency, to the cent or what is below."""
    value = float(amount)
    return f"{value:.2f} {currency}" if value >= 0.01 or value == 0 else f"{value:.4f} {currency}"


def size(count: int) -> str:
    """Bytes in binary units."""
    value, unit = float(count), "B"
    for following in ("KiB", "MiB", "GiB"):
        if value < 1024:
            break
        value, unit = value / 1024, following
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
