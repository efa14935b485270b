"""Words, shapes and amounts: how values of the API are said on a page. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from cron_descriptor import FormatError, Options, get_description
from markupsafe import Markup

STEPS = ((60, "second", 1), (3600, "minute", 60), (86400, "hour", 3600), (31_536_000, "day", 86400))
# Each state's tone (a colour) and shape (an icon); its word is always there too.
LOOKS = {
    "running": ("good", "s-run"),
    "serving": ("good", "s-run"),
    "succeeded": ("good", "s-ok"),
    "starting": ("busy", "s-busy"),
    "deploying": ("busy", "s-busy"),
    "stopping": ("busy", "s-busy"),
    "queued": ("still", "clock"),
    "failed": ("bad", "s-bad"),
    "lost": ("bad", "s-lost"),
    "timed_out": ("bad", "s-late"),
    "stopped": ("still", "s-stop"),
    "retired": ("still", "s-stop"),
    "sleeping": ("still", "moon"),
    "cancelled": ("still", "s-cancel"),
    "skipped": ("still", "s-cancel"),
    "never_run": ("still", "s-never"),
}


def look(state: str) -> tuple[str, str]:
    """The tone and the shape of a state."""
    return LOOKS.get(state, ("still", "s-never"))


def ago(text: str | None, now: datetime | None = None) -> Markup:
    """A time of the API as `3 minutes ago`, the exact one with its zone on hover."""
    if not text:
        return Markup("–")
    moment = datetime.fromisoformat(text)
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    words = next(
        (f"{int(abs(seconds) // unit)} {name}{'' if int(abs(seconds) // unit) == 1 else 's'}" for limit, name, unit in STEPS if abs(seconds) < limit),
        "over a year",
    )
    relative = "just now" if -1 <= seconds < 5 else f"in {words}" if seconds < 0 else f"{words} ago"
    return Markup('<time datetime="{0}" title="{1} UTC">{2}</time>').format(text, moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"), relative)


def took(started_at: str | None, finished_at: str | None, now: datetime | None = None) -> str:
    """How long something took, or takes so far: `4.2 s`, `3 min 5 s`, `2 h 10 min`."""
    if not started_at:
        return "–"
    end = datetime.fromisoformat(finished_at) if finished_at else now or datetime.now(UTC)
    seconds = max(0.0, (end - datetime.fromisoformat(started_at)).total_seconds())
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


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


def cron_words(cron: str) -> str:
    """A cron expression in words: `At 06:00, Monday through Friday`; the expression itself where it has none."""
    options = Options()
    options.use_24hour_time_format = True
    try:
        return str(get_description(cron, options))
    except FormatError:
        return cron


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
