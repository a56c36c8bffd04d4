"""The money-weighted return: XIRR, the rate at which the flows of a period (start, end] are worth nothing.

`sum of CF / (1+r)^(days/365) = 0`: the opening value goes in at the start, the closing value comes out at the end, and
flows stand between, those of one day netted. In terms of y, the logarithm of growth from the first flow to the last,
this is a sum of exponentials, all of whose roots are found (`roots`).

Of a period from 365 days on, annual rates in (-1, 10^6) count; of a shorter one the returns of the *period* in that
range: 5 % in a day is an ordinary return, though its annual rate has eight digits. Among several the one nearest to 0
is given, and flagged.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from portfolio.money import ZERO, exact
from positions.analytics.days import Day
from positions.analytics.returns import DAYS_OF_YEAR
from positions.analytics.roots import Term, real_roots
from positions.analytics.unavailable import Unavailable, unavailable

HIGHEST_RATE = 1e6
HIGHEST_ANNUAL_FIGURE = 1e12
TOTAL_LOSS = -1 + 1e-12
MULTIPLE_ROOTS = "MULTIPLE_ROOTS"

Figure = float | Unavailable


class CashFlow(NamedTuple):
    """Money on a day, seen by the investor: what is put in is negative, what comes back positive."""

    date: datetime.date
    amount: Decimal


@dataclass(frozen=True, slots=True)
class MoneyWeightedReturn:
    """The return of the period (start, end]: a year's from 365 days on, else the period's; and always a year's."""

    start: datetime.date
    end: datetime.date
    money_weighted_return: Figure
    money_weighted_return_annualized: Figure
    flags: frozenset[str] = frozenset()


def money_weighted_return(days: Sequence[Day]) -> MoneyWeightedReturn:
    """The money-weighted return of a period; `days` holds its start and every later day on which something flowed."""
    first, last = days[0], days[-1]
    unknown = first.why_unknown(first.value) or last.why_unknown(last.value)
    flows = [CashFlow(first.date, -first.value)]
    with exact():
        for day in days[1:]:
            net = day.outflow - day.inflow
            unknown = unknown or day.why_unknown(net)
            flows.append(CashFlow(day.date, net))
    flows.append(CashFlow(last.date, last.value))
    if unknown:
        return MoneyWeightedReturn(first.date, last.date, unknown, unknown)
    return internal_rate_of_return(flows, start=first.date, end=last.date)


def internal_rate_of_return(
    flows: Iterable[CashFlow], *, start: datetime.date, end: datetime.date
) -> MoneyWeightedReturn:
    """XIRR of flows within the period from start to end, whose length decides what is looked for and given.

    Unavailable: NO_CAPITAL where nothing flows at all, NO_ROOT, and PERIOD_TOO_SHORT where only the annual figure is
    beyond 10^12.
    """
    flowed = _netted(flows)
    if not flowed:
        return _none(start, end, "NO_CAPITAL")
    first, last = min(flowed), max(flowed)
    span = (last - first).days
    if not span:
        return _none(start, end, "NO_ROOT")
    length = (end - start).days
    # What is looked for is growth over a year or over the period; y is growth over the span of the flows.
    unit = min(length, DAYS_OF_YEAR)
    terms = [Term((day - first).days / span, float(amount)) for day, amount in flowed.items()]
    roots = real_roots(terms, highest=math.log1p(HIGHEST_RATE) * span / unit)
    found = _short_of_total_loss([root * unit / span for root in roots])
    if not found:
        return _none(start, end, "NO_ROOT")
    growth = min(found, key=lambda y: abs(math.expm1(y)))
    return MoneyWeightedReturn(
        start,
        end,
        math.expm1(growth),
        _annual(growth * DAYS_OF_YEAR / unit),
        frozenset({MULTIPLE_ROOTS} if len(found) > 1 else ()),
    )


def _short_of_total_loss(growths: Sequence[float]) -> list[float]:
    """The roots in the range asked for. One within a rounding of -1 is that of a remainder, and only counts alone."""
    within = [growth for growth in growths if math.expm1(growth) > -1]
    return [growth for growth in within if math.expm1(growth) > TOTAL_LOSS] or within


def _netted(flows: Iterable[CashFlow]) -> dict[datetime.date, Decimal]:
    net: dict[datetime.date, Decimal] = {}
    with exact():
        for flow in flows:
            net[flow.date] = net.get(flow.date, ZERO) + flow.amount
    return {day: net[day] for day in sorted(net) if net[day]}


def _annual(growth: float) -> Figure:
    if growth > math.log1p(HIGHEST_ANNUAL_FIGURE):
        return unavailable("PERIOD_TOO_SHORT")
    return math.expm1(growth)


def _none(start: datetime.date, end: datetime.date, code: str) -> MoneyWeightedReturn:
    return MoneyWeightedReturn(start, end, unavailable(code), unavailable(code))
