"""Risk: statistics of daily time-weighted returns on trading days (FINANCE.md 7), in binary floats.

A year has 252 trading days. The risk-free rate and the minimum acceptable return are annual, and per day
`(1 + rate)^(1/252) - 1`. A loss is positive in every figure of losses. Fewer than 20 returns make no statistics.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import NormalDist, covariance, fmean, quantiles, stdev, variance

from portfolio.money import exact
from positions.analytics.drawdown import Drawdowns, drawdowns
from positions.analytics.returns import DayReturn, annualized, linked
from positions.analytics.trading_days import TradingReturn, trading_returns
from positions.analytics.unavailable import Unavailable, unavailable

TRADING_DAYS_OF_YEAR = 252
FEWEST_RETURNS = 20
LEVELS = (95, 99)

_ROUNDING = 1e-15
"""A deviation of returns below this is rounding of returns that are all the same."""

Figure = float | Unavailable
Level = Callable[[datetime.date], Decimal | None]


@dataclass(frozen=True, slots=True)
class LossesAtRisk:
    """A day's loss that is exceeded with a chance of 100 - `level` percent, and the mean of those not below it."""

    level: int
    value_at_risk: Figure
    expected_shortfall: Figure
    gaussian_value_at_risk: Figure
    gaussian_expected_shortfall: Figure


@dataclass(frozen=True, slots=True)
class AgainstBenchmark:
    """How a portfolio moved with its benchmark: beta, tracking error and information ratio, annual."""

    beta: Figure
    tracking_error: Figure
    information_ratio: Figure


@dataclass(frozen=True, slots=True)
class Risk:
    """The statistics of a period, annual where they have a time, and how many returns they are made of."""

    returns_count: int
    volatility: Figure
    downside_risk: Figure
    sharpe_ratio: Figure
    sortino_ratio: Figure
    drawdowns: Drawdowns | Unavailable
    calmar_ratio: Figure
    against_benchmark: AgainstBenchmark
    losses_at_risk: tuple[LossesAtRisk, ...]


def risk(
    day_returns: Sequence[DayReturn],
    *,
    start: datetime.date,
    is_trading_day: Callable[[datetime.date], bool],
    risk_free_rate: float = 0.0,
    minimum_acceptable_return: float = 0.0,
    benchmark: Level | None = None,
) -> Risk:
    """The risk of the period after `start`, from the returns of all its days in order.

    `benchmark` gives the level of an index or a price at the end of a day, and is asked within `portfolio.money.exact`;
    its returns are taken over the same days.
    """
    returns = trading_returns(day_returns, start=start, is_trading_day=is_trading_day)
    if isinstance(returns, Unavailable):
        return _none(0, returns)
    if len(returns) < FEWEST_RETURNS:
        return _none(len(returns), unavailable("TOO_FEW_RETURNS"))
    rates = [one.rate for one in returns]
    # Exact sums of fractions, and so worth taking once.
    deviation = stdev(rates)
    risk_free, acceptable = per_day(risk_free_rate), per_day(minimum_acceptable_return)
    fallen = drawdowns([(one.date, one.rate) for one in returns], start=start)
    annual = annualized(linked(one.rate for one in day_returns), (day_returns[-1].date - start).days)
    return Risk(
        returns_count=len(rates),
        volatility=deviation * math.sqrt(TRADING_DAYS_OF_YEAR),
        downside_risk=downside_risk(rates, acceptable),
        sharpe_ratio=sharpe_ratio(rates, risk_free, deviation=deviation),
        sortino_ratio=sortino_ratio(rates, acceptable),
        drawdowns=fallen,
        calmar_ratio=annual if isinstance(annual, Unavailable) else ratio(float(annual), fallen.maximum.depth),
        against_benchmark=_against(returns, benchmark),
        losses_at_risk=tuple(losses_at_risk(rates, level, deviation=deviation) for level in LEVELS),
    )


def per_day(annual_rate: float) -> float:
    """The daily rate that comes to the annual one in 252 days. Raises ValueError from -100 % down."""
    if annual_rate <= -1:
        raise ValueError("an annual rate lies above -1")
    return math.expm1(math.log1p(annual_rate) / TRADING_DAYS_OF_YEAR)


