"""XIRR: the published example, other programs' figures, every root, and what is said where there is none."""

from __future__ import annotations

import datetime
import math
import warnings
from decimal import Decimal
from random import Random

import pytest
import pyxirr
from hypothesis import given
from hypothesis import strategies as st

from portfolio.money import UNKNOWN
from positions.analytics.days import Day
from positions.analytics.money_weighted import CashFlow, internal_rate_of_return, money_weighted_return
from positions.analytics.unavailable import unavailable

D = Decimal
FIRST = datetime.date(2025, 1, 1)
MULTIPLE = {"MULTIPLE_ROOTS"}
HISTORIES_COMPARED = 500


def date(number):
    return FIRST + datetime.timedelta(days=number)


def xirr(*flows, length=None):
    """Flows such as (days after the start, amount); the period ends with the last, or after `length` days."""
    made = [CashFlow(date(number), D(str(amount))) for number, amount in flows]
    end = max(number for number, _ in flows) if length is None else length
    return internal_rate_of_return(made, start=FIRST, end=date(end))


def present_value(flows, rate):
    return math.fsum(float(amount) / (1 + rate) ** (number / 365) for number, amount in flows)


# --- known figures ------------------------------------------------------------------------------------------------


def test_the_example_of_excels_documentation():
    # support.microsoft.com, "XIRR function": 0.373362535, "accurate within 0.000001 percent".
    flows = [("2008-01-01", -10000), ("2008-03-01", 2750), ("2008-10-30", 4250), ("2009-02-15", 3250)]
    flows.append(("2009-04-01", 2750))
    made = [CashFlow(datetime.date.fromisoformat(day), D(amount)) for day, amount in flows]

    found = internal_rate_of_return(made, start=made[0].date, end=made[-1].date)

    assert found.money_weighted_return == pytest.approx(0.373362535, abs=1e-8)
    assert found.money_weighted_return_annualized == found.money_weighted_return
    assert found.flags == frozenset()


def test_opening_value_flows_and_closing_value_are_the_flows():
    # 1000 grow by 10 % in a year, to 1100; 500 are added and 100 taken; 1500 grow by 10 % in the next, to 1650.
    days = [
        Day(date(0), D(1000), inflow=D(1000)),
        Day(date(365), D(1500), inflow=D(500), outflow=D(100)),
        Day(date(730), D(1650)),
    ]

    assert money_weighted_return(days).money_weighted_return == pytest.approx(0.1, abs=1e-12)


def test_a_flow_of_the_last_day_is_netted_with_the_closing_value():
    days = [Day(date(0), D(1000)), Day(date(365), D(600), outflow=D(500))]

    assert money_weighted_return(days).money_weighted_return == pytest.approx(0.1, abs=1e-12)


def test_flows_of_one_day_are_netted():
    assert xirr((0, -100), (200, 50), (200, -50), (365, 110)).money_weighted_return == pytest.approx(0.1, abs=1e-12)


# --- periods of a year and below ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "rate"),
    [
        # Below a year the period's return: 110 of 100, whatever the days.
        (1, 0.1),
        (364, 0.1),
        # From a year on the annual one.
        (365, 0.1),
        (730, 1.1**0.5 - 1),
    ],
)
def test_the_return_is_annual_from_a_year_on_and_the_periods_below(days, rate):
    assert xirr((0, -100), (days, 110)).money_weighted_return == pytest.approx(rate, rel=1e-12)


def test_the_annual_return_is_given_for_a_short_period_too():
    # 5 % in a day: 1.05^365 - 1 is an eight-digit number, which an annual search up to 10^6 would miss.
    found = xirr((0, -100), (1, 105))

    assert found.money_weighted_return == pytest.approx(0.05, rel=1e-12)
    assert found.money_weighted_return_annualized == pytest.approx(1.05**365 - 1, rel=1e-9)


def test_an_annual_figure_beyond_a_trillion_is_too_much_to_ask_of_a_short_period():
    # 1.1^365 is 1.3 * 10^15.
    found = xirr((0, -100), (1, 110))

    assert found.money_weighted_return == pytest.approx(0.1, rel=1e-12)
    assert found.money_weighted_return_annualized == unavailable("PERIOD_TOO_SHORT")


@pytest.mark.parametrize(
    ("days", "end", "found"),
    [
        (365, 999_999, True),
        (365, 1_000_002, False),
        (730, 999_999**2, True),
        (730, 1_000_002**2, False),
        (30, 999_999, True),
        (30, 1_000_002, False),
    ],
)
def test_rates_up_to_a_million_are_looked_for_annual_or_the_periods(days, end, found):
    assert (xirr((0, -1), (days, end)).money_weighted_return != unavailable("NO_ROOT")) is found


