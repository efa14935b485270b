"""What work costs: spans of time at the price of their time."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

BILLION = Decimal(10**9)


def cost(price_per_hour: str, started_at: datetime, finished_at: datetime) -> Decimal:
    """Money of one span. Nothing where the clock went back between its ends."""
    seconds = max(0.0, (finished_at - started_at).total_seconds())
    return Decimal(price_per_hour) * Decimal(str(seconds)) / 3600


def billionths(amount: Decimal) -> int:
    """An amount as a whole number that every database adds up without loss."""
    return int((amount * BILLION).to_integral_value())


def money(count: int) -> Decimal:
    """The amount that `billionths` made a number of."""
    return Decimal(count) / BILLION
