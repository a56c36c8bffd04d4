"""The risk of a portfolio in a period, from its daily values: statistics of returns on trading days, Monday to Friday.

A portfolio has no exchange: what it holds trades on several. So every weekday is a trading day, holidays too (a return
of nearly nothing), whatever an instrument's own exchange says of its prices' age.
"""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

from positions.analytics.drawdown import Drawdowns
from positions.analytics.returns import FlowTiming, daily_returns
from positions.analytics.risk import AgainstBenchmark, Level, LossesAtRisk, risk
from positions.analytics.trading_days import is_weekday
from positions.analytics.unavailable import Unavailable
from positions.figures import Figure
from positions.periods.answers import measured
from positions.periods.benchmark_prices import benchmark_of
from positions.periods.days import days_of_returns
from positions.periods.frames import PeriodReading
from positions.periods.sources import Sources
from positions.variants.asked import Reading

TRADING_DAYS = "monday_to_friday"
_STATISTICS = ("volatility", "downside_risk", "sharpe_ratio", "sortino_ratio", "calmar_ratio")


def risk_answer(
    of: PeriodReading,
    *,
    risk_free_rate: Decimal,
    minimum_acceptable_return: Decimal,
    benchmark_id: str | None,
) -> dict[str, Any]:
    """`risk`: annual figures where they have a time; a loss is positive. The rates are annual fractions above -1."""
    found = of.found
    days = days_of_returns(found, of.period.start, of.period.end)
    of_period = risk(
        daily_returns(days),
        start=of.period.start,
        is_trading_day=is_weekday,
        risk_free_rate=float(risk_free_rate),
        minimum_acceptable_return=float(minimum_acceptable_return),
        benchmark=_level(found, benchmark_id, [day.date for day in days]) if benchmark_id else None,
    )
    figures = {
        "flow_timing": FlowTiming.START_IN_END_OUT.value,
        "trading_days": TRADING_DAYS,
        "risk_free_rate": measured(risk_free_rate),
        "minimum_acceptable_return": measured(minimum_acceptable_return),
        "returns_count": of_period.returns_count,
        **{name: measured(getattr(of_period, name)) for name in _STATISTICS},
        **_drawdown_answer(of_period.drawdowns),
        "benchmark": _benchmark_answer(benchmark_id, of_period.against_benchmark),
        "losses_at_risk": [_losses_answer(losses) for losses in of_period.losses_at_risk],
    }
    return of.framed(figures, Sources(of.day_remarks(days)), of_days=True)


def _level(found: Reading, benchmark_id: str, dates: list[datetime.date]) -> Level:
    """What a unit of the benchmark is worth in the portfolio's base currency."""
    return benchmark_of(found, benchmark_id, dates).worth_on


def _drawdown_answer(drawdowns: Drawdowns | Unavailable) -> dict[str, Any]:
    if isinstance(drawdowns, Unavailable):
        why = measured(drawdowns)
        return {
            "maximum_drawdown": why,
            "peak_date": None,
            "trough_date": None,
            "recovery_date": None,
            "current_drawdown": why,
        }
    deepest = drawdowns.maximum
    return {
        "maximum_drawdown": measured(deepest.depth),
        "peak_date": deepest.peak_date,
        "trough_date": deepest.trough_date,
        "recovery_date": deepest.recovery_date,
        "current_drawdown": measured(drawdowns.current),
    }


def _benchmark_answer(benchmark_id: str | None, against: AgainstBenchmark) -> dict[str, Any]:
    figures: dict[str, Figure] = {
        name: measured(getattr(against, name)) for name in ("beta", "tracking_error", "information_ratio")
    }
    return {"security_id": benchmark_id, **figures}


def _losses_answer(losses: LossesAtRisk) -> dict[str, Any]:
    names = ("value_at_risk", "expected_shortfall", "gaussian_value_at_risk", "gaussian_expected_shortfall")
    return {"level": losses.level, **{name: measured(getattr(losses, name)) for name in names}}
