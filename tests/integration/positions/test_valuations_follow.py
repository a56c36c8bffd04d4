"""Valuations follow the positions also where the market's news of one day concerns both, whichever is calculated first."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from decimal import Decimal

import pytest
from django.db import transaction as db_transaction

from orchestrator.models import Calculation
from orchestrator.operations import advance
from portfolio.streaming.messages import (
    Message,
    PositionCalculation,
    RawPortfolio,
    RawPrice,
    RawRate,
    SubmittedPortfolio,
    SubmittedPrice,
    SubmittedRate,
    ValuationCalculation,
)
from positions.models import DailyValuation, PositionChange
from positions.operations import calculate_positions
from positions.valuations import calculate_valuations
from tests import pipeline
from tests.pipeline import transaction

pytestmark = pytest.mark.django_db(transaction=True)

D = Decimal
NOW = datetime.datetime(2025, 1, 20, 12, tzinfo=datetime.UTC)


def told(*messages: Message, now: datetime.datetime = NOW) -> list[PositionCalculation | ValuationCalculation]:
    with db_transaction.atomic():
        return advance(messages=messages, quiet_s=0.0, now=now)


def calculated(asked: Iterable[PositionCalculation | ValuationCalculation]) -> list[Message]:
    dones: list[Message] = []
    for one in asked:
        if isinstance(one, PositionCalculation):
            dones += calculate_positions({one.portfolio_id: one}, now=NOW)
        else:
            dones += calculate_valuations({one.portfolio_id: one}, now=NOW)
    return dones


def settled(asked: list[PositionCalculation | ValuationCalculation]) -> None:
    while asked:
        asked = told(*calculated(asked))


def rate(value: str) -> RawRate:
    quote = SubmittedRate(from_currency="EUR", to_currency="USD", rate_date=datetime.date(2025, 1, 13), rate=D(value))
    return RawRate(fx_rate=quote)


def price() -> RawPrice:
    quote = SubmittedPrice(
        security_id="AAA", price_date=datetime.date(2025, 1, 13), price=D(10), currency="USD", version=1
    )
    return RawPrice(market_price=quote)


@pytest.fixture
def valued() -> None:
    """EUR 1,000 paid in on the 13th, at a rate of 1.0; and a share, so that prices concern the portfolio too."""
    portfolio = SubmittedPortfolio(portfolio_id="P1", base_currency="USD")
    early = SubmittedRate(from_currency="EUR", to_currency="USD", rate_date=datetime.date(2025, 1, 10), rate=D(1))
    pipeline.record_reference(RawPortfolio(portfolio=portfolio), RawRate(fx_rate=early))
    handled = pipeline.record(
        transaction("DEPOSIT", currency="EUR", gross_transaction_amount=D(1000), transaction_date="2025-01-13"),
        transaction("BUY", security_id="AAA", quantity=D(1), price=D(10), transaction_date="2025-01-13"),
    )
    settled(told(*[one.message for one in handled.publications]))


def day() -> DailyValuation:
    return DailyValuation.objects.get(portfolio_id="P1", valuation_date="2025-01-13")


def test_valuations_wait_for_positions_that_the_same_news_concerns(valued):
    """At the rate of its day, 1.2, the deposit came in as 1,200."""
    news = pipeline.record_reference(rate("1.2"), price())
    asked = told(*[one.message for one in news.publications])
    assert [type(one) for one in asked] == [PositionCalculation]

    settled(asked)

    assert (day().inflow, day().cash) == (1200, 1190)
    assert not PositionChange.objects.exists()
    assert not any(one.pending for one in Calculation.objects.all())


@pytest.mark.parametrize("lost", [False, True], ids=["told", "the news of it lost"])
def test_valuations_that_saw_more_of_the_market_than_the_positions_are_made_again_at_once(valued, lost):
    """A price alone sends valuations on their way; the rate is recorded before they look."""
    asked = told(*[one.message for one in pipeline.record_reference(price()).publications])
    assert [type(one) for one in asked] == [ValuationCalculation]
    news = pipeline.record_reference(rate("1.2"))
    dones = calculated(asked)

    settled(told(*(dones if lost else [*[one.message for one in news.publications], *dones])))

    assert (day().inflow, day().cash) == (1200, 1190)
    assert not PositionChange.objects.exists()
    assert not any(one.pending for one in Calculation.objects.all())
