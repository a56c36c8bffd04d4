"""Valuations are owed upon every positions done, upon prices of what is held, and upon each new day."""

from __future__ import annotations

import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orchestrator.models import Calculation, Interest
from orchestrator.recalculation import recalculate
from portfolio.streaming.memory import MemoryBroker
from portfolio.streaming.messages import (
    HeldSince,
    MarketDataRecorded,
    PositionCalculationDone,
    ValuationCalculation,
    ValuationCalculationDone,
)
from tests.integration.orchestrator.world import (
    AAPL,
    DAY,
    EUR,
    all_swept,
    all_told,
    at,
    book,
    book_many,
    calculated,
    calculation,
    failed,
    instrument,
    price,
    rate,
    settled,
    told,
    valuation,
    valuations_told,
    valued,
)

pytestmark = pytest.mark.django_db
NEXT_DAY_S = 12 * 3600
"""From noon to midnight."""


def days_after(number: int) -> datetime.date:
    return DAY + datetime.timedelta(days=number)


def swept_valuations(seconds: float = 0, after: str = "") -> list[ValuationCalculation]:
    calculations = all_swept(seconds=seconds, after=after).calculations
    return [one for one in calculations if isinstance(one, ValuationCalculation)]


def test_a_valuation_follows_the_positions_done_and_its_done_closes_it():
    (asked,) = told(book("P1", times=3))
    (follows,) = all_told(calculated(asked))
    assert follows == ValuationCalculation(portfolio_id="P1", requested_seq=3, requested_date=DAY)
    assert valuation("P1").pending
    assert all_told(valued(follows)) == []
    row = valuation("P1")
    assert (row.state, row.pending, row.done_seq, row.done_date) == ("IDLE", False, 3, DAY)


def test_a_positions_failure_asks_for_no_valuation():
    (asked,) = told(book("P1"))
    assert all_told(failed(asked)) == []
    assert not Calculation.objects.filter(kind="VALUATIONS").exists()


def test_one_valuation_is_on_its_way_and_what_is_done_meanwhile_is_dispatched_as_one():
    (asked,) = told(book("P1"))
    (first,) = valuations_told(calculated(asked))
    for _ in range(3):
        (asked,) = told(book("P1"))
        assert valuations_told(calculated(asked)) == []
    (second,) = valuations_told(ValuationCalculationDone(portfolio_id="P1", computed_seq=1, valued_until=DAY))
    assert (first.requested_seq, second.requested_seq) == (1, 4)
    assert all_told(valued(second)) == []


def test_positions_and_valuations_of_a_portfolio_are_on_their_way_side_by_side():
    told(book("P1"))
    wake = book("P1")
    positions, values = all_told(PositionCalculationDone(portfolio_id="P1", computed_seq=1), wake)
    assert (positions.requested_seq, values.requested_seq) == (2, 1)
    assert isinstance(values, ValuationCalculation)


@pytest.mark.parametrize(
    ("held", "change", "concerned"),
    [
        (AAPL, lambda: price("AAPL"), True),
        (AAPL, lambda: price("MSFT"), False),
        (HeldSince(kind="CURRENCY", name="AAPL", since_date=DAY), lambda: price("AAPL"), False),
        (AAPL, lambda: price("AAPL", days_after(-9)), True),  # it may be the last one before
    ],
)
def test_a_price_asks_its_holders_for_valuations_and_for_nothing_else(held, change, concerned):
    settled("P1", held)
    expected = ValuationCalculation(portfolio_id="P1", requested_seq=1, requested_market_seq=1, requested_date=DAY)
    assert all_told(change()) == ([expected] if concerned else [])
    assert calculation("P1").requested_market_seq == 0


def test_a_price_that_another_one_follows_before_anything_was_held_asks_nobody():
    settled("P1", AAPL)
    told(price("AAPL", days_after(-2)))
    row = valuation("P1").requested_market_seq
    assert all_told(price("AAPL", days_after(-3))) == []
    assert valuation("P1").requested_market_seq == row


@pytest.mark.parametrize("change", [lambda: rate("EUR", "USD"), lambda: instrument("AAPL")])
def test_what_changes_positions_takes_the_valuations_along(change):
    settled("P1", EUR, AAPL)
    news = change()
    (asked,) = told(news)
    assert valuations_told(news) == [], "not yet"
    (follows,) = valuations_told(calculated(asked))
    assert (follows.requested_seq, follows.requested_market_seq) == (1, 1)


def test_a_rate_of_a_currency_that_prices_are_quoted_in_asks_for_valuations():
    (asked,) = told(book("P1"))
    assert len(valuations_told(calculated(asked, AAPL))) == 1
    assert all_told(rate("CHF", "USD")) == [], "nobody is known to depend on it"
    before_it = ValuationCalculationDone(portfolio_id="P1", computed_seq=1, valued_until=DAY, quoted_in=("CHF",))
    (again,) = valuations_told(before_it)
    assert again.requested_market_seq == 1, "it came after what the calculation saw"
    assert all_told(valued(again, "CHF")) == []
    (later,) = all_told(rate("CHF", "USD"))
    assert isinstance(later, ValuationCalculation)


