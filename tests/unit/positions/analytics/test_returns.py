"""Daily returns under the three timings of flows, what they come to, and where there is none."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolio.money import UNKNOWN, ZERO, exact
from positions.analytics.days import Day, days_of
from positions.analytics.returns import (
    FlowTiming,
    annualized,
    cumulative_returns,
    daily_returns,
    linked,
    modified_dietz,
    time_weighted_return,
)
from positions.analytics.unavailable import Unavailable, unavailable

D = Decimal
FIRST = datetime.date(2025, 1, 1)
BOTH_TIMES = FlowTiming.START_IN_END_OUT


def date(number):
    return FIRST + datetime.timedelta(days=number)


def day(number, value, inflow=0, outflow=0, **more):
    return Day(date(number), D(value), inflow=D(inflow), outflow=D(outflow), **more)


def twr(*days, **policy):
    return time_weighted_return(days, **policy)


# --- one day ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timing", "rate"),
    [
        # 1080 + 50 of 1000 + 100
        ("start_in_end_out", D(1130) / D(1100) - 1),
        # 1080 of 1000 + 100 - 50
        ("start", D(1080) / D(1050) - 1),
        # 1080 + 50 - 100 of 1000
        ("end", D("0.03")),
    ],
)
def test_the_days_flows_work_from_when_the_policy_says(timing, rate):
    (found,) = daily_returns([day(0, 1000), day(1, 1080, 100, 50)], flow_timing=FlowTiming(timing))

    assert found.rate == pytest.approx(rate, abs=D("1e-25"))
    assert found.flags == frozenset()


def test_gross_returns_add_the_fees_of_the_day_those_in_cost_among_them():
    days = [day(0, 1000), day(1, 1000, fees=D(7), fees_in_cost=D(3))]

    assert twr(*days).time_weighted_return == 0
    assert twr(*days, gross=True).time_weighted_return == D("0.01")


@pytest.mark.parametrize("timing", FlowTiming)
def test_what_flows_on_the_start_is_in_the_opening_value(timing):
    days = [day(0, 1000, 1000, 300), day(1, 1100)]

    assert twr(*days, flow_timing=timing).time_weighted_return == D("0.1")


@pytest.mark.parametrize(
    ("timing", "inflow", "outflow", "flagged"),
    [
        (FlowTiming.START_IN_END_OUT, 0, 0, True),
        (FlowTiming.START_IN_END_OUT, 0, 1, True),
        (FlowTiming.START, 1, 1, True),
        # Deposited at the end, and worth more than that: something was gained before it was there.
        (FlowTiming.END, 4, 0, True),
        (FlowTiming.END, 5, 0, False),
    ],
)
def test_value_that_appears_without_capital_is_no_return_but_is_flagged(timing, inflow, outflow, flagged):
    found = twr(day(0, 0), day(1, 5, inflow, outflow), flow_timing=timing)

    assert found.time_weighted_return == 0
    assert found.flags == ({"GAIN_WITHOUT_CAPITAL"} if flagged else set())


def test_an_empty_day_returns_nothing_and_is_not_flagged():
    assert twr(day(0, 0), day(1, 0)).flags == frozenset()


@pytest.mark.parametrize(
    ("timing", "days"),
    [
        (FlowTiming.START_IN_END_OUT, [day(0, -10), day(1, 5, 9)]),
        # All is sold for 110 and withdrawn: the 100 it was worth less 110 are below zero.
        (FlowTiming.START, [day(0, 100), day(1, 0, 0, 110)]),
        (FlowTiming.END, [day(0, -10), day(1, 5, 20)]),
    ],
)
def test_capital_below_zero_has_no_return(timing, days):
    found = twr(*days, flow_timing=timing)

    assert found.time_weighted_return == unavailable("NEGATIVE_CAPITAL")
    assert found.time_weighted_return_annualized == unavailable("NEGATIVE_CAPITAL")


# --- several days -------------------------------------------------------------------------------------------------


def test_days_are_linked_by_multiplication():
    # 1.1 * 0.5 * 1.2 = 0.66, with 50 more on the second day and 30 less on the third
    days = [day(0, 100), day(1, 110), day(2, 80, 50), day(3, 66, 0, 30)]

    assert twr(*days).time_weighted_return == D("-0.34")


def test_a_period_without_days_returns_nothing():
    assert twr(day(0, 100)).time_weighted_return == 0


@pytest.mark.parametrize("code", ["MISSING_PRICE", "MISSING_FX_RATE"])
@pytest.mark.parametrize("unknown", [0, 1, 2])
def test_a_day_of_unknown_value_leaves_the_period_without_a_return(code, unknown):
    days = [day(0, 100), day(1, 110), day(2, 121)]
    days[unknown] = Day(date(unknown), UNKNOWN, missing=code)

    assert twr(*days).time_weighted_return == unavailable(code)
    assert modified_dietz(days) == (unavailable(code) if unknown != 1 else D("0.21"))


def test_the_first_reason_is_the_one_given():
    days = [day(0, -5), day(1, 3), Day(date(2), UNKNOWN, missing="MISSING_PRICE")]

    assert linked(one.rate for one in daily_returns(days)) == unavailable("NEGATIVE_CAPITAL")


def test_an_unknown_flow_leaves_every_measure_without_a_figure():
    days = [day(0, 100), Day(date(1), D(100), inflow=UNKNOWN), day(2, 100)]

    assert twr(*days).time_weighted_return == unavailable("MISSING_FX_RATE")
    assert modified_dietz(days) == unavailable("MISSING_FX_RATE")


def test_the_series_runs_until_the_first_day_without_a_return():
    days = [day(0, 100), day(1, 110), Day(date(2), UNKNOWN, missing="MISSING_PRICE"), day(3, 121), day(4, 242)]
    missing = unavailable("MISSING_PRICE")

    series = cumulative_returns(days)

    assert [one.date for one in series] == [date(1), date(2), date(3), date(4)]
    assert [one.value for one in series] == [D(110), missing, D(121), D(242)]
    assert [one.rate for one in series] == [D("0.1"), missing, missing, D(1)]
    assert [one.cumulative for one in series] == [D("0.1"), missing, missing, missing]


def test_days_of_a_period_are_cut_from_a_longer_series_with_its_start():
    days = [day(number, 100) for number in range(10)]

    assert [one.date for one in days_of(days, start=date(3), end=date(5))] == [date(3), date(4), date(5)]


# --- annual figures -----------------------------------------------------------------------------------------------


def test_two_years_of_21_percent_are_10_percent_a_year():
    assert annualized(D("0.21"), 730) == pytest.approx(D("0.1"), abs=D("1e-18"))


def test_less_than_a_year_is_not_annualised():
    assert annualized(D("0.21"), 364) == unavailable("PERIOD_TOO_SHORT")
    assert annualized(D("0.21"), 365) == D("0.21")


def test_a_loss_of_everything_is_that_in_any_year_and_a_larger_one_has_no_annual_figure():
    beyond = annualized(D("-1.5"), 800)

    assert annualized(D(-1), 800) == -1
    assert isinstance(beyond, Unavailable)
    assert beyond.code == "NEGATIVE_CAPITAL"


# --- Modified Dietz -----------------------------------------------------------------------------------------------


def test_modified_dietz_weighs_flows_by_the_days_they_worked():
    # (300 - 100 - 50) / (100 + 0.5 * 50) = 1.2
    days = [day(0, 100), day(365, 240, 50), day(730, 300)]

    assert modified_dietz(days) == D("1.2")


def test_modified_dietz_takes_outflows_off():
    # w = (10 - 4)/10: (90 - 100 + 20) / (100 - 0.6 * 20) = 10/88
    days = [day(0, 100), day(4, 85, 0, 20), day(10, 90)]

    assert modified_dietz(days) == pytest.approx(D(10) / D(88), abs=D("1e-17"))


@pytest.mark.parametrize(
    ("days", "code"),
    [
        ([day(0, 0), day(5, 0)], "NO_CAPITAL"),
        ([day(0, 0), day(5, 100, 100)], "NO_CAPITAL"),
        ([day(0, 100), day(1, 0, 0, 500), day(10, 0)], "NEGATIVE_CAPITAL"),
    ],
)
def test_modified_dietz_has_no_figure_without_average_capital(days, code):
    assert modified_dietz(days) == unavailable(code)


# --- laws ---------------------------------------------------------------------------------------------------------

money = st.decimals("0", "100000", places=2)
moves = st.decimals("-0.5", "1", places=4)


@given(
    start=st.decimals("1", "100000", places=2),
    flows=st.lists(st.tuples(money, st.decimals("0", "0.9", places=2), moves), max_size=12),
    timing=st.sampled_from(FlowTiming),
)
def test_the_return_is_that_of_the_prices_whatever_flows_and_when(start, flows, timing):
    with exact():
        value, days, growth = start, [day(0, start)], D(1)
        for number, (inflow, part, move) in enumerate(flows, 1):
            if timing is FlowTiming.START:
                outflow = (value + inflow) * part
                value = (value + inflow - outflow) * (1 + move)
            elif timing is FlowTiming.END:
                outflow = (value * (1 + move) + inflow) * part
                value = value * (1 + move) + inflow - outflow
            else:
                outflow = (value + inflow) * (1 + move) * part
                value = (value + inflow) * (1 + move) - outflow
            growth *= 1 + move
            days.append(Day(date(number), value, inflow=inflow, outflow=outflow))
    found = time_weighted_return(days, flow_timing=timing).time_weighted_return

    assert isinstance(found, Decimal)
    assert abs(found - (growth - 1)) <= D("1e-18")


@given(
    start=money,
    flows=st.lists(st.tuples(money, st.decimals("0", "1", places=2)), max_size=12),
    timing=st.sampled_from(FlowTiming),
)
def test_flat_prices_return_nothing_whatever_flows_and_when(start, flows, timing):
    value, days = start, [day(0, start)]
    for number, (inflow, part) in enumerate(flows, 1):
        outflow = (value + inflow) * part
        value = value + inflow - outflow
        days.append(Day(date(number), value, inflow=inflow, outflow=outflow))
    found = time_weighted_return(days, flow_timing=timing)

    assert found.time_weighted_return == ZERO
    assert found.flags == frozenset()


@given(start=st.decimals("1", "100000", places=2), end=money, length=st.integers(1, 5000))
def test_without_flows_every_measure_is_the_simple_return(start, end, length):
    days = [day(0, start), day(length, end)]
    simple = (end - start) / start

    assert modified_dietz(days) == pytest.approx(simple, abs=D("1e-17"))
    assert twr(*days).time_weighted_return == pytest.approx(simple, abs=D("1e-17"))
