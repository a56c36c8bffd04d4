"""Several portfolios as one: their days added up, in one currency.

What is in another currency is converted at the rate of each day, values and flows alike, so that the return of the
group has the exchange in it. What goes from one of its portfolios to another on one day is a flow of neither.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, NamedTuple

from portfolio.money import UNKNOWN, ZERO, exact, rounded
from positions.analytics.days import Day
from positions.engine.rates import RateTable

_AMOUNTS = ("value", "securities", "cash", "inflow", "outflow", "income", "fees", "taxes", "fees_in_cost")
_STALE_RATE = frozenset({"STALE_FX_RATE"})


class Within(NamedTuple):
    """What of a day's flows came from, or went to, other portfolios of the group."""

    inflow: Decimal = ZERO
    outflow: Decimal = ZERO


def without(days: Sequence[Day], within: Mapping[datetime.date, Within]) -> list[Day]:
    """The days of a portfolio, in its own currency, without these flows, by date."""
    with exact():
        return [
            replace(day, inflow=day.inflow - flows.inflow, outflow=day.outflow - flows.outflow)
            if (flows := within.get(day.date))
            else day
            for day in days
        ]


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
    return replace(day, **changed)


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