def volatility(returns: Sequence[float], periods_per_year: int = TRADING_DAYS_OF_YEAR) -> float:
    """The sample deviation times the root of the periods of a year; two returns at least."""
    return stdev(returns) * math.sqrt(periods_per_year)


def downside_risk(
    returns: Sequence[float], acceptable: float = 0.0, periods_per_year: int = TRADING_DAYS_OF_YEAR
) -> float:
    """The root of the mean squared shortfall below the acceptable return, over *all* returns, annual."""
    return math.sqrt(fmean(min(one - acceptable, 0.0) ** 2 for one in returns) * periods_per_year)


def sharpe_ratio(
    returns: Sequence[float],
    risk_free: float = 0.0,
    periods_per_year: int = TRADING_DAYS_OF_YEAR,
    *,
    deviation: float | None = None,
) -> Figure:
    """The mean return above the risk-free one over the deviation (theirs, where it is known already), annual."""
    above = (fmean(returns) - risk_free) * math.sqrt(periods_per_year)
    return ratio(above, stdev(returns) if deviation is None else deviation)


def sortino_ratio(
    returns: Sequence[float], acceptable: float = 0.0, periods_per_year: int = TRADING_DAYS_OF_YEAR
) -> Figure:
    """The annual mean return above the acceptable one over the downside risk."""
    mean = (fmean(returns) - acceptable) * periods_per_year
    return ratio(mean, downside_risk(returns, acceptable, periods_per_year))


def against_benchmark(returns: Sequence[float], benchmark: Sequence[float]) -> AgainstBenchmark:
    """Of returns of the same days. The information ratio is the annual mean active return over the tracking error."""
    active = [ours - theirs for ours, theirs in zip(returns, benchmark, strict=True)]
    tracking_error = volatility(active)
    return AgainstBenchmark(
        beta=ratio(covariance(returns, benchmark), variance(benchmark), _ROUNDING**2),
        tracking_error=tracking_error,
        information_ratio=ratio(fmean(active) * TRADING_DAYS_OF_YEAR, tracking_error),
    )


def losses_at_risk(returns: Sequence[float], level: int, *, deviation: float | None = None) -> LossesAtRisk:
    """Value at risk and expected shortfall of a day at a level in percent.

    Historical: the quantile of the returns, interpolated linearly between two of them, and the mean of those not above
    it. Gaussian: of the normal distribution with their mean and sample deviation, which may be known already.
    """
    percent = 100 - level
    not_above = sorted(returns)[: (len(returns) - 1) * percent // 100 + 1]
    mean, deviation = fmean(returns), stdev(returns) if deviation is None else deviation
    score = NormalDist().inv_cdf(percent / 100)
    return LossesAtRisk(
        level=level,
        value_at_risk=-quantiles(returns, n=100, method="inclusive")[percent - 1],
        expected_shortfall=-fmean(not_above),
        gaussian_value_at_risk=-(mean + score * deviation),
        gaussian_expected_shortfall=-(mean - NormalDist().pdf(score) / percent * 100 * deviation),
    )


def ratio(above: float, below: float, nothing: float = _ROUNDING) -> Figure:
    """One over the other; NO_VARIATION where the other is nothing but rounding."""
    return above / below if below > nothing else unavailable("NO_VARIATION")


def _against(returns: Sequence[TradingReturn], level: Level | None) -> AgainstBenchmark:
    # Nearly every return begins where the one before it ended.
    dates = {date for one in returns for date in (one.since, one.date)} if level else ()
    with exact():
        levels = {date: found for date in dates if level and (found := level(date)) and found.is_finite()}
    rates = [
        float(levels[one.date] / levels[one.since] - 1) for one in returns if one.since in levels and one.date in levels
    ]
    if len(rates) < len(returns):
        none = unavailable("NO_BENCHMARK")
        return AgainstBenchmark(none, none, none)
    return against_benchmark([one.rate for one in returns], rates)


def _none(count: int, why: Unavailable) -> Risk:
    return Risk(
        returns_count=count,
        volatility=why,
        downside_risk=why,
        sharpe_ratio=why,
        sortino_ratio=why,
        drawdowns=why,
        calmar_ratio=why,
        against_benchmark=AgainstBenchmark(why, why, why),
        losses_at_risk=tuple(LossesAtRisk(level, why, why, why, why) for level in LEVELS),
    )
