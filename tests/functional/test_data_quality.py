"""Findings: what somebody should look at, in the answers about positions and as a list of their own."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
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
from positions.models import PortfolioState
from tests import pipeline
from tests.factories import UserFactory
from tests.pipeline import day, transaction

pytestmark = pytest.mark.django_db(transaction=True)

D = Decimal
QUALITY = "/api/v1/data-quality/"


@pytest.fixture
def client() -> APIClient:
    client = APIClient()
    client.force_authenticate(User.objects.create_user("owner"))
    return client


def settled(portfolio_id="P1", **fields):
    attributes = SubmittedPortfolio(portfolio_id=portfolio_id, base_currency="USD", **fields)
    pipeline.record_reference(RawPortfolio(portfolio=attributes, submitted_by="owner"))


def known(security_id, currency="USD", **fields):
    instrument = SubmittedInstrument(security_id=security_id, currency=currency, **fields)
    pipeline.record_reference(RawInstrument(instrument=instrument))


def quoted(security_id, on, price, currency="USD"):
    quote = SubmittedPrice(security_id=security_id, price_date=day(on), price=D(price), currency=currency)
    pipeline.record_reference(RawPrice(market_price=quote))


def rated(currency, on, rate):
    quote = SubmittedRate(from_currency=currency, to_currency="USD", rate_date=day(on), rate=D(rate))
    pipeline.record_reference(RawRate(fx_rate=quote))


def booked(*transactions, portfolio_id="P1"):
    pipeline.record(*transactions, submitted_by="owner")
    pipeline.calculate(portfolio_id)


def buy(security_id="AAPL", **fields):
    return transaction("BUY", security_id=security_id, **{"quantity": D(10), "price": D(100), **fields})


def found(client, **query):
    answer = client.get(QUALITY, query)
    assert answer.status_code == 200, answer.content
    return answer.json()["results"]


def told(findings, *names):
    return [tuple(finding[name] for name in ("code", *names)) for finding in findings]


# --- the rules ----------------------------------------------------------------------------------------------------


def test_a_portfolio_in_order_has_no_findings(client):
    settled(cash_mode="UNTRACKED")
    known("AAPL")
    quoted("AAPL", datetime.datetime.now(datetime.UTC).date().isoformat(), 110)
    booked(buy())

    assert found(client, portfolio_id="P1") == []
    assert client.get("/api/v1/portfolios/P1/positions/").json()["findings"] == []


def test_a_negative_balance_is_a_finding_with_the_money(client):
    settled()
    booked(buy())

    (finding,) = found(client, code="NEGATIVE_CASH")

    assert (finding["currency"], finding["amount"], finding["portfolio_id"]) == ("USD", "-1000", "P1")


def test_a_negative_balance_that_nobody_keeps_is_none(client):
    settled(cash_mode="UNTRACKED")
    booked(buy())

    assert found(client, code="NEGATIVE_CASH") == []


def test_what_was_left_out_is_told_with_the_money_it_affects(client):
    settled(cash_mode="UNTRACKED")
    rated("EUR", "2025-01-10", "1.1")
    booked(transaction("SELL", transaction_id="S1", security_id="SAP", quantity=D(5), price=D(40), currency="EUR"))

    (finding,) = found(client, code="OVERSOLD")
    (exception,) = client.get("/api/v1/portfolios/P1/positions/").json()["exceptions"]

    # 5 x 40 EUR; x 1.1 USD
    for one in (finding, exception):
        assert (one["transaction_id"], one["security_id"], one["currency"]) == ("S1", "SAP", "EUR")
        assert (one["amount"], one["amount_base"]) == ("200", "220")


def test_the_money_of_an_exception_without_a_rate_or_without_an_amount(client):
    settled(cash_mode="UNTRACKED")
    booked(
        transaction("SELL", transaction_id="S1", security_id="SAP", quantity=D(5), price=D(40), currency="EUR"),
        transaction("SPLIT", transaction_id="X1", security_id="SAP", ratio_new=D(2), ratio_old=D(1), currency="EUR"),
    )

    sale, split = sorted(found(client, code=["OVERSOLD", "NOTHING_HELD"]), key=lambda f: f["transaction_id"])

    assert (sale["amount"], sale["amount_base"]["unavailable"]) == ("200", "MISSING_FX_RATE")
    assert (split["amount"], split["amount_base"]) == (None, None)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("1005", []),  # 0.5 % of 1000, exactly
        ("1005.01", ["AMOUNT_DIFFERS"]),
        ("994.99", ["AMOUNT_DIFFERS"]),
        ("995", []),
        ("10", ["AMOUNT_DIFFERS"]),
    ],
)
def test_an_amount_that_differs_by_more_than_half_a_percent(client, given, expected):
    settled(cash_mode="UNTRACKED")
    booked(buy(transaction_id="B1", gross_transaction_amount=D(given)))

    findings = found(client, portfolio_id="P1", code=["AMOUNT_DIFFERS", "EMPTY_AMOUNT"])

    assert told(findings, "transaction_id", "amount") == [(code, "B1", given) for code in expected]


def test_the_price_factor_counts_once_it_has_come(client):
    settled(cash_mode="UNTRACKED")
    booked(buy("BOND", transaction_id="B1", gross_transaction_amount=D(10)))
    assert told(found(client, portfolio_id="P1", code="AMOUNT_DIFFERS")) == [("AMOUNT_DIFFERS",)]

    known("BOND", price_factor=D("0.01"))

    assert found(client, portfolio_id="P1", code="AMOUNT_DIFFERS") == []


def test_an_empty_amount_is_a_finding_where_one_is_needed(client):
    settled(cash_mode="UNTRACKED")
    booked(
        buy(transaction_id="B1", price=None),
        transaction("DEPOSIT", transaction_id="D1"),
        transaction("DIVIDEND", transaction_id="V1", security_id="AAPL"),
        transaction("TRANSFER_IN", transaction_id="I1", security_id="AAPL", quantity=D(1)),
        transaction("TRANSFER_IN", transaction_id="I2"),
        transaction("SPLIT", transaction_id="X1", security_id="AAPL", ratio_new=D(2), ratio_old=D(1)),
        transaction("DEPOSIT", transaction_id="D2", gross_transaction_amount=D(0)),
        transaction("DEPOSIT", transaction_id="D3"),
        transaction("DEPOSIT", transaction_id="D3", version=2, status="CANCELLED"),
        transaction("DEPOSIT", transaction_id="D4"),
        transaction("DEPOSIT", transaction_id="D4", version=2, gross_transaction_amount=D(5)),
    )

    findings = found(client, portfolio_id="P1", code="EMPTY_AMOUNT")

    assert told(findings, "transaction_id", "amount") == [("EMPTY_AMOUNT", t, "0") for t in ("B1", "D1", "I2", "V1")]


def test_provisional_ones_are_found_and_flagged_until_their_attributes_arrive(client):
    booked(buy("AAPL"), buy("MSFT"))
    known("MSFT")

    findings = found(client, code="PROVISIONAL")
    positions = client.get("/api/v1/portfolios/P1/positions/").json()["positions"]
    assert told(findings, "security_id") == [("PROVISIONAL", None), ("PROVISIONAL", "AAPL")]
    # In a provisional portfolio every figure in base is.
    assert ["PROVISIONAL" in position["flags"] for position in positions] == [True, True]

    settled()
    pipeline.calculate("P1")

    positions = client.get("/api/v1/portfolios/P1/positions/").json()["positions"]
    assert told(found(client, code="PROVISIONAL"), "security_id") == [("PROVISIONAL", "AAPL")]
    assert ["PROVISIONAL" in position["flags"] for position in positions] == [True, False]


def test_prices_and_rates_that_are_missing_or_old(client):
    settled(cash_mode="UNTRACKED")
    known("SAP", "EUR")
    known("ROG", "CHF")
    known("AAPL")
    rated("EUR", "2025-01-10", "1.1")
    booked(
        buy("SAP", currency="EUR"),
        buy("ROG", currency="CHF"),
        transaction("TRANSFER_IN", security_id="AAPL", quantity=D(2), gross_transaction_amount=D(20)),
    )

    findings = found(client)

    assert told(findings, "security_id", "currency") == [
        ("MISSING_FX_RATE", None, "CHF"),
        ("MISSING_PRICE", "AAPL", "USD"),
        ("STALE", "ROG", "CHF"),
        ("STALE", "SAP", "EUR"),
        ("STALE_FX_RATE", None, "EUR"),
    ]
    # 10 x 100 EUR; x 1.1 USD
    assert (findings[3]["amount"], findings[3]["amount_base"]) == ("1000", "1100")
    assert findings[1]["amount"]["unavailable"] == "MISSING_PRICE"


def test_a_calculation_that_failed_says_why(client):
    settled()
    PortfolioState.objects.update_or_create(portfolio_id="P1", defaults={"error": "OutOfRange: too large"})

    (finding,) = found(client, code="CALCULATION_FAILED")

    assert finding["detail"] == "OutOfRange: too large"


def test_the_positions_answer_tells_what_the_list_tells_of_its_figures(client):
    booked(buy("AAPL"), transaction("SELL", security_id="X", quantity=D(1), price=D(1)))

    answer = client.get("/api/v1/portfolios/P1/positions/").json()

    # An exception stands under `exceptions`.
    assert answer["findings"] == [f for f in found(client) if f["code"] != "OVERSOLD"]
    assert told(answer["findings"]) == [("PROVISIONAL",), ("PROVISIONAL",), ("STALE",)]


def test_a_variant_tells_what_is_found_in_its_own_figures(client):
    settled()
    booked(buy(), transaction("DEPOSIT", transaction_date="2025-01-20", gross_transaction_amount=D(5000)))

    def codes(**query):
        answer = client.get("/api/v1/portfolios/P1/positions/", {"cost_method": "LIFO", **query}).json()
        return [finding["code"] for finding in answer["findings"]]

    assert "NEGATIVE_CASH" in codes(as_of="2025-01-19")
    assert "NEGATIVE_CASH" not in codes(as_of="2025-01-20")


# --- the list -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 7, 100])
@pytest.mark.parametrize("at_once", [1, 2, 50])
def test_paging_visits_every_finding_once(client, monkeypatch, size, at_once):
    monkeypatch.setattr("positions.checking.quality.VALUED_A_PAGE", at_once)
    for number in range(4):
        portfolio_id = f"P{number}"
        settled(portfolio_id)
        trades = [buy(f"S{n}", portfolio_id=portfolio_id) for n in range(number)]
        if trades:
            booked(*trades, portfolio_id=portfolio_id)
    # Of n securities: n stale, n provisional, and one balance below 0 where there are any.
    expected = 2 * (1 + 2 + 3) + 3

    address, seen = f"{QUALITY}?page_size={size}", []
    while address:
        answer = client.get(address).json()
        assert len(answer["results"]) <= size
        seen += [(f["portfolio_id"], f["code"], f["security_id"]) for f in answer["results"]]
        address = answer["next"]

    assert len(seen) == len(set(seen)) == expected


def rows_read(client, address):
    """The page, how many statements it took, and how many rows they gave."""
    rows = []

    def count(execute, sql, params, many, context):
        answer = execute(sql, params, many, context)
        rows.append(max(context["cursor"].rowcount, 0))
        return answer

    with connection.execute_wrapper(count):
        answer = client.get(address)
    assert answer.status_code == 200, answer.content
    return answer.json(), len(rows), sum(rows)


def sold_short(count, portfolio_id="P1"):
    return [
        transaction("SELL", portfolio_id=portfolio_id, security_id="AAPL", quantity=D(1), price=D(1))
        for _ in range(count)
    ]


@pytest.mark.parametrize("query", ["", "&code=OVERSOLD", "&portfolio_id=P1"])
def test_a_page_reads_no_more_of_many_exceptions_than_it_shows(client, query):
    settled()
    settled("P2")
    booked(*sold_short(30))
    booked(*sold_short(3, "P2"), portfolio_id="P2")
    address = f"{QUALITY}?page_size=5{query}"
    _, statements, rows = rows_read(client, address)

    booked(*sold_short(600))
    page, statements_then, rows_then = rows_read(client, address)
    further, _, rows_further = rows_read(client, page["next"])

    assert rows_then == rows
    assert statements_then <= statements
    # Five, one more to see that there are more, their transactions, and what is asked of two portfolios beside.
    assert rows <= 5 + 1 + 5 + 15
    assert rows_further <= rows
    ids = [finding["transaction_id"] for finding in (*page["results"], *further["results"])]
    assert ids == sorted(ids)
    assert len(set(ids)) == 10


def test_a_page_values_no_more_portfolios_than_it_may(client, monkeypatch):
    monkeypatch.setattr("positions.checking.quality.VALUED_A_PAGE", 2)
    for number in range(4):
        settled(f"P{number}")
        booked(buy(portfolio_id=f"P{number}"), portfolio_id=f"P{number}")
    one = "from positions as h where portfolio_id"

    def valued(address):
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(address).json()
        return answer, sum(one in query["sql"].lower() for query in queries)

    page, looked_at = valued(f"{QUALITY}?code=MISSING_PRICE")
    of_exceptions, without = valued(f"{QUALITY}?code=OVERSOLD")

    assert (page["results"], looked_at) == ([], 2)
    assert page["next"]
    assert valued(page["next"])[1] == 2
    assert (of_exceptions["results"], of_exceptions["next"], without) == ([], None, 0)


def test_everybody_sees_the_findings_of_their_own_portfolios(client):
    booked(buy())
    stranger, auditor = APIClient(), APIClient()
    stranger.force_authenticate(User.objects.create_user("stranger"))
    auditor.force_authenticate(UserFactory.create(permissions=["portfolio.view_any_portfolio"]))

    assert found(stranger) == found(stranger, portfolio_id="P1") == []
    assert found(auditor) == found(client) != []
    assert APIClient().get(QUALITY).status_code == 401


@pytest.mark.parametrize(
    ("query", "named"), [({"code": "BAD"}, "code"), ({"cursor": "x"}, "cursor"), ({"security": "X"}, "security")]
)
def test_a_question_that_cannot_be_answered_is_refused_by_name(client, query, named):
    answer = client.get(QUALITY, query)

    assert answer.status_code == 422
    assert named in answer.content.decode()
