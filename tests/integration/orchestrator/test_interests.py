"""The market's news reach whoever depends on it: once, in slices, and also those who came to depend on it just then."""

from __future__ import annotations

import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orchestrator import operations
from orchestrator.models import Interest, MarketRound
from portfolio.streaming.messages import HeldSince, MarketDataRecorded, PositionCalculation, PositionCalculationDone
from tests.integration.orchestrator.world import (
    AAPL,
    DAY,
    EUR,
    book,
    calculated,
    calculation,
    instrument,
    interests,
    market_seq,
    rate,
    settled,
    swept,
    told,
)

pytestmark = pytest.mark.django_db
USD = HeldSince(kind="CURRENCY", name="USD", since_date=DAY)
MSFT = HeldSince(kind="SECURITY", name="MSFT", since_date=DAY)


def asked_of(calculations: list[PositionCalculation]) -> list[str]:
    return [one.portfolio_id for one in calculations]


@pytest.mark.parametrize(
    ("held", "change", "concerned"),
    [
        (EUR, lambda: rate("EUR", "USD"), True),
        (EUR, lambda: rate("USD", "EUR"), True),
        (EUR, lambda: rate("EUR", "USD", datetime.date(2001, 1, 1)), True),  # it may be the last one before
        (EUR, lambda: rate("USD", "JPY"), False),
        (AAPL, lambda: instrument("AAPL"), True),
        (AAPL, lambda: instrument("MSFT"), False),
        (HeldSince(kind="SECURITY", name="EUR", since_date=DAY), lambda: rate("EUR", "USD"), False),
    ],
)
def test_a_rate_concerns_either_currency_and_an_instrument_its_holders(held, change, concerned):
    settled("P1", held)
    asked = told(change())
    assert asked == (
        [PositionCalculation(portfolio_id="P1", requested_seq=1, requested_market_seq=1, interests_seq=1)]
        if concerned
        else []
    )


def test_the_done_of_a_calculation_that_saw_the_market_closes_it():
    settled("P1", EUR)
    (asked,) = told(rate("EUR", "USD"))
    assert calculation("P1").pending
    assert told(calculated(asked, EUR)) == []
    assert not calculation("P1").pending
    assert calculation("P1").done_market_seq == 1


def test_a_price_requests_nothing():
    settled("P1", AAPL)
    assert told(MarketDataRecorded(kind="PRICE", name="AAPL", seq=1)) == []
    assert calculation("P1").requested_market_seq == 0


def test_a_flood_of_rates_is_one_request_a_portfolio():
    settled("P1", EUR, USD)
    settled("P2", USD)
    settled("P3", AAPL)
    flood = [rate("EUR", "USD", DAY - datetime.timedelta(days=n)) for n in range(200)]
    with CaptureQueriesContext(connection) as folded:
        asked = told(*flood * 50)
    assert [(one.portfolio_id, one.requested_market_seq) for one in asked] == [("P1", 200), ("P2", 200)]
    assert len(folded) < 15


def test_a_doubled_or_stale_message_finds_all_told():
    settled("P1", EUR)
    news = rate("EUR", "USD")
    (asked,) = told(news)
    told(calculated(asked))
    assert told(news, news) == []


def test_a_lost_message_is_made_good_by_the_sweep():
    settled("P1", EUR)
    rate("EUR", "USD")
    assert asked_of(swept().calculations) == ["P1"]


def test_news_for_more_portfolios_than_a_step_reaches_go_on_with_the_next(monkeypatch):
    monkeypatch.setattr(operations, "NEWS_PORTFOLIOS_MAX", 2)
    for name in ("P1", "P2", "P3", "P4", "P5"):
        settled(name, EUR)
    first = rate("EUR", "USD")
    assert asked_of(told(first)) == ["P1", "P2"]
    rate("EUR", "GBP")  # in the middle of the round: the next one tells it
    assert asked_of(told(first)) == ["P3", "P4"]
    assert asked_of(told(first)) == ["P5"]
    assert MarketRound.objects.get().told_seq == 1
    assert told(first) == [], "those of the second rate are on their way with the first"
    told(first)
    told(first)
    assert MarketRound.objects.get().told_seq == 2
    assert {calculation(f"P{n}").requested_market_seq for n in range(1, 6)} == {2}


def test_an_interest_recorded_late_asks_for_what_came_before_it():
    (asked,) = told(book("P1"))
    answer = calculated(asked, EUR)
    assert told(rate("EUR", "USD")) == [], "nobody was known to depend on it"
    (again,) = told(answer)
    assert (again.portfolio_id, again.requested_market_seq) == ("P1", 1)
    assert told(calculated(again, EUR)) == []
    assert not calculation("P1").pending


def test_an_interest_recorded_after_its_calculation_saw_the_market_asks_nothing():
    rate("EUR", "USD")
    (asked,) = told(book("P1"))
    assert told(calculated(asked, EUR)) == []
    assert not calculation("P1").pending


def test_a_newer_set_of_interests_replaces_the_older_and_never_the_other_way():
    settled("P1", EUR, AAPL)
    (asked,) = told(book("P1"))
    told(calculated(asked, AAPL, MSFT))
    assert interests("P1") == {"AAPL", "MSFT"}
    told(PositionCalculationDone(portfolio_id="P1", computed_seq=1, interests_seq=1, interests=(EUR,)))
    told(PositionCalculationDone(portfolio_id="P1", computed_seq=2))
    assert interests("P1") == {"AAPL", "MSFT"}
    told(PositionCalculationDone(portfolio_id="P1", computed_seq=2, interests_seq=3))
    assert interests("P1") == set()


def test_since_when_something_is_held_is_kept():
    settled("P1", EUR)
    earlier = HeldSince(kind="CURRENCY", name="EUR", since_date=datetime.date(2020, 2, 29))
    (asked,) = told(book("P1"))
    assert asked.interests_seq == 1
    told(calculated(asked, earlier))
    assert Interest.objects.get().since_date == datetime.date(2020, 2, 29)


def test_of_several_dones_of_a_batch_the_newest_interests_stand():
    (asked,) = told(book("P1"))
    older = calculated(asked, EUR)
    book("P1")
    newer = calculated(asked, AAPL)
    told(newer, older)
    assert interests("P1") == {"AAPL"}
    assert market_seq() == 0
