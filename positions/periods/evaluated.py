"""The period of a what-if: whether it can be answered, and the statement and performance of what was booked for it."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

from portfolio.dates import DAYS_MAX
from portfolio.validation import FieldProblem, Refused
from positions.analytics.benchmark import Benchmark, days_of_benchmark
from positions.analytics.days import days_of
from positions.analytics.history import History
from positions.analytics.performance import days_needed, performance
from positions.analytics.periods import Period
from positions.analytics.series import daily_values
from positions.analytics.statement import statement
from positions.periods.answers import flags_of, performance_answer, statement_answer

EARLIEST, LATEST = datetime.date(1800, 1, 1), datetime.date(2200, 12, 31)
"""Between these a period lies: beyond them there is no room for the standard periods that are answered beside it."""


def checked_period(start: datetime.date | None, end: datetime.date | None, as_of: datetime.date) -> Period | None:
    """The period asked about, which ends with `as_of` where it does not say; None where none is. Raises Refused."""
    if start is None:
        if end is None:
            return None
        raise Refused([FieldProblem("start", "required", "a period with an end needs its start")])
    end = end or as_of
    if end < start:
        raise Refused([FieldProblem("end", "contradiction", "the period ends before it starts")])
    for name, day in (("start", start), ("end", end)):
        if not EARLIEST <= day <= LATEST:
            raise Refused([FieldProblem(name, "out_of_range", f"{day} does not lie between {EARLIEST} and {LATEST}")])
    if (end - start).days > DAYS_MAX:
        raise Refused([FieldProblem("start", "out_of_range", f"is more than {DAYS_MAX} days before {end}")])
    return Period(start, end)


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
