"""Several portfolios as one: their days added up, in one currency.

What is in another currency is converted at the rate of each day, values and flows alike, so that the return of the
group has the exchange in it.

A linked transfer from one of the portfolios to another crosses no border of the group: on the day on which it leaves it
is no outflow, and on that on which it comes no inflow. Where it comes on a later day it is on its way until then, and
stays in the value of who gave it, in that one's base currency at what it was worth when it left: what it gains or loses
meanwhile is in the return of the day on which it comes. So is what the two portfolios make of it, each by its own price
and rate, on one and the same day.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from portfolio.dates import ONE_DAY
from portfolio.money import UNKNOWN, ZERO, exact, rounded
from positions.analytics.days import Day, days_of
from positions.engine.rates import RateTable

_AMOUNTS = ("value", "securities", "cash", "inflow", "outflow", "income", "fees", "taxes", "fees_in_cost")
_STALE_RATE = frozenset({"STALE_FX_RATE"})


class Leg(NamedTuple):
    """One side of a transfer: on which day of which portfolio, and how much of that day's flow it is; unsigned, in the
    portfolio's base currency.
    """

    portfolio_id: str
    date: datetime.date
    flow: Decimal


@dataclass(frozen=True, slots=True)
class Transfer:
    """What went from one portfolio of a group to another, on that day or a later one: units, or money."""

    left: Leg
    came: Leg
    in_kind: bool


def within_group(days: Sequence[Day], portfolio_id: str, transfers: Iterable[Transfer]) -> list[Day]:
    """The days of a portfolio, in its own currency, as those of one of a group: without the flows of these transfers,
    and with what is on its way from it.
    """
    by_date = {day.date: day for day in days}
    with exact():
        for transfer in transfers:
            left, came = transfer.left, transfer.came
            if came.portfolio_id == portfolio_id and (day := by_date.get(came.date)):
                by_date[day.date] = day._replace(inflow=day.inflow - came.flow)
            if left.portfolio_id == portfolio_id and (day := by_date.get(left.date)):
                by_date[day.date] = day._replace(outflow=day.outflow - left.flow)
            if left.portfolio_id == portfolio_id and left.date < came.date:
                for day in days_of(days, start=left.date, end=came.date - ONE_DAY):
                    by_date[day.date] = _with_on_its_way(by_date[day.date], transfer)
    return list(by_date.values())


def _with_on_its_way(day: Day, transfer: Transfer) -> Day:
    worth = transfer.left.flow
    if transfer.in_kind:
        return day._replace(value=day.value + worth, securities=day.securities + worth)
    return day._replace(value=day.value + worth, cash=day.cash + worth)


def converted(days: Sequence[Day], from_currency: str, to_currency: str, rates: RateTable) -> list[Day]:
    """The days in another currency."""
    if from_currency == to_currency:
        return list(days)
    with exact():
        return [_converted(day, from_currency, to_currency, rates) for day in days]


def _converted(day: Day, from_currency: str, to_currency: str, rates: RateTable) -> Day:
    amounts = {name: amount for name in _AMOUNTS if (amount := getattr(day, name))}
    if not amounts:
        return day
    rate = rates.market(from_currency, to_currency, day.date)
    changed: dict[str, Any]
    if rate is None:
        changed = {**dict.fromkeys(amounts, UNKNOWN), "missing": day.missing or "MISSING_FX_RATE"}
    else:
        changed = {name: rounded(amount * rate.value) for name, amount in amounts.items()}
        changed["flags"] = day.flags | _STALE_RATE if rate.stale_on(day.date) else day.flags
    return day._replace(**changed)


def added_up(of_portfolios: Sequence[Sequence[Day]]) -> list[Day]:
    """The days of the group; all portfolios have the same days, and one currency."""
    with exact():
        return [_sum(days) for days in zip(*of_portfolios, strict=True)]


def _sum(days: Sequence[Day]) -> Day:
    return Day(
        date=days[0].date,
        **{name: sum((getattr(day, name) for day in days), ZERO) for name in _AMOUNTS},
        flags=frozenset().union(*(day.flags for day in days)),
        missing=next((day.missing for day in days if day.missing), ""),
    )
