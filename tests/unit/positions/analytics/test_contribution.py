"""Parts that add up: the contributions of holdings to a return that was linked."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolio.money import UNKNOWN, exact
from positions.analytics.contribution import DayGains, HoldingContribution, contribution
from positions.analytics.linking import carino_factors
from positions.analytics.unavailable import Unavailable, unavailable

D = Decimal
FIRST = datetime.date(2025, 1, 1)


def gains(number, capital, **of_day):
    return DayGains(
        FIRST + datetime.timedelta(days=number), D(capital), {name: D(str(gain)) for name, gain in of_day.items()}
    )


def parts(found):
    return {one.holding: one.contribution for one in found.holdings if isinstance(one.contribution, Decimal)}


def test_on_one_day_a_contribution_is_the_gain_over_the_capital():
    found = contribution([gains(1, 1000, AAA=30, BBB=-10)])

    assert found.time_weighted_return == D("0.02")
    assert found.holdings == (
        HoldingContribution("AAA", D(30), D("0.03")),
        HoldingContribution("BBB", D(-10), D("-0.01")),
    )


def test_two_days_are_linked_by_carino():
    # Returns of 10 % by AAA and of 20 % by BBB come to 32 %. k = ln(1.32) / 0.32 = 0.867597,
    # k1 = ln(1.1) / 0.1 = 0.953102, k2 = ln(1.2) / 0.2 = 0.911608:
    # AAA 0.1 * k1 / k = 0.109855, BBB 0.2 * k2 / k = 0.210145, together 0.32.
    found = contribution([gains(1, 1000, AAA=100), gains(2, 1100, BBB=220)])

    assert found.time_weighted_return == D("0.32")
    assert parts(found) == {
        "AAA": pytest.approx(D("0.109855"), abs=D("1e-6")),
        "BBB": pytest.approx(D("0.210145"), abs=D("1e-6")),
    }


def test_a_return_of_zero_in_all_is_made_of_what_won_and_lost():
    # 25 % up by AAA, 20 % down by BBB: 1.25 * 0.8 = 1, and k = 1. 0.25 * ln(1.25)/0.25 = ln(1.25) = 0.223144.
    found = contribution([gains(1, 1000, AAA=250), gains(2, 1250, BBB=-250)])

    assert found.time_weighted_return == 0
    assert parts(found)["AAA"] == pytest.approx(D("0.223143551314209755"), abs=D("1e-17"))
    assert parts(found)["BBB"] == -parts(found)["AAA"]


def test_a_day_on_which_gains_and_losses_cancel_counts_at_its_limit():
    # k of a day without a return is 1; of the whole, 10 %, ln(1.1) / 0.1 = 0.953102: 0.05 / 0.953102 = 0.052460.
    found = contribution([gains(1, 1000, AAA=50, BBB=-50), gains(2, 1000, AAA=100)])

    assert parts(found)["BBB"] == pytest.approx(D("-0.0524603"), abs=D("1e-7"))
    assert sum(parts(found).values()) == pytest.approx(D("0.1"), abs=D("1e-17"))


def test_when_all_is_lost_the_day_of_the_loss_counts_alone():
    found = contribution([gains(1, 1000, AAA=100), gains(2, 1100, AAA=-600, BBB=-500), gains(3, 50, BBB=50)])

    assert found.time_weighted_return == -1
    assert parts(found) == {
        "AAA": pytest.approx(-D(600) / D(1100), abs=D("1e-17")),
        "BBB": pytest.approx(-D(500) / D(1100), abs=D("1e-17")),
    }


def test_a_gain_without_capital_contributes_nothing():
    found = contribution([gains(1, 0, AAA=5), gains(2, 100, BBB=10)])

    assert found.time_weighted_return == D("0.1")
    assert found.holdings[0] == HoldingContribution("AAA", D(5), D(0))


@pytest.mark.parametrize(
    ("days", "code"),
    [
        ([gains(1, -100, AAA=5)], "NEGATIVE_CAPITAL"),
        ([gains(1, 100, AAA=-150)], "NEGATIVE_CAPITAL"),
        ([DayGains(FIRST, D(100), {"AAA": D(5), "BBB": UNKNOWN}, "MISSING_PRICE")], "MISSING_PRICE"),
        ([DayGains(FIRST, UNKNOWN, {"AAA": D(5)})], "MISSING_FX_RATE"),
    ],
)
def test_without_a_return_there_is_no_contribution_but_the_gains_stand(days, code):
    found = contribution(days)

    assert found.time_weighted_return == unavailable(code)
    assert {one.contribution for one in found.holdings} == {unavailable(code)}
    assert found.holdings[0].gain in (D(5), D(-150))


def test_no_days_have_no_return_and_no_parts():
    found = contribution([])

    assert found.time_weighted_return == 0
    assert found.holdings == ()


def test_returns_next_to_nothing_are_linked_as_exactly_as_others():
    # From 10^-25 down the quotient comes from its series; one term less of it would show at the 53rd decimal.
    returns = [D("1e-26"), D("2e-26")]
    factors = carino_factors(returns)

    assert not isinstance(factors, Unavailable)
    with exact():
        parts_of_both = sum(factor * rate for factor, rate in zip(factors, returns, strict=True))
        assert abs(parts_of_both - (D("3e-26") + D("2e-52"))) < D("1e-57")


@given(
    days=st.lists(
        st.tuples(
            st.integers(1, 10**6),
            st.dictionaries(st.sampled_from("ABCDE"), st.decimals("-0.18", "0.5", places=6), max_size=5),
        ),
        max_size=40,
    )
)
def test_the_parts_add_up_to_the_linked_return(days):
    made = [
        DayGains(FIRST, D(capital), {name: capital * part for name, part in of_day.items()}) for capital, of_day in days
    ]
    found = contribution(made)

    with exact():
        growth = D(1)
        for _, of_day in days:
            growth *= 1 + sum(of_day.values())
        assert found.time_weighted_return == pytest.approx(growth - 1, rel=D("1e-17"), abs=D("1e-17"))
        assert abs(sum(parts(found).values()) - (growth - 1)) <= D("1e-10") * max(growth, D(1))
