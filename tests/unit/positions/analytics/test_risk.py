"""Statistics of daily returns: by hand, against empyrical, and what is left out of them."""

from __future__ import annotations

import datetime
import math
from decimal import Decimal
from itertools import pairwise
from random import Random

import empyrical  # type: ignore[import-untyped]
import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolio.money import ONE, UNKNOWN, ZERO
from positions.analytics.days import Day
from positions.analytics.drawdown import Drawdown, drawdowns
from positions.analytics.returns import DayReturn, daily_returns
from positions.analytics.risk import AgainstBenchmark, against_benchmark, losses_at_risk, per_day, risk
from positions.analytics.trading_days import is_weekday, trading_returns
from positions.analytics.unavailable import Unavailable, unavailable

D = Decimal
SUNDAY = datetime.date(2024, 12, 29)


def date(number):
    return SUNDAY + datetime.timedelta(days=number)


def every_day(_):
    return True


def day_returns(rates, capital=ONE):
    return [DayReturn(date(number), capital, D(repr(rate))) for number, rate in enumerate(rates, 1)]


def risk_of(rates, **more):
    return risk(day_returns(rates), start=SUNDAY, is_trading_day=every_day, **more)


def random_returns(seed, count, drift=0.0003, deviation=0.012):
    random = Random(seed)
    return [round(random.gauss(drift, deviation), 8) for _ in range(count)]


# --- which returns count ------------------------------------------------------------------------------------------


def test_what_happens_between_trading_days_is_compounded_into_the_next():
    # Monday 1 %, .. Friday 1 %, Saturday 2 %, Sunday 3 %, Monday 1 %: 1.02 * 1.03 * 1.01 - 1 = 6.1106 %
    rates = [0.01] * 5 + [0.02, 0.03, 0.01]

    found = trading_returns(day_returns(rates), start=SUNDAY, is_trading_day=is_weekday)

    assert not isinstance(found, Unavailable)
    assert [one.rate for one in found] == pytest.approx([0.01] * 5 + [0.061106], rel=1e-12)
    assert [(one.since, one.date) for one in found[-2:]] == [(date(4), date(5)), (date(5), date(8))]


def test_what_comes_after_the_last_trading_day_is_in_no_return_yet():
    rates = [0.01] * 5 + [0.02]

    found = trading_returns(day_returns(rates), start=SUNDAY, is_trading_day=is_weekday)

    assert not isinstance(found, Unavailable)
    assert [one.date for one in found] == [date(number) for number in range(1, 6)]


def test_trading_days_without_capital_are_left_out_and_no_return_reaches_over_them():
    days = [
        Day(date(0), D(100)),
        Day(date(1), ZERO, outflow=D(110)),
        Day(date(2), ZERO),
        Day(date(3), D(51), inflow=D(50)),
    ]

    found = trading_returns(daily_returns(days), start=SUNDAY, is_trading_day=every_day)

    assert not isinstance(found, Unavailable)
    assert [(one.since, one.date) for one in found] == [(date(0), date(1)), (date(2), date(3))]
    assert [one.rate for one in found] == pytest.approx([0.1, 0.02], rel=1e-12)


def test_a_gain_of_the_weekend_waits_for_a_trading_day_with_capital():
    days = [
        Day(date(5), ZERO),
        Day(date(6), ZERO, inflow=D(100), outflow=D(105)),
        Day(date(8), ZERO),
        Day(date(9), D(10), inflow=D(10)),
    ]

    found = trading_returns(daily_returns(days), start=date(5), is_trading_day=is_weekday)

    assert not isinstance(found, Unavailable)
    assert [(one.since, one.date) for one in found] == [(date(5), date(9))]
    assert found[0].rate == pytest.approx(0.05)


def test_a_day_without_a_return_leaves_nothing_to_be_said():
    returns = day_returns([0.01] * 40)
    returns[7] = DayReturn(date(8), UNKNOWN, unavailable("MISSING_PRICE"))

    found = risk(returns, start=SUNDAY, is_trading_day=every_day)

    assert found.volatility == unavailable("MISSING_PRICE")
    assert found.drawdowns == unavailable("MISSING_PRICE")


def test_nineteen_returns_are_too_few_and_the_count_says_so():
    few, enough = risk_of(random_returns(1, 19)), risk_of(random_returns(1, 20))
    why = unavailable("TOO_FEW_RETURNS")

    assert (few.returns_count, enough.returns_count) == (19, 20)
    assert [few.volatility, few.sharpe_ratio, few.drawdowns, few.losses_at_risk[0].value_at_risk] == [why] * 4
    assert isinstance(enough.volatility, float)


# --- by hand ------------------------------------------------------------------------------------------------------