def test_new_interests_of_positions_leave_the_currencies_of_quotes_alone():
    settled("P1", AAPL)
    told(ValuationCalculationDone(portfolio_id="P1", computed_seq=1, quoted_in=("CHF", "GBP")))
    (asked,) = told(book("P1"))
    told(calculated(asked, EUR))
    assert set(Interest.objects.values_list("kind", "name")) == {
        ("CURRENCY", "EUR"),
        ("QUOTE", "CHF"),
        ("QUOTE", "GBP"),
    }


def test_an_interest_recorded_late_asks_for_the_price_that_came_before_it():
    (asked,) = told(book("P1"))
    answer = calculated(asked, AAPL)
    assert all_told(price("AAPL")) == []
    (follows,) = all_told(answer)
    assert (follows.requested_seq, follows.requested_market_seq) == (1, 1)


# --- failures and losses ------------------------------------------------------------------------------------------


def test_a_failed_valuation_is_tried_again_and_does_not_touch_the_positions(settings):
    settings.CALCULATION_ATTEMPTS_MAX = 2
    (asked,) = told(book("P1"))
    (follows,) = valuations_told(calculated(asked))
    cannot = ValuationCalculationDone(portfolio_id="P1", computed_seq=0, error="a division by zero")
    assert all_told(cannot) == []
    assert (valuation("P1").state, valuation("P1").error) == ("FAILED", "a division by zero")
    assert calculation("P1").state == "IDLE"
    assert swept_valuations(seconds=60) == [follows]
    all_told(cannot, seconds=61)
    assert swept_valuations(seconds=9000) == [], "given up"
    broker = MemoryBroker({MarketDataRecorded.TOPIC: 1})
    recalculate(portfolio_ids=["P1"], rebuild=False, producer=broker.producer(), now=at(9001))
    wake = MarketDataRecorded(kind="PORTFOLIO", name="P1", seq=1)
    assert all_told(wake, seconds=9002) == [follows], "until a person asks again"


def test_a_lost_done_of_positions_a_lost_dispatch_and_a_lost_price_are_found_by_the_sweep(settings):
    settings.DISPATCH_TIMEOUT_S = 30
    settled("P1", AAPL)
    Calculation.objects.filter(kind="POSITIONS").update(requested_seq=2, dispatched_seq=2, done_seq=2)
    (follows,) = swept_valuations(seconds=1)
    assert follows.requested_seq == 2
    assert swept_valuations(seconds=29) == []
    assert swept_valuations(seconds=31) == [follows]
    all_told(valued(follows))
    price("AAPL")
    (by_price,) = swept_valuations(seconds=40)
    assert by_price.requested_market_seq == 1


def test_positions_that_were_done_before_there_were_valuations_are_valued():
    settled("P1")
    Calculation.objects.filter(kind="VALUATIONS").delete()
    (follows,) = swept_valuations()
    assert follows.requested_seq == 1


# --- a new day ----------------------------------------------------------------------------------------------------


def test_a_new_day_asks_once_for_its_value(settings):
    settings.DISPATCH_TIMEOUT_S = 30
    settled("P1")
    assert swept_valuations(seconds=NEXT_DAY_S - 1) == []
    (asked,) = swept_valuations(seconds=NEXT_DAY_S)
    assert asked == ValuationCalculation(portfolio_id="P1", requested_seq=1, requested_date=days_after(1))
    assert valuation("P1").pending
    late = ValuationCalculationDone(portfolio_id="P1", computed_seq=1, valued_until=DAY)
    assert all_told(late, seconds=NEXT_DAY_S + 1) == []
    assert valuation("P1").pending, "an answer of yesterday closes nothing"
    assert all_told(valued(asked, seconds=NEXT_DAY_S), seconds=NEXT_DAY_S + 2) == []
    assert not valuation("P1").pending
    assert swept_valuations(seconds=2 * NEXT_DAY_S - 1) == []


def test_the_portfolios_of_a_new_day_are_spread_over_the_walks(settings):
    settings.NEW_DAY_PORTFOLIOS_MAX = 2
    for name in ("P1", "P2", "P3", "P4", "P5"):
        settled(name)
    found = [[one.portfolio_id for one in swept_valuations(seconds=NEXT_DAY_S + n)] for n in range(4)]
    assert found == [["P1", "P2"], ["P3", "P4"], ["P5"], []]


def test_what_was_never_valued_is_not_owed_a_new_day():
    told(book("P1"))
    assert swept_valuations(seconds=NEXT_DAY_S) == []


# --- many ---------------------------------------------------------------------------------------------------------


def test_the_closes_of_a_day_reach_all_their_holders_in_a_handful_of_statements():
    names = [f"S{n:03}" for n in range(100)]
    held = [HeldSince(kind="SECURITY", name=name, since_date=DAY) for name in names]
    asked = told(*book_many(f"P{n:03}" for n in range(200)))
    follow = valuations_told(*[calculated(one, *held) for one in asked])
    assert all_told(*[valued(one) for one in follow]) == []
    closes = [price(name) for name in names]
    with CaptureQueriesContext(connection) as queries:
        wanted = all_told(*closes)
    assert len(wanted) == 200
    assert {one.requested_market_seq for one in wanted} == {100}
    assert len(queries) <= 12