def test_it_is_the_periods_length_that_decides_not_the_flows():
    # A deposit on day 300 of 400 earns 10 % in 100 days: annual 1.1^3.65 - 1. Of a period of 200 days it is
    # 1.1^2 - 1 for the period.
    assert xirr((300, -100), (400, 110)).money_weighted_return == pytest.approx(1.1**3.65 - 1, rel=1e-12)
    assert xirr((100, -100), (200, 110)).money_weighted_return == pytest.approx(0.21, rel=1e-12)


def test_nearly_everything_may_be_lost():
    # 2^-365 is left in a year, which no float tells from a loss of everything.
    found = xirr((0, -100), (1, 50))

    assert found.money_weighted_return == pytest.approx(-0.5, rel=1e-12)
    assert found.money_weighted_return_annualized == pytest.approx(-1, abs=1e-15)


# --- several roots, and none --------------------------------------------------------------------------------------


def test_of_several_roots_the_one_nearest_to_zero_is_given_and_flagged():
    # The pump of Lorie and Savage: -1600 + 10000 x - 10000 x^2 is zero at x = 0.8 and 0.2, at 25 % and 400 %.
    found = xirr((0, -1600), (365, 10000), (730, -10000))

    assert found.money_weighted_return == pytest.approx(0.25, rel=1e-12)
    assert found.flags == MULTIPLE


def test_nearest_to_zero_may_be_a_loss():
    # With growth g a year: -100 g^2 + 220 g - 117 is zero at g = 0.9 and 1.3, at -10 % and 30 %.
    found = xirr((0, -100), (365, 220), (730, -117))

    assert found.money_weighted_return == pytest.approx(-0.1, rel=1e-12)
    assert found.flags == MULTIPLE


def test_a_root_where_the_curve_only_touches_zero_is_one_root():
    # (1 - 1.1 x)^2: ten percent, twice.
    found = xirr((0, 100), (365, -220), (730, 121))

    assert found.money_weighted_return == pytest.approx(0.1, abs=1e-6)
    assert found.flags == frozenset()


def test_of_a_short_period_roots_are_compared_as_its_own_returns():
    # The pump in two days.
    found = xirr((0, -1600), (1, 10000), (2, -10000))

    # 25 % a day is 56.25 % for two, 400 % a day is 2400 %.
    assert found.money_weighted_return == pytest.approx(0.5625, rel=1e-12)
    assert found.flags == MULTIPLE


@pytest.mark.parametrize(
    "flows",
    [
        # Discriminant below zero: 150^2 < 4 * 100 * 100.
        [(0, 100), (365, -150), (730, 100)],
        # Everything was lost.
        [(0, -100), (400, 0)],
        [(0, -100), (100, -50), (400, 0)],
        # A gain without anything put in.
        [(0, 0), (400, 50)],
        [(0, -100)],
    ],
)
def test_where_no_rate_fits_it_says_so(flows):
    found = xirr(*flows)

    assert found.money_weighted_return == unavailable("NO_ROOT")
    assert found.money_weighted_return_annualized == unavailable("NO_ROOT")


@pytest.mark.parametrize("flows", [[(0, 0), (400, 0)], [(0, 0)], [(0, 0), (7, 5), (7, -5), (400, 0)]])
def test_where_nothing_flows_there_was_no_capital(flows):
    assert xirr(*flows).money_weighted_return == unavailable("NO_CAPITAL")


@pytest.mark.parametrize(
    "days",
    [
        [Day(date(0), UNKNOWN, missing="MISSING_PRICE"), Day(date(9), D(5))],
        [Day(date(0), D(5)), Day(date(9), UNKNOWN, missing="MISSING_PRICE")],
        [Day(date(0), D(5)), Day(date(3), D(5), outflow=UNKNOWN, missing="MISSING_PRICE"), Day(date(9), D(5))],
    ],
)
def test_an_unknown_value_or_flow_leaves_no_figure(days):
    found = money_weighted_return(days)

    assert found.money_weighted_return == unavailable("MISSING_PRICE")
    assert found.money_weighted_return_annualized == unavailable("MISSING_PRICE")


def test_a_value_between_start_and_end_may_be_unknown():
    days = [Day(date(0), D(100)), Day(date(3), UNKNOWN, missing="MISSING_PRICE"), Day(date(365), D(110))]

    assert money_weighted_return(days).money_weighted_return == pytest.approx(0.1, rel=1e-12)


# --- laws ---------------------------------------------------------------------------------------------------------

