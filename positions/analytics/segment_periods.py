"""A portfolio's periods beside those of its benchmark, segment by segment: what attribution is made from.

A benchmark tells, for days of its own choice, the weight with which each segment entered and what it returned. A row
is taken for all the time since the row before it: with a row for every trading day that is the day (and the weekend, on
which a portfolio may move and an index does not), with one for every month it is the month. Of the portfolio, the
weight of a segment in such a period is its part of the capital that the period began with, money that came in on that
day included; its contribution is that of every day, linked by Cariño within the period.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from portfolio.money import UNKNOWN, ZERO, exact
from positions.analytics.attribution import Attribution, AttributionPeriod, Segment, attribution
from positions.analytics.gains import Parts
from positions.analytics.unavailable import Unavailable, unavailable
from positions.engine.trading_days import trading_days_between
from positions.engine.valuation import STALE_AFTER_TRADING_DAYS


@dataclass(frozen=True, slots=True)
class BenchmarkSegment:
    """A segment of a benchmark: its weight at the beginning of a period and its return in it, where that is told."""

    weight: Decimal
    rate: Decimal | None


BenchmarkRows = Mapping[datetime.date, Mapping[str, BenchmarkSegment]]
"""What a benchmark told, by day in order and by segment; the last day before the period may be among them."""


def attribution_of(parts: Parts, rows: BenchmarkRows) -> Attribution:
    """The portfolio against its benchmark. Periods in which the portfolio had no capital are left out on both sides.

    NO_BENCHMARK where the rows do not fit the period: its start or its end lies more than 5 trading days from a row
    (after the last row the benchmark stands still). Where none is told up to the start, the first row is taken to begin
    with the period, unless that makes it longer or shorter by so many than the time of any other row, and longer than a
    day. NO_CAPITAL where there never was any.
    """
    start, end = parts.days[0].date, parts.days[-1].date
    within = [date for date in rows if start < date <= end]
    why = _why_not(rows, within, start, end)
    if why:
        return Attribution(why, why, why)
    periods: list[AttributionPeriod] = []
    first = 1
    stands_still = [end] if within[-1] < end else []
    for date in [*within, *stands_still]:
        last = (date - start).days
        of_benchmark = rows.get(date) or {
            name: BenchmarkSegment(segment.weight, ZERO) for name, segment in rows[within[-1]].items()
        }
        period = _period(parts, first, last, of_benchmark)
        if isinstance(period, Unavailable):
            return Attribution(period, period, period)
        if period:
            periods.append(period)
        first = last + 1
    if not periods:
        why = unavailable("NO_CAPITAL")
        return Attribution(why, why, why)
    return attribution(periods)


def _why_not(
    rows: BenchmarkRows, within: Sequence[datetime.date], start: datetime.date, end: datetime.date
) -> Unavailable | None:
    if not within:
        return unavailable("NO_BENCHMARK")
    if trading_days_between(within[-1], end) > STALE_AFTER_TRADING_DAYS:
        return unavailable("NO_BENCHMARK", f"the benchmark is told up to {within[-1]}, and the period ends on {end}")
    before = [date for date in rows if date <= start]
    if before and trading_days_between(before[-1], start) > STALE_AFTER_TRADING_DAYS:
        detail = f"what the benchmark tells of {within[0]} began on {before[-1]}, and the period starts on {start}"
        return unavailable("NO_BENCHMARK", detail)
    if not before and not _begins_with(start, within):
        detail = f"nothing is told of the benchmark before {within[0]}, and the period starts on {start}"
        return unavailable("NO_BENCHMARK", detail)
    return None


def _begins_with(start: datetime.date, rows: Sequence[datetime.date]) -> bool:
    """Whether the first row can be of the time since the start, as long as the others are of the time between them."""
    others = [trading_days_between(date, following) for date, following in pairwise(rows)]
    own = trading_days_between(start, rows[0])
    return (
        own <= 1
        or not others
        or (min(others) - STALE_AFTER_TRADING_DAYS <= own <= max(others) + STALE_AFTER_TRADING_DAYS)
    )


def _period(
    parts: Parts, first: int, last: int, of_benchmark: Mapping[str, BenchmarkSegment]
) -> AttributionPeriod | Unavailable | None:
    """The days of these numbers; None where they had no capital."""
    begins = next((number for number in range(first, last + 1) if parts.capital(number)), None)
    if begins is None:
        return None
    linked = parts.contribution(first, last)
    if isinstance(linked.time_weighted_return, Unavailable):
        return linked.time_weighted_return
    contributions = {
        one.holding: UNKNOWN if isinstance(one.contribution, Unavailable) else one.contribution
        for one in linked.holdings
    }
    with exact():
        capital = parts.capital(begins)
        weights = {
            name: (part.values[begins - 1] + part.inflows[begins]) / capital for name, part in parts.by_name.items()
        }
    names = sorted({*of_benchmark, *contributions, *(name for name, weight in weights.items() if weight)})
    nothing = BenchmarkSegment(ZERO, None)
    return AttributionPeriod(
        date=parts.days[last].date,
        segments=[
            Segment(
                name,
                weights.get(name, ZERO),
                contributions.get(name, ZERO),
                of_benchmark.get(name, nothing).weight,
                of_benchmark.get(name, nothing).rate,
            )
            for name in names
        ],
    )
