"""Statements and performance as an answer gives them: the words of the contract, decimals as strings, reasons."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from portfolio.money import plain
from positions.analytics.benchmark import (
    Benchmark,
    UnitPrice,
    benchmark_money_weighted_return,
    benchmark_return,
)
from positions.analytics.days import Day
from positions.analytics.performance import Performance, PeriodReturns
from positions.analytics.statement import Statement, StatementRow
from positions.analytics.unavailable import Unavailable, unavailable
from positions.engine.holdings import Kind
from positions.figures import Figure, figure, rate_figure
from positions.periods.sources import remarks_listed, statement_remarks, valued_at

# --- statement ----------------------------------------------------------------------------------------------------


def statement_answer(statement: Statement) -> dict[str, Any]:
    """`statement` of the contract, and which prices and rates the holdings were valued at."""
    missing = statement.missing
    terms = ("opening", "inflows", "outflows", "price_gain", "fx_gain", "realized_gain", "unrealized_gain_change")
    booked = ("income", "fees", "taxes")
    return {
        "start": statement.start,
        "end": statement.end,
        **{
            # What was booked at amounts needs no price.
            name: figure(getattr(statement, name), "MISSING_FX_RATE" if name in booked else missing)
            for name in (*terms, *booked, "closing", "residual")
        },
        "holdings": [_row_answer(row) for row in statement.holdings],
        **remarks_listed(list(statement_remarks(statement))),
    }


def _row_answer(row: StatementRow) -> dict[str, Any]:
    name = "security_id" if row.key.kind is Kind.SECURITY else "currency"
    terms = (
        "opening",
        "money_in",
        "money_out",
        "price_gain",
        "fx_gain",
        "closing",
        "income",
        "fees",
        "taxes",
        "residual",
    )
    missing = row.missing or "MISSING_FX_RATE"
    return {
        name: row.key.security_id,
        **{term: figure(getattr(row, term), missing) for term in terms},
        "opened_at": valued_at(row.opened_at),
        "closed_at": valued_at(row.closed_at),
        "flags": sorted(row.flags),
    }


# --- performance --------------------------------------------------------------------------------------------------


def performance_answer(
    performance: Performance,
    *,
    flags: Iterable[str],
    benchmark: Benchmark | None = None,
    days: Sequence[Day] = (),
) -> dict[str, Any]:
    """`performance` of the contract; all rates of return are fractions. `flags` are those of the period's days; `days`
    are its start and every later day with a flow, for the benchmark.
    """
    returns = performance.returns
    period = returns.period
    return {
        "start": period.start,
        "end": period.end,
        "flow_timing": returns.time_weighted.flow_timing.value,
        "gross": returns.time_weighted.gross,
        **_returns_answer(returns, benchmark),
        "benchmark_money_weighted_return": measured(
            benchmark_money_weighted_return(benchmark, days, period).money_weighted_return
            if benchmark
            else _NO_BENCHMARK
        ),
        "benchmark": _benchmark_answer(benchmark, period.start, period.end) if benchmark else None,
        "periods": {
            name: {"start": of.period.start, "end": of.period.end, **_returns_answer(of, benchmark)}
            for name, of in performance.periods.items()
        },
        "series_of": performance.series_of.value,
        "series": [
            {
                "date": day.date,
                "value": measured(day.value),
                "return": measured(day.rate),
                "cumulative": measured(day.cumulative),
            }
            for day in performance.series
        ],
        "flags": sorted({*flags, *returns.flags}),
    }


def flags_of(days: Iterable[Day]) -> frozenset[str]:
    """Everything that is flagged on one of the days."""
    return frozenset().union(*(day.flags for day in days))


_NO_BENCHMARK = unavailable("NO_BENCHMARK")


def _returns_answer(returns: PeriodReturns, benchmark: Benchmark | None) -> dict[str, Any]:
    return {
        "time_weighted_return": measured(returns.time_weighted.time_weighted_return),
        "time_weighted_return_annualized": measured(returns.time_weighted.time_weighted_return_annualized),
        "money_weighted_return": measured(returns.money_weighted.money_weighted_return),
        "money_weighted_return_annualized": measured(returns.money_weighted.money_weighted_return_annualized),
        "modified_dietz": measured(returns.modified_dietz),
        "benchmark_return": measured(benchmark_return(benchmark, returns.period) if benchmark else _NO_BENCHMARK),
    }


def _benchmark_answer(benchmark: Benchmark, start: datetime.date, end: datetime.date) -> dict[str, Any]:
    """Which prices and rates the benchmark was compared at."""
    answer: dict[str, Any] = {"security_id": benchmark.security_id}
    for name, day in (("start", start), ("end", end)):
        found = benchmark.on(day)
        answer[name] = _unit_price_answer(found) if isinstance(found, UnitPrice) else measured(found)
    return answer


def _unit_price_answer(found: UnitPrice) -> Mapping[str, Any]:
    return {
        "price": plain(found.price.price),
        "currency": found.price.currency,
        "price_date": found.price.price_date,
        "fx_rate": rate_figure(found.fx_rate),
        "flags": sorted(found.flags),
    }


def measured(value: Decimal | float | Unavailable) -> Figure:
    """A figure of the analytics: a plain decimal string, or the reason why there is none."""
    if isinstance(value, Unavailable):
        return {"unavailable": value.code, "detail": value.detail}
    return plain(value if isinstance(value, Decimal) else Decimal(repr(float(value))))
