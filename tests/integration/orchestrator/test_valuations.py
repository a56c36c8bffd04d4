"""Valuations are owed upon every positions done, upon prices of what is held, and upon each new day."""

from __future__ import annotations

import datetime

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from orchestrator.models import Calculation, Interest
from orchestrator.quiet import dispatch_values
from orchestrator.recalculation import recalculate
from portfolio.streaming.memory import MemoryBroker
from portfolio.streaming.messages import (
    HeldSince,
    MarketDataRecorded,
    PositionCalculation,
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


# --- waiting for the positions ------------------------------------------------------------------------------------


def test_valuations_wait_while_positions_are_owed_and_go_with_the_done_that_leaves_nothing():
    told(book("P1"))
    (second,) = all_told(PositionCalculationDone(portfolio_id="P1", computed_seq=1), book("P1"))
    assert isinstance(second, PositionCalculation), "and no values of what is about to change"
    row = valuation("P1")
    assert (row.requested_seq, row.state, row.pending) == (1, "IDLE", True), "owed all the same"
    (values,) = all_told(calculated(second))
    assert values == ValuationCalculation(portfolio_id="P1", requested_seq=2, requested_date=DAY)


def test_valuations_wait_for_trades_that_nobody_has_told_of_yet():
    told(book("P1"))
    wake = book("P1")
    (second,) = all_told(PositionCalculationDone(portfolio_id="P1", computed_seq=1))
    assert (second.requested_seq, type(second)) == (2, PositionCalculation)
    book("P1")
    third = all_told(wake, PositionCalculationDone(portfolio_id="P1", computed_seq=2), seconds=1)
    assert third == [PositionCalculation(portfolio_id="P1", requested_seq=3)]


@pytest.mark.parametrize("change", [lambda: price("AAPL"), lambda: rate("EUR", "USD")])
def test_a_price_waits_for_trades_and_a_rate_for_the_positions_it_concerns(change):
    settled("P1", AAPL, EUR)
    (asked,) = told(book("P1"))
    news = change()
    assert valuations_told(news) == []
    told(calculated(asked))
    follow = valuation("P1")
    assert (follow.dispatched_seq, follow.dispatched_market_seq) == (2, 1)


def test_trades_without_end_let_values_be_made_every_so_often(settings):
    """A trade every second, calculated in one: values go after 10 s, and 10 s after they were made (in 3 s)."""
    settings.VALUATIONS_WAIT_MAX_S = 10.0
    (asked,) = told(book("P1"), seconds=0)
    moments = []
    answers: dict[int, ValuationCalculationDone] = {}
    for second in range(1, 40):
        done = calculated(asked)
        (asked,) = told(book("P1"), seconds=second - 0.5) or [asked]
        due = [answers.pop(second)] if second in answers else []
        out = all_told(done, book("P1"), *due, seconds=second)
        (asked,) = [one for one in out if isinstance(one, PositionCalculation)]
        for values in [one for one in out if isinstance(one, ValuationCalculation)]:
            moments.append(second)
            answers[second + 3] = valued(values)
    assert moments == [11, 24, 37]


def test_the_sweep_finds_values_that_have_waited_long_enough(settings):
    settings.VALUATIONS_WAIT_MAX_S, settings.DISPATCH_TIMEOUT_S = 10.0, 600.0
    told(book("P1"))
    all_told(PositionCalculationDone(portfolio_id="P1", computed_seq=1), book("P1"))
    assert swept_valuations(seconds=9.9) == []
    assert [one.requested_seq for one in swept_valuations(seconds=10)] == [1]


def test_positions_that_have_failed_are_not_waited_for():
    settled("P1", AAPL)
    (asked,) = told(book("P1"))
    assert valuations_told(price("AAPL")) == []
    (values,) = valuations_told(failed(asked))
    assert (values.requested_seq, values.requested_market_seq) == (1, 1)
    all_told(valued(values))
    (at_once,) = valuations_told(price("AAPL"))
    assert at_once.requested_market_seq == 2


def test_values_wait_until_positions_have_stood_still(settings):
    settings.VALUATIONS_QUIET_S = 2.0
    (asked,) = told(book("P1"))
    assert valuations_told(calculated(asked), seconds=1) == []
    assert swept_valuations(seconds=2.9) == []
    with transaction.atomic():
        (values,) = dispatch_values(portfolio_ids=["P1", "P2"], quiet_s=2.0, now=at(3))
    assert isinstance(values, ValuationCalculation)
    all_told(valued(values), seconds=3)
    (asked,) = told(book("P1"), seconds=4)
    told(calculated(asked), seconds=5)
    assert [one.requested_seq for one in swept_valuations(seconds=7)] == [2], "the sweep finds them too"


def test_a_price_of_a_portfolio_that_stands_still_is_valued_at_once(settings):
    settled("P1", AAPL)
    settings.VALUATIONS_QUIET_S = 2.0
    assert len(valuations_told(price("AAPL"), seconds=2)) == 1


# --- values that have seen more of the market than their positions ------------------------------------------------


def test_values_made_before_their_positions_have_followed_a_rate_are_asked_for_again_when_these_have():
    """The rate comes between the dispatch, for a price, and the snapshot. Nobody has told the orchestrator of it."""
    settled("P1", AAPL, EUR)
    (values,) = valuations_told(price("AAPL"))
    rate("EUR", "USD")
    (positions,) = told(valued(values, to_follow=2))
    assert positions == PositionCalculation(portfolio_id="P1", requested_seq=1, requested_market_seq=2, interests_seq=1)
    row = valuation("P1")
    assert (row.state, row.pending, row.done_market_seq) == ("IDLE", True, 0), "nothing is done that is not"
    (again,) = valuations_told(calculated(positions))
    assert again.requested_market_seq == 2
    assert all_told(valued(again, to_follow=2)) == []
    assert not valuation("P1").pending


def test_an_answer_to_an_earlier_dispatch_closes_none_that_asks_for_more():
    settled("P1", AAPL, EUR)
    (values,) = valuations_told(price("AAPL"))
    rate("EUR", "USD")
    early = valued(values, to_follow=2)
    Calculation.objects.filter(kind="VALUATIONS").update(requested_market_seq=3, dispatched_market_seq=3)
    told(early)
    assert valuation("P1").state == "DISPATCHED"


def test_values_that_await_positions_which_fail_are_not_made_over_and_over(settings):
    settings.CALCULATION_ATTEMPTS_MAX, settings.DISPATCH_TIMEOUT_S = 1, 30
    settled("P1", AAPL, EUR)
    (values,) = valuations_told(price("AAPL"))
    rate("EUR", "USD")
    (positions,) = told(valued(values, to_follow=2))
    (again,) = valuations_told(failed(positions), seconds=1)
    assert all_told(valued(again, to_follow=2), seconds=2) == []
    assert swept_valuations(seconds=30) == []
    assert swept_valuations(seconds=31) == [again], "as often as what nobody answers"
    assert valuation("P1").pending


# --- the market ---------------------------------------------------------------------------------------------------


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
