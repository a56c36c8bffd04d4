"""Figures that textbooks and courses give for small cases of flows, worked here from end-of-day values."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest

from positions.analytics.days import Day
from positions.analytics.money_weighted import money_weighted_return
from positions.analytics.returns import FlowTiming, modified_dietz, time_weighted_return
from positions.analytics.unavailable import Unavailable

D = Decimal


def day(date, value, inflow=0, outflow=0):
    return Day(datetime.date.fromisoformat(date), D(str(value)), inflow=D(str(inflow)), outflow=D(str(outflow)))


def known(figure: Decimal | float | Unavailable) -> Decimal:
    assert not isinstance(figure, Unavailable), figure
    return D(figure)


# Textbooks let a purchase at the end of a year work from then on: flows at the end of their day.
# (name, the ends of three years, money-weighted and time-weighted return a year)
TWO_YEARS = [
    # 100, another for 120 with 2 of dividend; both worth 130, 2 each: 122/100 and 264/240
    ("two shares", [(100,), (240, 120, 2), (260, 0, 4)], "0.1386", "0.1584"),
    # 200, another for 225 with 5 of dividend; both sold at 235, 5 each: 230/200 and 480/450
    ("two dearer shares", [(200,), (450, 225, 5), (0, 0, 480)], "0.0939", "0.1075"),
    # four at 50, two sold at 50; the others at 80, 5 each: 1 and 170/100
    ("four shares", [(200,), (100, 0, 100), (0, 0, 170)], "0.2052", "0.3038"),
]


@pytest.mark.parametrize(
    ("values", "by_money", "by_time"), [case[1:] for case in TWO_YEARS], ids=[c[0] for c in TWO_YEARS]
)
def test_two_years_of_shares(values, by_money, by_time):
    days = [day(f"{2021 + number}-12-31", *of_year) for number, of_year in enumerate(values)]

    assert round(known(money_weighted_return(days).money_weighted_return), 4) == D(by_money)
    linked = time_weighted_return(days, flow_timing=FlowTiming.END)
    assert round(known(linked.time_weighted_return_annualized), 4) == D(by_time)


def test_the_composite_of_a_month_by_modified_dietz():
    """(602.34 - 585.60 - 2.23) / (585.60 - 15.05 x 26/31 + 19.82 x 22/31 + 16.42 x 16/31 - 18.96 x 7/31)"""
    days = [
        day("2022-09-30", "585.60"),
        day("2022-10-05", 1, outflow="15.05"),
        day("2022-10-09", 1, inflow="19.82"),
        day("2022-10-15", 1, inflow="16.42"),
        day("2022-10-24", 1, outflow="18.96"),
        day("2022-10-31", "602.34"),
    ]
    assert round(known(modified_dietz(days)), 4) == D("0.0245")


def test_two_years_with_money_at_half_time_by_modified_dietz():
    # 100 became 300 with 50 more after the first of two years of 365 days: (300 - 100 - 50) / (100 + 50 / 2)
    days = [day("2021-12-31", 100), day("2022-12-31", 160, inflow=50), day("2023-12-31", 300)]

    assert modified_dietz(days) == D("1.2")


def test_a_large_flow_into_a_falling_market_tells_the_measures_apart():
    # +20 % on 1,000, then -10 % on 1,200 + 8,800: 1.2 x 0.9 = 1.08, though the owner has lost 800 of 9,800.
    days = [day("2021-12-31", 1000), day("2022-12-31", 10_000, inflow=8800), day("2023-12-31", 9000)]
    by_time = time_weighted_return(days, flow_timing=FlowTiming.END).time_weighted_return
    by_money = known(money_weighted_return(days).money_weighted_return)

    assert by_time == D("0.08")
    # 1000 (1+r)^2 + 8800 (1+r) = 9000
    growth = 1 + by_money
    assert 1000 * growth**2 + 8800 * growth == pytest.approx(D(9000), rel=D("1e-12"))
    assert by_money < 0
