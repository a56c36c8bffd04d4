"""Figures of other programs: returns and risk, as facts from their test suites.

tests/data/conformance_returns.json names the project and file each case was taken from. XIRR from cash flows, time-weighted
returns and drawdowns from holdings and prices, statistics from series of returns. Their annual figures of series shorter
than a year are not compared: here such a period has none.
"""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from portfolio.money import ZERO
from positions.analytics.days import Day
from positions.analytics.drawdown import drawdowns
from positions.analytics.money_weighted import CashFlow, internal_rate_of_return
from positions.analytics.returns import (
    FlowTiming,
    annualized,
    cumulative_returns,
    daily_returns,
    linked,
    time_weighted_return,
)
from positions.analytics.risk import downside_risk, ratio, sharpe_ratio, sortino_ratio, volatility
from positions.analytics.unavailable import unavailable

D = Decimal
ONE_DAY = datetime.timedelta(days=1)
CASES = json.loads(
    (Path(__file__).resolve().parents[3] / "data" / "conformance_returns.json").read_text(), parse_float=D
)


def cases(*, kind, figure):
    return [
        pytest.param(case, id=case["name"]) for case in CASES if case["kind"] == kind and figure in case["expected"]
    ]


def date(text):
    return datetime.date.fromisoformat(text)


def days_of_case(case):
    """The days from before the first transaction on: units times the last price; purchases come in, sales go out."""
    first = min(date(t["date"]) for t in case["transactions"])
    last = max(date(fact["date"]) for fact in [*case["transactions"], *case["prices"]])
    units, price, days, day = dict[str, D](), dict[str, D](), [], first - ONE_DAY
    while day <= last:
        inflow = outflow = ZERO
        price |= {p["symbol"]: D(p["price"]) for p in case["prices"] if date(p["date"]) == day}
        for t in (t for t in case["transactions"] if date(t["date"]) == day):
            bought = t["type"] == "BUY"
            quantity = D(t["quantity"]) * (1 if bought else -1)
            units[t["symbol"]] = units.get(t["symbol"], ZERO) + quantity
            amount = D(t["quantity"]) * D(t["unit_price"])
            inflow, outflow = (inflow + amount, outflow) if bought else (inflow, outflow + amount)
        value = sum((count * price[symbol] for symbol, count in units.items()), ZERO)
        days.append(Day(day, value, inflow=inflow, outflow=outflow))
        day += ONE_DAY
    return days


@pytest.mark.parametrize("case", cases(kind="xirr", figure="xirr"))
def test_the_money_weighted_return_is_that_of_the_peer(case):
    flows = [CashFlow(date(t["date"]), D(t["amount"])) for t in case["transactions"]]
    days = [flow.date for flow in flows]
    found = internal_rate_of_return(flows, start=min(days), end=max(days))
    # Where there are several roots, theirs may be another than the one nearest to 0.
    roots = case.get("all_roots_found", [])
    expected = min(roots, key=abs) if roots else case["expected"]["xirr"]

    assert found.money_weighted_return_annualized == (
        unavailable("NO_ROOT") if expected is None else pytest.approx(float(expected), abs=float(case["tolerance"]))
    )
    assert found.flags == ({"MULTIPLE_ROOTS"} if len(roots) > 1 else set())


@pytest.mark.parametrize("case", cases(kind="twr", figure="twr_series"))
def test_the_time_weighted_return_is_that_of_the_peer(case):
    # They measure before the purchases of a day.
    series = {one.date: one.cumulative for one in cumulative_returns(days_of_case(case), flow_timing=FlowTiming.END)}

    assert [series[date(day)] for day, _ in case["expected"]["twr_series"]] == [
        pytest.approx(D(expected), abs=D(case["tolerance"])) for _, expected in case["expected"]["twr_series"]
    ]


@pytest.mark.parametrize("case", cases(kind="twr", figure="warning"))
def test_a_gain_without_capital_is_noticed_as_by_the_peer(case):
    (interest,) = case["transactions"]
    paid, amount = date(interest["date"]), D(interest["amount"])
    first, last = date(case["period_start"]), date(case["period_end"])
    days = [first + ONE_DAY * number for number in range((last - first).days + 1)]
    found = time_weighted_return([Day(day, amount if day >= paid else ZERO) for day in days])

    assert found.time_weighted_return == 0
    assert found.flags == {"GAIN_WITHOUT_CAPITAL"}


def daily_rates(case):
    rates = [day.rate for day in daily_returns(days_of_case(case))]
    return [float(rate) for rate in rates if isinstance(rate, Decimal)]


def drawdowns_of(rates, start=datetime.date(2020, 1, 1)):
    return drawdowns([(start + ONE_DAY * number, rate) for number, rate in enumerate(rates, 1)], start=start)


@pytest.mark.parametrize("case", cases(kind="risk", figure="max_drawdown"))
def test_the_drawdown_is_that_of_the_peer(case):
    series = case.get("series", {})
    if "cumulative" in series:
        growth = [1.0, *(1 + float(total) for total in series["cumulative"])]
        rates = [after / before - 1 for before, after in pairwise(growth)]
    elif "returns" in series:
        rates = [float(rate) for rate in series["returns"]]
    else:
        rates = daily_rates(case)

    assert drawdowns_of(rates).maximum.depth == pytest.approx(
        float(case["expected"]["max_drawdown"]), abs=float(case["tolerance"])
    )


@pytest.mark.parametrize("case", cases(kind="risk", figure="drawdown_series"))
def test_the_drawdown_of_every_day_is_that_of_the_peer(case):
    rates = daily_rates(case)

    assert [-drawdowns_of(rates[:count]).current for count in range(1, len(rates) + 1)] == [
        pytest.approx(float(expected), abs=float(case["tolerance"])) for expected in case["expected"]["drawdown_series"]
    ]


def statistics(case):
    returns = [float(rate) for rate in case["series"]["returns"]]
    a_year = case["series"]["periods_per_year"]
    days = len(returns) * 365 // a_year
    annual = annualized(linked(D(repr(rate)) for rate in returns), days)
    found = {
        "volatility": lambda: volatility(returns, a_year),
        "downside_risk": lambda: downside_risk(returns, periods_per_year=a_year),
        "sharpe": lambda: sharpe_ratio(returns, periods_per_year=a_year),
        "sortino": lambda: sortino_ratio(returns, periods_per_year=a_year),
        "calmar": lambda: ratio(float(case["expected"]["annual_return"]), drawdowns_of(returns).maximum.depth),
    }
    if isinstance(annual, Decimal):
        found["annual_return"] = lambda: float(annual)
    return {name: found[name]() for name in case["expected"] if name in found}


@pytest.mark.parametrize(
    "case", [case for case in CASES if "returns" in case.get("series", {})], ids=lambda c: c["name"]
)
def test_the_statistics_are_those_of_the_peer(case):
    found = statistics(case)

    assert found
    assert found == {name: pytest.approx(float(case["expected"][name]), abs=float(case["tolerance"])) for name in found}


def test_no_figure_of_a_peer_is_lost_unseen():
    compared = {"xirr", "twr_series", "warning", "max_drawdown", "drawdown_series"}
    compared |= {name for case in CASES if "returns" in case.get("series", {}) for name in statistics(case)}

    # "twr" is the last of its series.
    assert {name for case in CASES for name in case["expected"]} - compared == {"twr"}
