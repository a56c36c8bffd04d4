"""The report of a portfolio: what its positions, statement, performance and risk are answered with, in one snapshot."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

from portfolio.queries import AnyUser
from portfolio.reports import Report
from positions.analytics.performance import SeriesOf
from positions.periods.frames import PeriodReading, reading_period
from positions.periods.holdings import positions_answer, statement_of
from positions.periods.questions import PerformanceQuery
from positions.periods.returns import performance_of
from positions.periods.risks import risk_answer
from positions.queries import one_snapshot
from positions.variants.asked import reading_of


def report_of(user: AnyUser, portfolio_id: str, *, as_of: datetime.date | None, asked: dict[str, Any]) -> Report:
    """The positions at the end of `as_of` (else of the period), and the period that `asked` describes in the words of
    the API. Raises what a question over REST does.
    """
    end = {"end": as_of} if as_of else {}
    query = PerformanceQuery(data={**end, "series": SeriesOf.NONE.value, **asked})
    query.is_valid(raise_exception=True)
    valid = query.validated_data
    of_day = {name: value for name, value in valid.items() if name == "cost_method"} | {"as_of": as_of or valid["end"]}
    with one_snapshot():
        with reading_of(user, portfolio_id, of_day) as found:
            positions = positions_answer(found, closed=False)
        with reading_period(user, portfolio_id, valid) as of:
            return Report(
                positions=positions,
                statement=statement_of(of),
                performance=performance_of(of.found, valid),
                risk=_risk(of),
            )


def _risk(of: PeriodReading) -> dict[str, Any]:
    return risk_answer(
        of,
        risk_free_rate=Decimal(0),
        minimum_acceptable_return=Decimal(0),
        benchmark_id=of.benchmark_id(None),
    )