amounts = st.integers(-1_000_000, 1_000_000).map(lambda cents: cents / 100)
histories = st.dictionaries(st.integers(1, 4000), amounts, min_size=1, max_size=25).map(
    lambda flows: sorted(flows.items())
)


@given(opening=st.integers(1, 10**6), flows=histories)
def test_at_the_rate_found_the_flows_are_worth_nothing(opening, flows):
    flows = [(0, -opening), *flows]
    rate = xirr(*flows).money_weighted_return_annualized

    if isinstance(rate, float) and -0.99 < rate < 1e6:
        size = math.fsum(abs(amount) / (1 + rate) ** (number / 365) for number, amount in flows)
        assert abs(present_value(flows, rate)) <= 1e-8 * size


@given(opening=st.integers(1, 10**6), flows=histories)
def test_pyxirr_agrees_wherever_there_is_one_root(opening, flows):
    flows = [(0, -opening), *flows]
    found = xirr(*flows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = pyxirr.xirr([date(number) for number, _ in flows], [amount for _, amount in flows], silent=True)

    ours = found.money_weighted_return_annualized
    if theirs is not None and -0.99 < theirs < 1e6:
        size = math.fsum(abs(amount) / (1 + theirs) ** (number / 365) for number, amount in flows)
        a_root = abs(present_value(flows, theirs)) < 1e-9 * size
        # What they find and we do not would be a root lost.
        if a_root and max(number for number, _ in flows) >= 365:
            assert isinstance(ours, float)
        if a_root and isinstance(ours, float) and not found.flags:
            assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-5)


def test_pyxirr_agrees_on_hundreds_of_histories():
    """Savings that are paid in, part of them taken out again, and what is there in the end: no more can be taken than
    there is, so one rate explains it.
    """
    random = Random(365)
    for number in range(HISTORIES_COMPARED):
        length, growth = random.randint(365, 7300), math.log1p(random.uniform(-0.3, 0.6)) / 365
        days = sorted(random.sample(range(1, length), random.randint(0, 40)))
        flows, value, before = [(0, -10_000.0)], 10_000.0, 0
        for day in days:
            value *= math.exp(growth * (day - before) + random.gauss(0, 0.05))
            net = round(random.choice([random.uniform(1, 2000), -value * random.uniform(0.01, 0.5)]), 2)
            value, before = value + net, day
            flows.append((day, -net))
        flows.append((length, round(value * math.exp(growth * (length - before)), 2)))

        theirs = pyxirr.xirr([date(day) for day, _ in flows], [amount for _, amount in flows])

        assert xirr(*flows).money_weighted_return == pytest.approx(theirs, rel=1e-8, abs=1e-9), f"history {number}"


@given(opening=st.integers(1, 10**6), flows=histories, factor=st.sampled_from([-1, 2, 1024]))
def test_the_size_of_all_flows_together_makes_no_difference(opening, flows, factor):
    flows = [(0, -opening), *flows]
    one, other = xirr(*flows), xirr(*((number, amount * factor) for number, amount in flows))

    assert one.flags == other.flags
    assert one.money_weighted_return == (
        pytest.approx(other.money_weighted_return, rel=1e-9)
        if isinstance(other.money_weighted_return, float)
        else other.money_weighted_return
    )


@given(
    rate=st.floats(-0.9, 10),
    deposits=st.lists(st.tuples(st.integers(1, 2999), st.integers(1, 10**6)), min_size=1, max_size=10),
)
def test_money_that_grows_at_one_rate_returns_that_rate(rate, deposits):
    closing = math.fsum(amount * (1 + rate) ** ((3000 - number) / 365) for number, amount in deposits)
    found = xirr(*((number, -amount) for number, amount in deposits), (3000, closing))

    assert found.money_weighted_return == pytest.approx(rate, rel=1e-7, abs=1e-9)
    assert found.flags == frozenset()


def test_the_root_that_a_remainder_of_rounding_adds_is_not_counted():
    """-100 at the start, +250 after a year, -1e-18 after two: 1+R = 2.5, and another at 4e-21."""
    flows = [
        CashFlow(datetime.date(2023, 1, 1), Decimal(-100)),
        CashFlow(datetime.date(2024, 1, 1), Decimal(250)),
        CashFlow(datetime.date(2025, 1, 1), Decimal("-1e-18")),
    ]

    found = internal_rate_of_return(flows, start=datetime.date(2023, 1, 1), end=datetime.date(2025, 1, 1))

    assert found.money_weighted_return == pytest.approx(1.5, abs=1e-9)
    assert not found.flags
