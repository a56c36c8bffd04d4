"""Parts of a portfolio, the days that returns need, and benchmarks: laws over random histories, and figures by hand."""

from __future__ import annotations

import datetime
import json
import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portfolio.amounts import Quoted, amount_of, number_of, total
from portfolio.money import exact
from positions.analytics.benchmark import Benchmark, benchmark_money_weighted_return, benchmark_return
from positions.analytics.days import Day
from positions.analytics.history import History
from positions.analytics.parts import part_days
from positions.analytics.performance import SeriesOf, days_needed, marks, performance, telling_days
from positions.analytics.periods import Period, month_ends, standard_periods
from positions.analytics.returns import FlowTiming
from positions.analytics.series import daily_values
from positions.analytics.statement import statement
from positions.analytics.unavailable import Unavailable
from positions.engine.holdings import Kind
from positions.engine.rates import RateTable
from positions.engine.valuation import MarketPrice
from positions.evaluation import evaluate
from tests.unit.positions.test_statement_laws import a_request

D = Decimal
ONE_DAY = datetime.timedelta(days=1)
NEW_YEAR = datetime.date(2024, 12, 31)
seeds = st.integers(0, 2**32)


def a_history_of(seed: int) -> tuple[History, Period]:
    """The history that a random request is booked to, and its period."""
    seen: list[tuple[History, Period]] = []

    def look(history: History, period: Period, _: str | None) -> dict[str, Any]:
        seen.append((history, period))
        return {}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("positions.evaluation.period_answers", look)
        evaluate(json.dumps(a_request(seed)).encode(), today=datetime.date(2025, 3, 1))
    return seen[0]


# --- parts --------------------------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(seed=seeds)
def test_the_parts_add_up_to_the_securities_of_every_day(seed):
    history, period = a_history_of(seed)
    securities = sorted({key.security_id for key in history.timelines if key.kind is Kind.SECURITY})
    cut = random.Random(seed).randint(0, len(securities))

    parts = [part_days(history, part, period.start, period.end) for part in (securities[:cut], securities[cut:])]

    with exact():
        for whole, one, other in zip(daily_values(history, period.start, period.end), *parts, strict=True):
            assert one.value + other.value == whole.securities or whole.securities.is_nan()


@settings(max_examples=100, deadline=None)
@given(seed=seeds)
def test_the_result_of_a_part_is_the_gains_of_its_rows_in_the_statement(seed):
    """closing - opening - in + out = price gain + FX gain + income - fees - taxes."""
    history, period = a_history_of(seed)
    securities = sorted({key.security_id for key in history.timelines if key.kind is Kind.SECURITY})
    part = random.Random(seed).sample(securities, random.Random(seed).randint(0, len(securities)))
    rows = [row for row in statement(history, period.start, period.end).holdings if row.key.security_id in part]

    days = part_days(history, part, period.start, period.end)

    with exact():
        result = days[-1].value - days[0].value - sum(d.inflow - d.outflow for d in days[1:])
        gained = number_of(total(r.price_gain + r.fx_gain + r.income - r.fees - r.taxes for r in rows))
        assert abs(result - gained) < D("1e-8")
        assert all(d.inflow >= 0 and d.outflow >= 0 for d in days)


# --- the days that returns need -----------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(seed=seeds, timing=st.sampled_from(FlowTiming), gross=st.booleans())
def test_the_days_that_tell_something_make_the_returns_of_all_days(seed, timing, gross):
    history, period = a_history_of(seed)
    of = {"first_transaction": history.first_date}
    first = days_needed(period.start, period.end, history.first_date)
    every_day = daily_values(history, first, period.end)
    measured = {**of, "flow_timing": timing, "gross": gross}

    wholly = performance(every_day, period, **measured)
    telling = telling_days(every_day, marks(period, history.first_date, SeriesOf.MONTHLY), gross=gross)
    briefly = performance(telling, period, **measured, series_of=SeriesOf.MONTHLY)

    assert briefly.returns == wholly.returns
    assert briefly.periods == wholly.periods
    daily = {point.date: point.cumulative for point in wholly.series}
    for point in briefly.series:
        assert same(point.cumulative, daily[point.date])
    if wholly.series:
        assert same(wholly.series[-1].cumulative, wholly.returns.time_weighted.time_weighted_return)


