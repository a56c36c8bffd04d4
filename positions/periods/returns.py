"""The performance of a portfolio as it was asked for, or of a part of it: its days read, its returns worked out."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from portfolio.dates import ONE_DAY
from positions.analytics.benchmark import days_of_benchmark
from positions.analytics.days import Day
from positions.analytics.days import days_of as days_within
from positions.analytics.performance import SeriesOf, days_needed, marks, performance
from positions.analytics.periods import Period
from positions.analytics.returns import FlowTiming
from positions.analytics.unavailable import DETAILS
from positions.periods.answers import performance_answer
from positions.periods.benchmark_prices import benchmark_of
from positions.periods.days import days_of, first_transaction_of, stored_days, with_nothing_before
from positions.periods.frames import framed
from positions.periods.parts import part_of
from positions.periods.questions import asked_period, asked_series
from positions.periods.sources import Sources
from positions.queries import Pending
from positions.valuing.day_rows import Remark, remark_answer, remarks_of
from positions.valuing.valued_days import ValuedDays
from positions.variants.asked import Reading


@dataclass(frozen=True, slots=True)
class _Days:
    """What the returns are made from: every day of a daily series, of the time before it those that tell something."""

    days: Sequence[Day]
    remarks: Sequence[Remark]
    pending: Pending | None


@dataclass(frozen=True, slots=True)
class _Measure:
    """How the returns are measured."""

    flow_timing: FlowTiming
    gross: bool
    series_of: SeriesOf


def performance_of(found: Reading, asked: dict[str, Any]) -> dict[str, Any]:
    """`performance` of the contract. Raises Unknown, and rest_framework's ValidationError."""
    part = part_of(found, asked)
    stored = None if part or found.variant else stored_days(found)
    if stored:
        first_transaction = stored.first + ONE_DAY if stored.first else None
    else:
        first_transaction = part.first_transaction() if part else first_transaction_of(found)
    of = asked_period(asked, first_transaction)
    how = _Measure(FlowTiming(asked["flow_timing"]), asked["gross"], asked_series(asked, of.period))
    first = days_needed(of.period.start, of.period.end, first_transaction)
    if stored:
        read = _stored(stored, first, of.period, first_transaction, how)
    else:
        every_day = part.days(first, of.period.end) if part else days_of(found, first, of.period.end)
        within = days_within(every_day, start=of.period.start, end=of.period.end)
        read = _Days(every_day, remarks_of(within), found.pending)
    returns = performance(
        read.days,
        of.period,
        first_transaction=first_transaction,
        flow_timing=how.flow_timing,
        gross=how.gross,
        series_of=how.series_of,
    )
    within = days_within(read.days, start=of.period.start, end=of.period.end)
    benchmark_id = asked.get("benchmark") or _own_benchmark(found)
    benchmark = benchmark_of(found, benchmark_id, days_of_benchmark(within, returns)) if benchmark_id else None
    figures = performance_answer(
        returns,
        flags={one.code for one in read.remarks} - DETAILS.keys(),
        benchmark=benchmark,
        days=within,
    )
    return framed(
        found,
        {"of": part.asked_as if part else None, "period": of.name, **figures},
        Sources([remark_answer(one) for one in read.remarks]),
        pending=read.pending,
        securities=part.security_ids if part else None,
    )


def _stored(
    stored: ValuedDays,
    first: datetime.date,
    period: Period,
    first_transaction: datetime.date | None,
    how: _Measure,
) -> _Days:
    """The days from the rows: before a daily series, and without one, only those that tell something."""
    dense = how.series_of is SeriesOf.DAILY
    dense_from = period.start if dense else period.end
    days: list[Day] = []
    if first < dense_from:
        needed = marks(period, first_transaction, how.series_of)
        telling = stored.telling(first, dense_from, marks=needed, gross=how.gross)
        days += with_nothing_before(telling, first, dense_from)
        days = days[:-1] if dense else days
    if dense or not days:
        days += with_nothing_before(stored.of_returns(dense_from, period.end, gross=how.gross), dense_from, period.end)
    return _Days(days, stored.remarks(period.start, period.end), stored.pending)


def _own_benchmark(found: Reading) -> str | None:
    settings = found.standing.settings
    return settings.benchmark_security_id if settings else None