def test_ten_gains_and_ten_losses_by_hand():
    # Mean 0.5 %, every return 1.5 % from it: sample variance 20 * 0.015^2 / 19.
    # Half of the returns fall short of 0 by 1 %: mean square 0.5 * 0.01^2.
    found = risk_of([0.02, -0.01] * 10)
    deviation = math.sqrt(20 * 0.015**2 / 19)

    assert found.volatility == pytest.approx(deviation * math.sqrt(252))
    assert found.downside_risk == pytest.approx(math.sqrt(0.5 * 0.01**2 * 252))
    assert found.sharpe_ratio == pytest.approx(0.005 / deviation * math.sqrt(252))
    assert found.sortino_ratio == pytest.approx(0.005 * 252 / math.sqrt(0.5 * 0.01**2 * 252))
    assert not isinstance(found.drawdowns, Unavailable)
    assert found.drawdowns.maximum.depth == pytest.approx(0.01)
    assert found.calmar_ratio == unavailable("PERIOD_TOO_SHORT")


def test_calmar_is_the_annual_return_over_the_drawdown():
    # 1.21 in 730 days, 10 % a year, with one fall of 5 % on the way.
    days = [Day(date(0), D(100)), *(Day(date(number), D(100)) for number in range(1, 30))]
    days += [Day(date(40), D(95)), Day(date(730), D(121))]

    found = risk(daily_returns(days), start=SUNDAY, is_trading_day=every_day)

    assert found.calmar_ratio == pytest.approx(0.1 / 0.05)


def test_historical_losses_are_interpolated_between_two_returns():
    # 21 returns from -10 % to +10 %: 5 % of 20 steps is the second worst, 1 % a fifth of the way to it.
    returns = [step / 100 for step in range(-10, 11)]

    assert losses_at_risk(returns, 95).value_at_risk == pytest.approx(0.09)
    assert losses_at_risk(returns, 95).expected_shortfall == pytest.approx(0.095)
    assert losses_at_risk(returns, 99).value_at_risk == pytest.approx(0.098)
    assert losses_at_risk(returns, 99).expected_shortfall == pytest.approx(0.1)


def test_gaussian_losses_are_those_of_the_normal_distribution():
    # Tables: the 5 % quantile is -1.644854, the mean below it -2.062713; at 1 % -2.326348 and -2.665214.
    returns = [0.02, -0.01] * 10
    deviation = math.sqrt(20 * 0.015**2 / 19)

    for level, quantile, below in ((95, 1.644854, 2.062713), (99, 2.326348, 2.665214)):
        found = losses_at_risk(returns, level)
        assert found.gaussian_value_at_risk == pytest.approx(quantile * deviation - 0.005, abs=1e-7)
        assert found.gaussian_expected_shortfall == pytest.approx(below * deviation - 0.005, abs=1e-7)


def test_equal_returns_have_losses_too():
    found = losses_at_risk([-0.013] * 30, 95)

    assert found.value_at_risk == pytest.approx(0.013)
    assert found.expected_shortfall == pytest.approx(0.013)


def test_an_annual_rate_is_spread_over_the_days_of_trading():
    assert (1 + per_day(0.05)) ** 252 == pytest.approx(1.05)
    with pytest.raises(ValueError, match="above -1"):
        per_day(-1)


def test_nothing_is_divided_by_nothing():
    flat = risk_of([0.001] * 30, benchmark=lambda _: ONE)
    none = unavailable("NO_VARIATION")

    assert flat.volatility == 0
    assert [flat.sharpe_ratio, flat.sortino_ratio] == [none, none]
    assert flat.against_benchmark == AgainstBenchmark(none, 0.0, none)


# --- drawdown -----------------------------------------------------------------------------------------------------


def levels(*values):
    """The drawdowns of values on days 0, 1, 2 .."""
    returns = [(date(number), after / before - 1) for number, (before, after) in enumerate(pairwise(values), 1)]
    return drawdowns(returns, start=SUNDAY)


def test_the_deepest_fall_has_its_dates():
    found = levels(100, 110, 99, 121, 60.5, 90, 121, 120)

    assert found.maximum.depth == pytest.approx(0.5)
    assert (found.maximum.peak_date, found.maximum.trough_date) == (date(3), date(4))
    assert found.maximum.recovery_date == date(6)
    assert found.current == pytest.approx(1 / 121)


def test_a_fall_that_has_not_been_made_good_has_no_recovery():
    found = levels(100, 80, 90)

    assert found.maximum == Drawdown(found.maximum.depth, SUNDAY, date(1), None)
    assert found.maximum.depth == pytest.approx(0.2)
    assert found.current == pytest.approx(0.1)


def test_a_recovery_belongs_to_its_own_fall():
    # 20 % from 100, made good on day 2; then 50 % from 100, not made good.
    found = levels(100, 80, 100, 50, 60)

    assert found.maximum == Drawdown(found.maximum.depth, date(2), date(3), None)
    assert found.maximum.depth == pytest.approx(0.5)


def test_what_never_falls_has_no_drawdown():
    found = levels(100, 100, 101, 105)

    assert found.maximum == Drawdown(0.0)
    assert found.current == 0


# --- benchmark ----------------------------------------------------------------------------------------------------


