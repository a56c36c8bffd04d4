"""Figures that handbooks and courses give for small cases of flows, worked here from end-of-day values.

Each case names where its figures are printed. The example of Excel's page on XIRR is in test_money_weighted, Bacon's
examples of attribution and risk are in test_published_risk; what is worked by hand and published nowhere says so.
"""

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


def as_printed(figure: Decimal | float | Unavailable, printed: str) -> bool:
    """Whether the figure, rounded to as many decimals as are printed, is what is printed."""
    return known(figure).quantize(D(printed)) == D(printed)


# Textbooks let a purchase at the end of a year work from then on: flows at the end of their day.
# (name, the ends of three years, money-weighted and time-weighted return a year as printed)
TWO_YEARS = [
    # CFA Program, Level I, "Discounted cash flow applications", on money- and time-weighted returns: 100, another for
    # 120 with 2 of dividend; both worth 130, 2 each: 122/100 and 264/240.
    ("two shares", [(100,), (240, 120, 2), (260, 0, 4)], "0.1386", "0.1584"),
    # The same reading: 200, another for 225 with 5 of dividend; both sold at 235, 5 each: 230/200 and 480/450. Printed
    # as 9.4 and 10.8 %.
    ("two dearer shares", [(200,), (450, 225, 5), (0, 0, 480)], "0.094", "0.108"),
    # A question for that examination: four at 50, two sold at 50; the others at 80, 5 each: 1 and 170/100.
    ("four shares", [(200,), (100, 0, 100), (0, 0, 170)], "0.2052", "0.3038"),
    # Another: 100, three more at 89 with 1 of dividend; all sold at 98, 1 each. 6.35 % by money; by time it is worked
    # by hand: 90/100 and 396/356, the root of 1.00112.
    ("three fallen shares", [(100,), (356, 267, 1), (0, 0, 396)], "0.0635", "0.0006"),
]


@pytest.mark.parametrize(
    ("values", "by_money", "by_time"), [case[1:] for case in TWO_YEARS], ids=[c[0] for c in TWO_YEARS]
)
def test_two_years_of_shares(values, by_money, by_time):
    days = [day(f"{2021 + number}-12-31", *of_year) for number, of_year in enumerate(values)]

    linked = time_weighted_return(days, flow_timing=FlowTiming.END)

    assert as_printed(money_weighted_return(days).money_weighted_return, by_money)
    assert as_printed(linked.time_weighted_return_annualized, by_time)


def test_the_composite_of_a_month_by_modified_dietz():
    """2.45 % (CFA Program, Level III, on GIPS composites; a solution is printed by Bloomberg Exam Prep).

    (602.34 - 585.60 - 2.23) / (585.60 - 15.05 x 26/31 + 19.82 x 22/31 + 16.42 x 16/31 - 18.96 x 7/31) = 14.51 / 591.24
    """
    days = [
        day("2022-09-30", "585.60"),
        day("2022-10-05", 1, outflow="15.05"),
        day("2022-10-09", 1, inflow="19.82"),
        day("2022-10-15", 1, inflow="16.42"),
        day("2022-10-24", 1, outflow="18.96"),
        day("2022-10-31", "602.34"),
    ]
    assert round(known(modified_dietz(days)), 4) == D("0.0245")


def test_the_month_of_the_gips_handbook_by_modified_dietz():
    """15.31 % (CFA Institute, "GIPS Standards Handbook for Firms", 2020, pp. 103-105): 100,000 became 135,000 in a month
    of 30 days; 2,000 went on the 6th, 20,000 came on the 11th.

    (135,000 - 100,000 - 18,000) / (100,000 - 2,000 x 24/30 + 20,000 x 19/30) = 17,000 / 111,066.67
    """
    days = [
        day("2024-03-31", 100_000),
        day("2024-04-06", 1, outflow=2000),
        day("2024-04-11", 1, inflow=20_000),
        day("2024-04-30", 135_000),
    ]
    assert as_printed(modified_dietz(days), "0.1531")


def test_two_years_with_money_at_half_time_by_modified_dietz():
    # 120 % (Wikipedia, "Modified Dietz method").
    # 100 became 300 with 50 more after the first of two years of 365 days: (300 - 100 - 50) / (100 + 50 / 2)
    days = [day("2021-12-31", 100), day("2022-12-31", 160, inflow=50), day("2023-12-31", 300)]

    assert modified_dietz(days) == D("1.2")


def test_a_large_flow_into_a_falling_market_tells_the_measures_apart():
    # Worked by hand.
    # +20 % on 1,000, then -10 % on 1,200 + 8,800: 1.2 x 0.9 = 1.08, though the owner has lost 800 of 9,800.
    days = [day("2021-12-31", 1000), day("2022-12-31", 10_000, inflow=8800), day("2023-12-31", 9000)]
    by_time = time_weighted_return(days, flow_timing=FlowTiming.END).time_weighted_return
    by_money = known(money_weighted_return(days).money_weighted_return)

    assert by_time == D("0.08")
    # 1000 (1+r)^2 + 8800 (1+r) = 9000
    growth = 1 + by_money
    assert 1000 * growth**2 + 8800 * growth == pytest.approx(D(9000), rel=D("1e-12"))
    assert by_money < 0
