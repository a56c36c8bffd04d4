"""Reading positions over REST, on the real database: what the rows say, and to whom."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from portfolio.streaming.messages import (
    RawInstrument,
    RawPortfolio,
    RawPrice,
    RawRate,
    SubmittedInstrument,
    SubmittedPortfolio,
    SubmittedPrice,
    SubmittedRate,
)
from tests import pipeline
from tests.pipeline import day, transaction

pytestmark = pytest.mark.django_db(transaction=True)

D = Decimal


@pytest.fixture
def client() -> APIClient:
    client = APIClient()
    client.force_authenticate(User.objects.create_user("owner"))
    return client


@pytest.fixture
def held(client) -> None:
    """10 AAPL bought for 1,005 USD, split 2:1, 5 sold at 70; base EUR at 0.9 and later 0.8."""
    pipeline.record_reference(
        RawPortfolio(portfolio=SubmittedPortfolio(portfolio_id="P1", base_currency="EUR"), submitted_by="owner"),
        RawInstrument(instrument=SubmittedInstrument(security_id="AAPL", currency="USD")),
        RawRate(
            fx_rate=SubmittedRate(from_currency="USD", to_currency="EUR", rate_date=day("2025-01-01"), rate=D("0.9"))
        ),
        RawRate(
            fx_rate=SubmittedRate(from_currency="USD", to_currency="EUR", rate_date=day("2025-03-01"), rate=D("0.8"))
        ),
        RawPrice(
            market_price=SubmittedPrice(security_id="AAPL", price_date=day("2025-01-31"), price=D(110), currency="USD")
        ),
    )
    pipeline.record(
        transaction("DEPOSIT", transaction_id="D1", transaction_date="2025-01-10", gross_transaction_amount=D(2000)),
        transaction(
            "BUY",
            transaction_id="B1",
            transaction_date="2025-01-15",
            security_id="AAPL",
            quantity=D(10),
            price=D(100),
            trade_fee=D(5),
        ),
        transaction(
            "SPLIT",
            transaction_id="X1",
            transaction_date="2025-02-10",
            security_id="AAPL",
            ratio_new=D(2),
            ratio_old=D(1),
        ),
        transaction(
            "SELL", transaction_id="S1", transaction_date="2025-03-05", security_id="AAPL", quantity=D(5), price=D(70)
        ),
        submitted_by="owner",
    )
    pipeline.calculate("P1")


def positions(client, **query):
    answer = client.get("/api/v1/portfolios/P1/positions/", query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_the_day_before_the_split_is_answered_in_the_units_of_that_day(client, held):
    answer = positions(client, as_of="2025-02-09")

    (position,) = answer["positions"]
    assert (position["quantity"], position["price"], position["market_value"]) == ("10", "110", "1100")
    # 1,100 USD at 0.9; cost 1,005 x 0.9
    assert (position["market_value_base"], position["cost_basis_base"]) == ("990", "904.5")
    assert answer["pending"] is None


def test_a_quote_from_before_the_split_does_not_double_the_value_after_it(client, held):
    (position,) = positions(client, as_of="2025-02-12")["positions"]

    assert (position["quantity"], position["price"], position["market_value"]) == ("20", "55", "1100")
    assert "STALE" in position["flags"]


def test_gains_are_split_into_price_and_currency(client, held):
    answer = positions(client, as_of="2025-03-31")

    (position,) = answer["positions"]
    # A quarter of the lot: cost 251.25 USD = 226.125 EUR. Proceeds 350 USD = 280 EUR at 0.8.
    assert (position["realized_gain"], position["realized_gain_base"]) == ("98.75", "53.875")
    # The currency's part: 251.25 x 0.8 - 226.125
    assert position["realized_fx_gain_base"] == "-25.125"
    # The last own trade (70) is later than the quote.
    assert (position["price"], position["price_source"]) == ("70", "TRADE")
    # 2,000 - 1,005 + 350
    assert [(c["currency"], c["balance"]) for c in answer["cash"]] == [("USD", "1345")]
    assert answer["totals"]["value"] == "1916"  # 15 x 70 x 0.8 + 1,345 x 0.8


def test_one_position_comes_with_its_history_lots_and_disposals(client, held):
    answer = client.get("/api/v1/portfolios/P1/positions/AAPL/").json()

    assert [day["position_date"] for day in answer["history"]] == ["2025-03-05", "2025-02-10", "2025-01-15"]
    assert [(lot["transaction_id"], lot["quantity"], lot["unit_cost"]) for lot in answer["lots"]] == [
        ("B1", "15", "50.25")
    ]
    assert [(d["closing_transaction_id"], d["days_held"]) for d in answer["disposals"]] == [("S1", 49)]


def test_lots_and_disposals_have_lists_of_their_own(client, held):
    lots = client.get("/api/v1/portfolios/P1/lots/").json()["results"]
    sold = client.get("/api/v1/portfolios/P1/disposals/", {"start": "2025-03-01", "end": "2025-03-31"}).json()[
        "results"
    ]
    none = client.get("/api/v1/portfolios/P1/disposals/", {"end": "2025-03-01"}).json()["results"]

    assert [lot["quantity"] for lot in lots] == ["15"]
    assert [d["realized_gain"] for d in sold] == ["98.75"]
    assert none == []


def test_what_is_recorded_and_not_yet_calculated_is_pending(client, held):
    pipeline.record(
        transaction(
            "BUY", transaction_id="B2", transaction_date="2025-04-01", security_id="AAPL", quantity=D(1), price=D(60)
        ),
        submitted_by="owner",
    )

    assert positions(client)["pending"]["since"]

    pipeline.calculate("P1")
    assert positions(client)["pending"] is None


def test_a_missing_rate_is_said_and_not_guessed(client):
    pipeline.record(
        transaction("BUY", security_id="SAP", currency="CHF", quantity=D(1), price=D(60)),
        submitted_by="owner",
    )
    pipeline.record_reference(
        RawPortfolio(portfolio=SubmittedPortfolio(portfolio_id="P1", base_currency="EUR"), submitted_by="owner")
    )
    pipeline.calculate("P1")

    answer = positions(client)

    (position,) = answer["positions"]
    assert position["cost_basis"] == "60"
    assert position["cost_basis_base"]["unavailable"] == "MISSING_FX_RATE"
    assert answer["totals"]["value"]["unavailable"] == "MISSING_FX_RATE"


@pytest.mark.parametrize("path", ["positions/", "positions/AAPL/", "lots/", "disposals/"])
def test_nobody_reads_anothers_portfolio(held, path):
    stranger = APIClient()
    stranger.force_authenticate(User.objects.create_user("stranger"))

    answer = stranger.get(f"/api/v1/portfolios/P1/{path}")

    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"as_of": "yesterday"}, "as_of"),
        ({"cost_method": "BEST"}, "cost_method"),
        ({"closed": "x"}, "closed"),
        ({"known_at": "noon"}, "known_at"),
        ({"asof": "2025-01-01"}, "asof"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused_by_name(client, held, query, named):
    answer = client.get("/api/v1/portfolios/P1/positions/", query)

    assert answer.status_code == 422
    assert named in answer.content.decode()


def test_what_if_answers_in_the_same_words(client):
    history = [
        {
            "transaction_id": "B",
            "transaction_type": "BUY",
            "transaction_date": "2025-01-02",
            "security_id": "X",
            "quantity": 3,
            "price": "33.333333",
            "currency": "USD",
        },
        {
            "transaction_id": "S",
            "transaction_type": "SELL",
            "transaction_date": "2025-01-03",
            "security_id": "X",
            "quantity": 3,
            "price": 40,
            "currency": "USD",
        },
    ]
    answer = client.post(
        "/api/v1/evaluate/",
        {"portfolio": {"base_currency": "USD"}, "transactions": history, "as_of": "2025-01-31"},
        format="json",
    )

    assert answer.status_code == 200
    # 120 - 99.999999
    assert [d["realized_gain"] for d in answer.json()["disposals"]] == ["20.000001"]


def test_what_if_refuses_what_is_wrong_by_its_place(client):
    answer = client.post(
        "/api/v1/evaluate/", {"portfolio": {"base_currency": "USD"}, "transactions": [{"quantity": "x"}]}, format="json"
    )

    assert answer.status_code == 422
    assert "/transactions/0/quantity" in [error["pointer"] for error in answer.json()["errors"]]


def test_settings_not_yet_calculated_with_do_not_relabel_the_figures(client):
    """The rows are in the currency they were computed in, until they are computed anew."""
    pipeline.record(transaction("BUY", security_id="AAPL", quantity=D(10), price=D(100)), submitted_by="owner")
    pipeline.calculate("P1")
    pipeline.record_reference(
        RawPortfolio(portfolio=SubmittedPortfolio(portfolio_id="P1", base_currency="EUR"), submitted_by="owner")
    )

    answer = positions(client)

    assert (answer["base_currency"], answer["positions"][0]["cost_basis_base"]) == ("USD", "1000")
    assert answer["pending"]


def test_a_quote_between_a_split_and_its_reverse_is_read_in_the_units_of_its_day(client):
    pipeline.record_reference(
        RawPortfolio(portfolio=SubmittedPortfolio(portfolio_id="P1", base_currency="USD"), submitted_by="owner"),
        RawPrice(
            market_price=SubmittedPrice(security_id="AAPL", price_date=day("2025-01-10"), price=D(50), currency="USD")
        ),
    )
    pipeline.record(
        transaction("BUY", transaction_date="2025-01-02", security_id="AAPL", quantity=D(10), price=D(100)),
        transaction("SPLIT", transaction_date="2025-01-05", security_id="AAPL", ratio_new=D(2), ratio_old=D(1)),
        transaction("SPLIT", transaction_date="2025-01-20", security_id="AAPL", ratio_new=D(1), ratio_old=D(2)),
        submitted_by="owner",
    )
    pipeline.calculate("P1")

    (position,) = positions(client, as_of="2025-01-31")["positions"]

    # 50 for one of the doubled units is 100 for one of these.
    assert (position["price"], position["market_value"]) == ("100", "1000")


@pytest.mark.parametrize("path", ["positions/AAPL/", "lots/", "disposals/"])
def test_a_question_is_never_passed_over_in_silence(client, held, path):
    answer = client.get(f"/api/v1/portfolios/P1/{path}", {"on": "2025-01-15"})

    assert answer.status_code == 422
    assert "on" in answer.json()["detail"]


def test_a_what_if_has_limits_of_its_own_and_names_them(client, settings):
    deposit = {"transaction_type": "DEPOSIT", "transaction_date": "2025-01-02", "currency": "USD"}
    history = [{**deposit, "transaction_id": f"D{n}", "gross_transaction_amount": 1} for n in range(3)]
    body = {"portfolio": {"base_currency": "USD"}, "transactions": history}
    settings.EVALUATE_RECORDS_MAX = 2
    too_many = client.post("/api/v1/evaluate/", body, format="json")
    settings.EVALUATE_RECORDS_MAX = 3
    enough = client.post("/api/v1/evaluate/", body, format="json")
    settings.EVALUATE_BODY_BYTES_MAX = 100
    too_large = client.post("/api/v1/evaluate/", body, format="json")

    assert (too_many.status_code, too_large.status_code, enough.status_code) == (422, 413, 200)
    assert "2 at most" in too_many.json()["errors"][0]["detail"]
    assert "100 at most" in too_large.json()["detail"]
    assert enough.json()["totals"]["value"] == "3"
