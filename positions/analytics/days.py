"""A portfolio's day: what it was worth at its end and what crossed its border, in base currency.

A period is (start, end]: a sequence of days whose first is the start. Of that day only the value counts, for what
flowed on it is in the opening value already. Days are in order, each at most once; where some are left out, a return is
that of all the days since the one before.

There are thousands of days in an answer, and so a day is a tuple: one is made in a tenth of the time of a frozen
dataclass.
"""

from __future__ import annotations

import datetime
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from decimal import Decimal
from operator import attrgetter
from typing import NamedTuple

from portfolio.money import DECIMALS_KEPT, ZERO, rounded
from positions.analytics.unavailable import Unavailable, unavailable

_LARGEST_ROUNDED = 60 - DECIMALS_KEPT - 2


class Day(NamedTuple):
    """The end of a day. `value` = `securities` + `cash`; flows, income, fees and taxes are those of the day, unsigned.

    `fees_in_cost` are the trade fees that are part of cost and proceeds, and so not among the `fees`. A figure that
    cannot be computed is UNKNOWN, and `missing` then is the code that says why.
    """

    date: datetime.date
    value: Decimal
    securities: Decimal = ZERO
    cash: Decimal = ZERO
    inflow: Decimal = ZERO
    outflow: Decimal = ZERO
    income: Decimal = ZERO
    fees: Decimal = ZERO
    taxes: Decimal = ZERO
    fees_in_cost: Decimal = ZERO
    flags: frozenset[str] = frozenset()
    missing: str = ""

    def why_unknown(self, *figures: Decimal) -> Unavailable | None:
        """The reason, where one of these figures of the day is unknown."""
        if any(figure.is_nan() for figure in figures):
            return unavailable(self.missing or "MISSING_FX_RATE")
        return None


def days_of(days: Sequence[Day], *, start: datetime.date, end: datetime.date) -> Sequence[Day]:
    """The days of the period (start, end], the start itself first, from a longer series in order of date."""
    date = attrgetter("date")
    return days[bisect_left(days, start, key=date) : bisect_right(days, end, key=date)]


def kept(number: Decimal) -> Decimal:
    """A quotient as it is kept: at 18 decimals, or with all its digits where it is too large for decimals to matter."""
    return number if number.adjusted() > _LARGEST_ROUNDED else rounded(number)
