"""How often an answer goes to the database: a bounded number of times, whatever the portfolio holds and however long.

An answer from rows takes hardly longer than its statements, and each is a way to the database and back. The bounds are
what the answers take, the begin and the end of the snapshot counted; one statement more is to be a decision.
"""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from portfolio.streaming.messages import (
    RawInstrument,
    RawPortfolio,
    RawPrice,
    SubmittedInstrument,
    SubmittedPortfolio,
    SubmittedPrice,
)
from tests import pipeline
from tests.pipeline import day, transaction

pytestmark = pytest.mark.django_db(transaction=True)

D = Decimal
STATEMENTS_MAX = {
    "positions/": 8,
    "positions/?as_of=2025-01-10": 8,
    "statement/": 9,
    "statement/?start=2025-01-10": 9,
    "performance/": 12,
    "performance/?series=daily": 12,
    "risk/": 11,
    "allocation/": 9,
    "valuations/": 8,
}


@pytest.fixture
def client() -> APIClient:
    client = APIClient()
    client.force_authenticate(User.objects.create_user("owner"))
    return client


SECURITIES = [f"S{number}" for number in range(20)]


@pytest.fixture
def portfolios(client) -> None:
    """SMALL holds one security and LARGE twenty, each bought on the 2nd of January and with a dividend a week later;
    both are calculated, and valued up to today. There is a benchmark.
    """
    for security_id in (*SECURITIES, "INDEX"):
        instrument = SubmittedInstrument(security_id=security_id, currency="USD", asset_class="equity")
        quote = SubmittedPrice(security_id=security_id, price_date=day("2025-01-02"), price=D(50), currency="USD")
        pipeline.record_reference(RawInstrument(instrument=instrument), RawPrice(market_price=quote))
    for portfolio_id, held in (("SMALL", SECURITIES[:1]), ("LARGE", SECURITIES)):
        settings = SubmittedPortfolio(portfolio_id=portfolio_id, base_currency="USD", benchmark_security_id="INDEX")
        pipeline.record_reference(RawPortfolio(portfolio=settings, submitted_by="owner"))
        of = {"portfolio_id": portfolio_id}
        bought = {"transaction_date": "2025-01-02", "quantity": D(10), "price": D(50)}
        paid = {"transaction_date": "2025-01-09", "gross_transaction_amount": D(5)}
        pipeline.record(
            transaction("DEPOSIT", **of, transaction_date="2025-01-01", gross_transaction_amount=D(100_000)),
            *(transaction("BUY", **of, **bought, security_id=security_id) for security_id in held),
            *(transaction("DIVIDEND", **of, **paid, security_id=security_id) for security_id in held),
            submitted_by="owner",
        )
    pipeline.calculate("SMALL", "LARGE")
    pipeline.value("SMALL", "LARGE", now=datetime.datetime.now(datetime.UTC))
    # What the user may read is asked once, and remembered with the user.
    client.get("/api/v1/portfolios/SMALL/statement/")


@pytest.mark.parametrize("asked", STATEMENTS_MAX)
def test_an_answer_takes_a_few_statements_however_much_is_held(
    client, portfolios, asked, django_assert_max_num_queries
):
    counts = []
    for portfolio_id in ("SMALL", "LARGE"):
        with django_assert_max_num_queries(STATEMENTS_MAX[asked]) as captured:
            answer = client.get(f"/api/v1/portfolios/{portfolio_id}/{asked}")
        assert answer.status_code == 200, answer.content
        assert answer.json().get("pending") is None
        counts.append(len(captured))

    assert counts[0] == counts[1]


def test_an_answer_that_has_not_changed_takes_one_statement(client, portfolios, django_assert_max_num_queries):
    path = "/api/v1/portfolios/LARGE/statement/"
    tag = client.get(path).headers["ETag"]

    with django_assert_max_num_queries(1):
        answer = client.get(path, headers={"If-None-Match": tag})

    assert answer.status_code == 304
