"""Reading daily values over REST, on the real database: stored days, days worked out for the answer, and pages."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from portfolio.streaming.messages import RawPortfolio, RawPrice, SubmittedPortfolio, SubmittedPrice
from positions.models import DailyValuation
from positions.valuing import valued_days
from tests import pipeline
from tests.pipeline import day, transaction

pytestmark = pytest.mark.django_db(transaction=True)

D = Decimal
PATH = "/api/v1/portfolios/P1/valuations/"


@pytest.fixture
def client() -> APIClient:
    client = APIClient()
    client.force_authenticate(User.objects.create_user("owner"))
    return client


@pytest.fixture
def valued(client) -> None:
    """10 January 2025: 2,000 come in; 15 January: 10 AAPL at 100 and 5 of fees; 31 January: the price is 110."""
    pipeline.record_reference(
        RawPortfolio(portfolio=SubmittedPortfolio(portfolio_id="P1", base_currency="USD"), submitted_by="owner"),
        price("2025-01-31", 110),
    )
    buy = {"security_id": "AAPL", "quantity": D(10), "price": D(100), "trade_fee": D(5)}
    pipeline.record(
        transaction("DEPOSIT", transaction_date="2025-01-10", gross_transaction_amount=D(2000)),
        transaction("BUY", transaction_date="2025-01-15", **buy),
        submitted_by="owner",
    )
    pipeline.calculate("P1")
    pipeline.value("P1", now=datetime.datetime(2025, 2, 3, 12, tzinfo=datetime.UTC))


def price(date: str, amount: int) -> RawPrice:
    quote = SubmittedPrice(security_id="AAPL", price_date=day(date), price=D(amount), currency="USD")
    return RawPrice(market_price=quote)


def found(client: APIClient, **query: Any) -> dict[str, Any]:
    answer = client.get(PATH, query)
    assert answer.status_code == 200, answer.json()
    body: dict[str, Any] = answer.json()
    return body


@pytest.mark.usefixtures("valued")
def test_days_are_told_in_the_words_of_the_contract(client):
    answer = found(client, start="2025-01-10", end="2025-01-10")
    assert answer.pop("known_at")
    assert answer == {
        "next": None,
        "previous": None,
        "portfolio_id": "P1",
        "as_of": "2025-01-10",
        "cost_method": "FIFO",
        "base_currency": "USD",
        "cash_mode": "TRACKED",
        "provisional": False,
        "pending": None,
        "remarks": [],
        "exceptions": [],
        "more_exceptions": False,
        "more_remarks": False,
        "results": [
            {
                "date": "2025-01-10",
                "value": "2000",
                "securities": "0",
                "cash": "2000",
                "inflow": "2000",
                "outflow": "0",
                "income": "0",
                "fees": "0",
                "taxes": "0",
                "flags": [],
            }
        ],
    }


@pytest.mark.usefixtures("valued")
def test_every_calendar_day_of_a_period_has_a_row_and_none_beyond_it(client):
    days = found(client, start="2025-01-30", end="2025-02-01")["results"]
    # 2,000 - 1,005 are 995 in cash; 10 at 100 of the own trade, then at 110.
    assert [(row["date"], row["value"], row["flags"]) for row in days] == [
        ("2025-01-30", "1995", ["FROM_TRADE", "STALE"]),
        ("2025-01-31", "2095", []),
        ("2025-02-01", "2095", []),
    ]
    assert found(client, end="2025-01-08")["results"] == []
    assert [row["date"] for row in found(client, end="2025-01-10")["results"]] == ["2025-01-09", "2025-01-10"]


@pytest.mark.usefixtures("valued")
def test_days_after_the_stored_ones_are_worked_out_by_the_same_code(client):
    assert DailyValuation.objects.latest("valuation_date").valuation_date == day("2025-02-03")
    before = found(client, start="2025-02-01", end="2025-02-14")
    pipeline.value("P1", now=datetime.datetime(2025, 2, 20, 12, tzinfo=datetime.UTC))
    after = found(client, start="2025-02-01", end="2025-02-14")
    assert before["results"] == after["results"]
    assert (before["pending"], before["remarks"]) == (after["pending"], after["remarks"])
    assert [row["flags"] for row in after["results"]][-1] == ["STALE"]


@pytest.mark.usefixtures("valued")
def test_a_portfolio_that_was_never_valued_is_valued_for_the_answer(client):
    stored = found(client, end="2025-02-03")["results"]
    pipeline.forget(["P2"])
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM daily_valuations; DELETE FROM valuation_states")
    assert found(client, end="2025-02-03")["results"] == stored
    assert not DailyValuation.objects.exists()


@pytest.mark.usefixtures("valued")
@pytest.mark.parametrize(("worked_out_max", "told"), [(valued_days.WORKED_OUT_VALUES_MAX, "2045"), (5, "1995")])
def test_what_is_owed_is_pending_and_worked_out_where_it_is_little(client, monkeypatch, worked_out_max, told):
    monkeypatch.setattr(valued_days, "WORKED_OUT_VALUES_MAX", worked_out_max)
    pipeline.record_reference(price("2025-01-20", 105))
    owed = found(client, start="2025-01-20", end="2025-01-20")
    assert owed["pending"]["error"] == ""
    assert owed["results"][0]["value"] == told
    assert DailyValuation.objects.get(valuation_date="2025-01-20").value == 1995
    pipeline.value("P1", now=datetime.datetime(2025, 2, 3, 12, tzinfo=datetime.UTC))
    fresh = found(client, start="2025-01-20", end="2025-01-20")
    assert (fresh["pending"], fresh["results"][0]["value"]) == (None, "2045")


@pytest.mark.usefixtures("valued")
def test_a_figure_that_cannot_be_told_says_why(client):
    come = {"security_id": "NEW", "quantity": D(1), "gross_transaction_amount": D(9)}
    pipeline.record(transaction("TRANSFER_IN", transaction_date="2025-02-02", **come), submitted_by="owner")
    pipeline.calculate("P1")
    pipeline.value("P1", now=datetime.datetime(2025, 2, 3, 12, tzinfo=datetime.UTC))
    (row,) = found(client, start="2025-02-02", end="2025-02-02")["results"]
    assert (row["value"]["unavailable"], row["securities"]["unavailable"]) == ("MISSING_PRICE", "MISSING_PRICE")
    assert (row["cash"], row["inflow"]) == ("995", "9")


@pytest.mark.usefixtures("valued")
@pytest.mark.parametrize("ordering", ["date", "-date"])
def test_pages_follow_one_another_and_cost_the_same(client, ordering):
    found(client)  # what a process remembers of the market is read once
    seen: list[str] = []
    address, costs = f"{PATH}?page_size=10&end=2025-02-08&ordering={ordering}", set()
    while address:
        with CaptureQueriesContext(connection) as queries:
            page = client.get(address).json()
        if len(page["results"]) == 10 and page["results"][0]["date"] < "2025-01-25":
            costs.add(len(queries))
        seen += [row["date"] for row in page["results"]]
        address = page["next"]
    dates = [(day("2025-01-09") + datetime.timedelta(days=n)).isoformat() for n in range(31)]
    assert seen == (dates if ordering == "date" else dates[::-1])
    assert len(costs) == 1


@pytest.mark.usefixtures("valued")
@pytest.mark.parametrize(
    "query",
    [
        "start=soon",
        "start=2025-02-02&end=2025-02-01",
        "end=2025-02-30",
        "as_of=2025-01-01",
        "ordering=value",
        "page_size=0",
        "cursor=x",
    ],
)
def test_what_cannot_be_answered_is_refused(client, query):
    assert client.get(f"{PATH}?{query}").status_code == 422


@pytest.mark.usefixtures("valued")
def test_somebody_elses_portfolio_is_none():
    stranger = APIClient()
    assert stranger.get(PATH).status_code in (401, 403)
    stranger.force_authenticate(User.objects.create_user("stranger"))
    assert stranger.get(PATH).status_code == 404


def test_a_portfolio_without_entries_has_no_days(client):
    pipeline.record_reference(
        RawPortfolio(portfolio=SubmittedPortfolio(portfolio_id="P1", base_currency="EUR"), submitted_by="owner")
    )
    pipeline.calculate("P1")
    answer = found(client)
    assert (answer["results"], answer["base_currency"], answer["pending"]) == ([], "EUR", None)
