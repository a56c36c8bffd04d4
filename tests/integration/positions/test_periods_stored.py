"""Statement and performance over REST are, digit by digit, what a what-if makes of the same history."""

from __future__ import annotations

import datetime
import json
import random
from typing import Any

import msgspec
import pytest
from django.contrib.auth.models import User
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from portfolio.models import FxRate, Instrument, Portfolio, Price, ReferenceVersion
from portfolio.streaming.messages import (
    RawPortfolio,
    RawPrice,
    RawRate,
    SubmittedPortfolio,
    SubmittedPrice,
    SubmittedRate,
    SubmittedTransaction,
)
from positions.calculating.market import market
from positions.evaluation import evaluate
from positions.variants.booked import forget_variants
from tests import pipeline
from tests.unit.positions.test_statement_laws import a_request

pytestmark = pytest.mark.django_db(transaction=True)

TODAY = datetime.date(2025, 3, 1)
LATER = (
    *("known_at", "pending", "as_of", "cost_method", "portfolio_id", "base_currency", "cash_mode", "provisional"),
    *("period", "of", "remarks", "sources", "exceptions", "more_exceptions", "more_remarks"),
)
"""What an answer of the stored says beside what a what-if does."""
BOOKED_ANEW = (
    "positions",
    "allocation",
    "concentration",
    "statement",
    "contribution",
    "risk",
    "income",
    "realized-gains",
)


@pytest.fixture
def client() -> APIClient:
    client = APIClient()
    client.force_authenticate(User.objects.create_superuser("reader"))
    return client


def store(request: dict[str, Any], choose: random.Random) -> None:
    """The request's history in the ledger and calculated, in batches, with the market of it before, between or after."""
    pipeline.forget(["P1"])
    for model in (Portfolio, Instrument, Price, FxRate, ReferenceVersion):
        model.objects.all().delete()
    market.forget()
    forget_variants()
    reference = [
        *[
            RawPrice(market_price=msgspec.convert(one, SubmittedPrice, strict=False))
            for one in request["market_prices"]
        ],
        *[RawRate(fx_rate=msgspec.convert(one, SubmittedRate, strict=False)) for one in request["fx_rates"]],
    ]
    choose.shuffle(reference)
    history = [msgspec.convert(one, SubmittedTransaction, strict=False) for one in request["transactions"]]
    settings_of = msgspec.convert(request["portfolio"], SubmittedPortfolio, strict=False)
    pipeline.record_reference(RawPortfolio(portfolio=settings_of), *reference[::2])
    middle = choose.randrange(len(history) + 1)
    pipeline.record(*history[:middle])
    pipeline.calculate("P1")
    if choose.random() < 0.5:
        pipeline.value("P1", now=datetime.datetime(2025, 1, choose.randint(1, 31), tzinfo=datetime.UTC))
    pipeline.record_reference(*reference[1::2])
    pipeline.record(*history[middle:])
    pipeline.calculate("P1")
    # Some days are valued, some are owed, some have no row.
    if choose.random() < 0.7:
        pipeline.value("P1", now=datetime.datetime(2025, 1, choose.randint(1, 31), tzinfo=datetime.UTC))


def asked(client: APIClient, what: str, **query: Any) -> dict[str, Any]:
    answer = client.get(f"/api/v1/portfolios/P1/{what}/", query)
    assert answer.status_code == 200, answer.content
    content: dict[str, Any] = answer.json()
    return content


def told(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name not in LATER}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_the_stored_path_gives_the_digits_of_evaluate(client, seed):
    choose = random.Random(seed)
    request = a_request(seed)
    request["portfolio"]["benchmark_security_id"] = choose.choice(["AAA", "BBB", None])
    # A what-if knows no others: what names a leg elsewhere is unlinked there, and unmatched here.
    store(request, choose)
    period = {"start": request["start"], "end": request["end"]}
    expected = json.loads(msgspec.json.encode(evaluate(json.dumps(request).encode(), today=TODAY)))

    assert told(asked(client, "statement", **period)) == told(expected["statement"])
    assert told(asked(client, "performance", **period)) == told(expected["performance"])
    other = choose.choice(["FIFO", "LIFO", "HIFO", "AVCO"])
    by_other = json.loads(
        msgspec.json.encode(evaluate(json.dumps(request | {"cost_method": other}).encode(), today=TODAY))
    )
    assert told(asked(client, "statement", **period, cost_method=other)) == told(by_other["statement"])
    assert told(asked(client, "performance", **period, cost_method=other)) == told(by_other["performance"])
    short = asked(client, "performance", **period, series="none")
    assert (short["series"], short["series_of"]) == ([], "none")
    assert told(short) == told(expected["performance"]) | {"series": [], "series_of": "none"}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_the_rows_give_the_answers_that_booking_anew_does_with_all_that_is_said_of_their_data(client, seed):
    request = a_request(seed)
    store(request, random.Random(seed))
    period = {"start": request["start"], "end": request["end"]}
    for what in BOOKED_ANEW:
        query = {"as_of": request["end"]} if what in BOOKED_ANEW[:3] else period
        now = datetime.datetime.now(datetime.UTC).isoformat()
        rows, anew = asked(client, what, **query), asked(client, what, **query, known_at=now)
        # Days may be on their way while positions are not.
        of_now = {"known_at": None, "pending": None}
        assert rows | of_now == anew | of_now, what
