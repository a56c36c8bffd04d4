"""Drawdown: how far below its highest point so far the growth of a unit of capital lies."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Drawdown:
    """A fall from a peak as a fraction of it, 0 where there never was one, and then without dates.

    `recovery_date` is the first day on which the peak was reached again, if it was.
    """

    depth: float
    peak_date: datetime.date | None = None
    trough_date: datetime.date | None = None
    recovery_date: datetime.date | None = None


@dataclass(frozen=True, slots=True)
class Drawdowns:
    """The deepest drawdown (the first of equal ones), and how far below the peak the end is."""

    maximum: Drawdown
    current: float


def drawdowns(returns: Iterable[tuple[datetime.date, float]], *, start: datetime.date) -> Drawdowns:
    """The drawdowns of returns in order of date; the level at the start is the first peak."""
    growth, peak, peak_date = 1.0, 1.0, start
    maximum, current = Drawdown(0.0), 0.0
    for date, rate in returns:
        growth *= 1 + rate
        if growth >= peak:
            if maximum.peak_date == peak_date and not maximum.recovery_date:
                maximum = Drawdown(maximum.depth, peak_date, maximum.trough_date, date)
            peak, peak_date = growth, date
        current = 1 - growth / peak
        if current > maximum.depth:
            maximum = Drawdown(current, peak_date, date)
    return Drawdowns(maximum, current)
