"""When a job runs by itself. Cron expressions are read by cronsim, which treats daylight saving as Debian's cron does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim

from saturn_hub.model.recipe import ScheduleEntry

CATCH_UP_MAXIMUM = 100


def next_time(schedule: ScheduleEntry, after: datetime) -> datetime | None:
    """The first time after `after` (aware), in UTC; None where there is none within cronsim's horizon."""
    found = next(CronSim(schedule.cron, after.astimezone(ZoneInfo(schedule.timezone))), None)
    return found.astimezone(UTC) if found else None


def due(schedule: ScheduleEntry, first: datetime, now: datetime) -> list[datetime]:
    """Times to run at in [first, now], oldest first, in UTC; `first` is a time of the schedule that is not after `now`.

    With catch_up `none` only a time within the last minute counts, with `last` only the newest, with `all` each of them
    (the newest 100 where there are more).
    """
    # Read backwards from now, so that a clock that jumped by years costs no more than one that did not.
    backwards = CronSim(schedule.cron, (now + timedelta(seconds=1)).astimezone(ZoneInfo(schedule.timezone)), reverse=True)
    wanted = CATCH_UP_MAXIMUM if schedule.catch_up == "all" else 1
    newest = (each.astimezone(UTC) for each in backwards)
    times = sorted(takewhile(lambda each: each > first, islice(newest, wanted))) or [first]
    if first not in times and len(times) < wanted:
        times.insert(0, first)
    return [each for each in times if now - each <= timedelta(minutes=1)] if schedule.catch_up == "none" else times
