"""What the holdings of a portfolio added to its return, and where it did better than a benchmark: from rows."""

from __future__ import annotations

import datetime
from typing import Any

from portfolio.money import ZERO, exact
from portfolio.queries import benchmark_weights
from positions.analytics.attribution import Attribution, Effects
from positions.analytics.gains import Parts, parts_of
from positions.analytics.periods import Period
from positions.analytics.returns import FlowTiming
from positions.analytics.segment_periods import BenchmarkSegment, attribution_of
from positions.periods.answers import measured
from positions.periods.days import days_of_returns, history_of
from positions.periods.frames import PeriodReading
from positions.periods.segments import named, segment_names
from positions.periods.sources import Sources, ends_of_history
from positions.variants.asked import Reading

_CONVENTIONS = {"flow_timing": FlowTiming.START_IN_END_OUT.value, "linking": "carino"}


def contribution_answer(of: PeriodReading, *, by: str) -> dict[str, Any]:
    """The time-weighted return of the period and what each holding or segment added to it."""
    parts, sources = _parts(of, by, valued=False)
    of_period = parts.contribution()
    figures = {
        "by": by,
        **_CONVENTIONS,
        "time_weighted_return": measured(of_period.time_weighted_return),
        "contributions": [
            {**named(by, one.holding), "gain": measured(one.gain), "contribution": measured(one.contribution)}
            for one in of_period.holdings
        ],
    }
    return of.framed(figures, sources, of_days=True)


def attribution_answer(of: PeriodReading, *, benchmark_id: str | None, by: str) -> dict[str, Any]:
    """The active return of the period against a benchmark, in effects of each segment; NO_BENCHMARK without one."""
    rows = _benchmark_rows(of.found, of.period, benchmark_id, by) if benchmark_id else {}
    parts, sources = _parts(of, by, valued=True)
    of_period = attribution_of(parts, rows)
    figures = {
        "benchmark_id": benchmark_id,
        "by": by,
        **_CONVENTIONS,
        "benchmark_dates": len(rows),
        "last_benchmark_date": max(rows, default=None),
        "portfolio_return": measured(of_period.portfolio_return),
        "benchmark_return": measured(of_period.benchmark_return),
        "active_return": measured(of_period.active_return),
        "effects": _effects(_sum(of_period)) if of_period.segments else _no_effects(of_period),
        "segments": [{"segment": one.name, **_effects(one)} for one in of_period.segments],
    }
    return of.framed(figures, sources, of_days=True)


def _benchmark_rows(
    found: Reading, period: Period, benchmark_id: str, by: str
) -> dict[datetime.date, dict[str, BenchmarkSegment]]:
    weights = benchmark_weights(
        benchmark_id=benchmark_id,
        segment_by=by,
        start=period.start,
        end=period.end,
        known_at=found.known_at if found.variant else None,
    )
    rows: dict[datetime.date, dict[str, BenchmarkSegment]] = {}
    for row in weights:
        rows.setdefault(row.weight_date, {})[row.segment] = BenchmarkSegment(row.weight, row.segment_return)
    return rows


def _parts(of: PeriodReading, by: str, *, valued: bool) -> tuple[Parts, Sources]:
    """The parts of the period, and what they rest on: the days, and the prices at both ends."""
    start, end = of.period.start, of.period.end
    history = history_of(of.found, start, end)
    currencies = {key: timeline.states[-1].currency for key, timeline in history.timelines.items()}
    days = days_of_returns(of.found, start, end)
    parts = parts_of(history, days, name_of=segment_names(by=by, currencies=currencies), valued=valued)
    return parts, Sources(of.day_remarks(days), ends_of_history(history, start, end))


def _effects(one: Effects) -> dict[str, Any]:
    return {name: measured(getattr(one, name)) for name in ("allocation", "selection", "interaction", "total")}


def _no_effects(of_period: Attribution) -> dict[str, Any]:
    return dict.fromkeys(("allocation", "selection", "interaction", "total"), measured(of_period.active_return))


def _sum(of_period: Attribution) -> Effects:
    with exact():
        return Effects(
            "",
            sum((one.allocation for one in of_period.segments), ZERO),
            sum((one.selection for one in of_period.segments), ZERO),
            sum((one.interaction for one in of_period.segments), ZERO),
        )