def test_twice_the_benchmark_is_a_beta_of_two():
    benchmark = random_returns(2, 250)
    found = against_benchmark([2 * rate for rate in benchmark], benchmark)

    assert found.beta == pytest.approx(2)
    assert found.tracking_error == pytest.approx(numpy.std(benchmark, ddof=1) * math.sqrt(252))


def test_the_benchmark_is_taken_over_the_same_days():
    # Both gain what the level gains, the portfolio's weekends being compounded into Monday.
    growth, level = {SUNDAY: ONE}, ONE
    rates = random_returns(3, 60)
    for number, rate in enumerate(rates, 1):
        level *= 1 + D(repr(rate))
        growth[date(number)] = level

    found = risk(day_returns(rates), start=SUNDAY, is_trading_day=is_weekday, benchmark=growth.get)

    assert found.against_benchmark.beta == pytest.approx(1)
    assert found.against_benchmark.tracking_error == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("benchmark", [None, lambda _: None, lambda _: UNKNOWN, lambda _: ZERO])
def test_without_a_benchmark_nothing_is_compared(benchmark):
    none = unavailable("NO_BENCHMARK")

    assert risk_of(random_returns(4, 30), benchmark=benchmark).against_benchmark == AgainstBenchmark(none, none, none)


# --- another reckoner ---------------------------------------------------------------------------------------------


SERIES_COMPARED = 400


def level_of(rates):
    """The level of an index with these returns, by day."""
    level = {SUNDAY: ONE}
    for number, rate in enumerate(rates, 1):
        level[date(number)] = level[date(number - 1)] * (1 + D(repr(rate)))
    return level.get


def figures_of(found):
    """By name, as the other gives them: losses are negative there, and its information ratio is not annual."""
    assert not isinstance(found.drawdowns, Unavailable)
    compared = found.against_benchmark
    figures = {
        "volatility": found.volatility,
        "downside risk": found.downside_risk,
        "Sharpe": found.sharpe_ratio,
        "Sortino": found.sortino_ratio,
        "drawdown": -found.drawdowns.maximum.depth,
        "beta": compared.beta,
        "tracking error": compared.tracking_error,
        "information ratio": compared.information_ratio / math.sqrt(252),
    }
    for losses in found.losses_at_risk:
        figures[f"value at risk {losses.level}"] = -losses.value_at_risk
        figures[f"expected shortfall {losses.level}"] = -losses.expected_shortfall
    return figures


def figures_of_empyrical(rates, other, free, acceptable):
    ours, theirs = numpy.array(rates), numpy.array(other)
    figures = {
        "volatility": empyrical.annual_volatility(ours),
        "downside risk": empyrical.downside_risk(ours, acceptable),
        "Sharpe": empyrical.sharpe_ratio(ours, free),
        "Sortino": empyrical.sortino_ratio(ours, acceptable),
        "drawdown": empyrical.max_drawdown(ours),
        "beta": empyrical.beta(ours, theirs),
        "tracking error": empyrical.annual_volatility(ours - theirs),
        "information ratio": empyrical.excess_sharpe(ours, theirs),
    }
    for level, cutoff in ((95, 0.05), (99, 0.01)):
        figures[f"value at risk {level}"] = empyrical.value_at_risk(ours, cutoff)
        figures[f"expected shortfall {level}"] = empyrical.conditional_value_at_risk(ours, cutoff)
    return figures


def test_empyrical_agrees_on_hundreds_of_series():
    """From 20 returns to a year of them, calm and wild, rising and falling, with and without rates to be beaten."""
    random = Random(252)
    for seed in range(SERIES_COMPARED):
        count, deviation, drift = random.randint(20, 252), random.uniform(0.001, 0.06), random.uniform(-0.004, 0.004)
        free, acceptable = random.choice([0.0, 0.03]), random.choice([0.0, 0.05, 0.3])
        other = random_returns(-1 - seed, count)
        follows = random.uniform(-1, 2)
        own = random_returns(seed, count, drift, deviation)
        rates = [round(one + follows * of_other, 8) for one, of_other in zip(own, other, strict=True)]

        found = risk_of(rates, risk_free_rate=free, minimum_acceptable_return=acceptable, benchmark=level_of(other))

        theirs = figures_of_empyrical(rates, other, (1 + free) ** (1 / 252) - 1, (1 + acceptable) ** (1 / 252) - 1)
        assert figures_of(found) == pytest.approx(theirs, rel=1e-7, abs=1e-10), f"series {seed}"


@given(rates=st.lists(st.floats(-0.2, 0.2).map(lambda rate: round(rate, 6)), min_size=20, max_size=60))
def test_expected_shortfall_is_never_below_value_at_risk_nor_the_end_below_the_deepest_point(rates):
    found = risk_of(rates)

    assert not isinstance(found.drawdowns, Unavailable)
    assert 0 <= found.drawdowns.current <= found.drawdowns.maximum.depth <= 1
    for losses in found.losses_at_risk:
        assert losses.expected_shortfall >= losses.value_at_risk - 1e-12
        assert losses.gaussian_expected_shortfall >= losses.gaussian_value_at_risk
