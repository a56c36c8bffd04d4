"""A period of a history that was booked for a what-if: its statement and its performance."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

from positions.analytics.benchmark import Benchmark, days_of_benchmark
from positions.analytics.days import days_of
from positions.analytics.history import History
from positions.analytics.performance import days_needed, performance
from positions.analytics.periods import Period
from positions.analytics.series import daily_values
from positions.analytics.statement import statement
from positions.periods.answers import flags_of, performance_answer, statement_answer


def period_answers(history: History, period: Period, benchmark_id: str | None) -> dict[str, Any]:
    """`statement` and `performance` of the period."""
    first = days_needed(period.start, period.end, history.first_date)
    days = daily_values(history, first, period.end)
    returns = performance(days, period, first_transaction=history.first_date)
    asked = days_of(days, start=period.start, end=period.end)
    return {
        "statement": statement_answer(statement(history, period.start, period.end)),
        "performance": performance_answer(
            returns,
            flags=flags_of(asked),
            benchmark=_benchmark(history, benchmark_id, days_of_benchmark(asked, returns)) if benchmark_id else None,
            days=asked,
        ),
    }


def _benchmark(history: History, security_id: str, dates: Sequence[datetime.date]) -> Benchmark:
    terms = history.instruments.get(security_id)
    prices = {day: price for day in dates if (price := history.quote(security_id, day))}
    return Benchmark(security_id, history.base_currency, history.rates, prices, terms.exchange if terms else None)
