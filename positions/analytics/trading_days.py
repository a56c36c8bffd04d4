"""Returns of trading days with capital, as statistics of risk want them: no weekends that stand still.

What a portfolio gains between trading days (a coin has no weekend, a fee may fall on a Sunday) is compounded into the
next trading day with capital; after the last of them it is in no return yet.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable
from typing import NamedTuple

from portfolio.money import ONE, exact
from positions.analytics.returns import DayReturn
from positions.analytics.unavailable import Unavailable


class TradingReturn(NamedTuple):
    """The return of a trading day and of the days between it and `since`, the end of an earlier day."""

    since: datetime.date
    date: datetime.date
    rate: float


def trading_returns(
    day_returns: Iterable[DayReturn], *, start: datetime.date, is_trading_day: Callable[[datetime.date], bool]
) -> list[TradingReturn] | Unavailable:
    """The returns of the trading days after `start` on which there was capital, from those of all days in order.

    Unavailable as the first day's return that is: a gap would look like a quiet day.
    """
    found: list[TradingReturn] = []
    growth, since = ONE, start
    with exact():
        for day in day_returns:
            if isinstance(day.rate, Unavailable):
                return day.rate
            growth *= ONE + day.rate
            if not is_trading_day(day.date):
                continue
            if day.capital:
                found.append(TradingReturn(since, day.date, float(growth - ONE)))
            if day.capital or growth == ONE:
                growth, since = ONE, day.date
    return found


def is_weekday(day: datetime.date) -> bool:
    """Monday to Friday: the rule where no exchange's calendar is at hand."""
    return day.weekday() < 5