def same(one, other):
    if isinstance(one, Unavailable) or isinstance(other, Unavailable):
        return one == other
    return abs(one - other) <= D("1e-17") * (1 + abs(other))


def test_of_a_quiet_year_only_the_marks_tell_anything():
    days = [Day(NEW_YEAR + number * ONE_DAY, D(1000 + number), securities=D(1000 + number)) for number in range(366)]
    days[100] = Day(days[100].date, D(2000), inflow=D(900))
    period = Period(days[0].date, days[-1].date)

    telling = telling_days(days, marks(period, None, SeriesOf.NONE), gross=False)

    starts = {of.start for of in standard_periods(period.end, first_transaction=None).values()}
    beside = {days[number].date for number in (99, 100, 101)}
    assert [day.date for day in telling] == sorted(
        (starts | beside | {period.start, period.end}) & {d.date for d in days}
    )


def test_the_ends_of_months_are_within_the_period():
    ends = month_ends(Period(datetime.date(2024, 11, 30), datetime.date(2025, 2, 28)))

    assert ends == [datetime.date(2024, 12, 31), datetime.date(2025, 1, 31), datetime.date(2025, 2, 28)]


# --- benchmarks ---------------------------------------------------------------------------------------------------

START, MIDDLE, END = NEW_YEAR, datetime.date(2025, 7, 1), datetime.date(2025, 12, 31)
YEAR = Period(START, END)


def an_index(**prices):
    """In euro for a portfolio in dollar: 1.00 at the start, 1.20 from July on."""
    rates = RateTable()
    rates.put("EUR", "USD", START, D("1.00"))
    rates.put("EUR", "USD", MIDDLE, D("1.20"))
    quoted = {"start": START, "middle": MIDDLE, "end": END}
    return Benchmark("INDEX", "USD", rates, {quoted[name]: in_euro(p, quoted[name]) for name, p in prices.items()})


def in_euro(price, day):
    return MarketPrice(amount_of(D(price), Quoted), "EUR", day)


def test_a_benchmarks_return_is_that_of_its_price_in_base():
    # 110 x 1.2 / (100 x 1.0) - 1
    assert benchmark_return(an_index(start=100, end=110), YEAR) == D("0.32")


def test_the_same_flows_in_the_benchmark():
    # 1000 at 100 are 10 units; 660 taken out in July at 110 x 1.2 = 132 are 5: 5 x 110 x 1.2 = 660 are left.
    days = [Day(START, D(1000)), Day(MIDDLE, D(900), outflow=D(660)), Day(END, D(7))]
    found = benchmark_money_weighted_return(an_index(start=100, middle=110, end=110), days, YEAR)

    assert not isinstance(found.money_weighted_return, Unavailable)
    growth = 1 + found.money_weighted_return
    assert -1000 + 660 / growth ** ((MIDDLE - START).days / 365) + 660 / growth == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    "benchmark",
    [
        an_index(end=110),
        an_index(start=100),
        an_index(start=0, end=110),
        Benchmark("INDEX", "CHF", RateTable(), {START: in_euro(1, START), END: in_euro(1, END)}),
    ],
)
def test_a_benchmark_without_a_worth_at_either_end_is_none(benchmark):
    found = benchmark_return(benchmark, YEAR)
    by_money = benchmark_money_weighted_return(benchmark, [Day(START, D(1000)), Day(END, D(1100))], YEAR)

    assert isinstance(found, Unavailable)
    assert found.code == "NO_BENCHMARK"
    assert by_money.money_weighted_return == found


def test_a_portfolio_whose_opening_value_is_unknown_has_nothing_to_put_into_the_benchmark():
    days = [Day(START, D("NaN"), missing="MISSING_PRICE"), Day(END, D(1100))]
    found = benchmark_money_weighted_return(an_index(start=100, end=110), days, YEAR).money_weighted_return

    assert isinstance(found, Unavailable)
    assert found.code == "MISSING_PRICE"
