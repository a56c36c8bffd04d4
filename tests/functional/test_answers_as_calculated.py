"""What is recorded and not yet calculated changes no fact beside the figures that are told: of a transaction the version
counts that the rows were made from, in exceptions and in explanations from rows.
"""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from portfolio.streaming.messages import PositionCalculation
from positions.explaining import entries
from positions.operations import calculate_positions
from tests import pipeline
from tests.functional.test_analysis_api import ask, deposit, instrument, price, settings, traded
from tests.pipeline import NOW, transaction

pytestmark = pytest.mark.django_db(transaction=True)

D = Decimal
HOUR = datetime.timedelta(hours=1)
END = {"as_of": "2025-01-06"}


@pytest.fixture
def client() -> APIClient:
    client = APIClient()
    client.force_authenticate(User.objects.create_user("owner"))
    return client


@pytest.fixture
def from_rows(monkeypatch) -> None:
    """Every security is explained from its rows."""
    monkeypatch.setattr(entries, "ENTRIES_TOLD_MAX", -1)


def calculated(*transactions):
    pipeline.record(*transactions, submitted_by="owner")
    pipeline.calculate("P1")
    pipeline.value("P1")


def pending(*transactions):
    pipeline.record(*transactions, submitted_by="owner", now=NOW + HOUR)


# --- exceptions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["BOOKED", "CANCELLED"])
def test_an_exception_tells_the_money_of_the_version_it_was_found_in(client, status):
    """5 sold at 10, of which none were held: 50. As 5 at 9999, or cancelled, it is not calculated yet."""
    pipeline.record_reference(settings(), instrument("AAA"))
    calculated(deposit("2025-01-02", 10), traded("SELL", "2025-01-03", "AAA", 5, 10, transaction_id="S"))
    pending(traded("SELL", "2025-01-03", "AAA", 5, 9999, transaction_id="S", version=2, status=status))

    answer = ask(client, "positions", **END)

    assert [(one["transaction_id"], one["amount"]) for one in answer["exceptions"]] == [("S", "50")]
    (found,) = client.get("/api/v1/data-quality/", {"code": "OVERSOLD"}).json()["results"]
    assert (found["transaction_id"], found["amount"]) == ("S", "50")


def test_an_exception_is_of_the_currency_and_of_the_target_of_the_version_it_was_found_in(client):
    """A short of BBB is where the merger would bring AAA to: it is left out. Later versions are of other money, and of
    another target.
    """
    pipeline.record_reference(settings(allow_short=True), *(instrument(name) for name in ("AAA", "BBB", "CCC")))
    merger = {"transaction_id": "M", "security_id": "AAA", "ratio_new": D(1), "ratio_old": D(1)}
    calculated(
        deposit("2025-01-02", 1000),
        deposit("2025-01-02", 1000, "EUR"),
        traded("BUY", "2025-01-03", "AAA", 4, 10),
        traded("BUY", "2025-01-03", "CCC", 4, 10),
        traded("SELL", "2025-01-03", "BBB", 4, 10),
        transaction("MERGER", transaction_date="2025-01-04", target_security_id="BBB", **merger),
    )
    pending(
        transaction(
            "MERGER", transaction_date="2025-01-04", target_security_id="CCC", currency="EUR", version=2, **merger
        )
    )

    def told(path, **query):
        return [one["transaction_id"] for one in ask(client, path, **END, **query)["exceptions"]]

    assert [told(f"positions/{name}") for name in ("AAA", "BBB", "CCC")] == [["M"], ["M"], []]
    assert [told("explain/cash", currency=name) for name in ("USD", "EUR")] == [["M"], []]


@pytest.mark.parametrize("more", [{}, {"cost_method": "LIFO"}], ids=["stored", "booked anew"])
def test_a_position_tells_the_exceptions_that_name_it_as_their_target(client, more):
    pipeline.record_reference(settings(allow_short=True), *(instrument(name) for name in ("AAA", "BBB", "CCC")))
    calculated(
        deposit("2025-01-02", 1000),
        *(traded("BUY", "2025-01-03", name, 4, 10) for name in ("AAA", "CCC")),
        traded("SELL", "2025-01-03", "BBB", 4, 10),
        transaction(
            "MERGER",
            transaction_id="M",
            transaction_date="2025-01-04",
            security_id="AAA",
            target_security_id="BBB",
            ratio_new=D(1),
            ratio_old=D(1),
        ),
    )

    told = {name: ask(client, f"positions/{name}", **END, **more)["exceptions"] for name in ("AAA", "BBB", "CCC")}

    assert {name: [one["transaction_id"] for one in listed] for name, listed in told.items()} == {
        "AAA": ["M"],
        "BBB": ["M"],
        "CCC": [],
    }
    explained = ask(client, "explain/quantity", security_id="BBB", **END, **more)["exceptions"]
    assert [one["transaction_id"] for one in explained] == ["M"]


# --- explanations -------------------------------------------------------------------------------------------------


def test_a_disposal_is_told_with_the_facts_it_was_calculated_from(client, from_rows):
    """5 bought at 10 and sold at 12: 60 - 50 = 10."""
    pipeline.record_reference(settings(), instrument("AAA"))
    calculated(
        traded("BUY", "2025-01-03", "AAA", 5, 10), traded("SELL", "2025-01-04", "AAA", 5, 12, transaction_id="S")
    )
    pending(traded("SELL", "2025-01-04", "AAA", 5, 9999, transaction_id="S", version=2))

    answer = ask(client, "explain/realized_gain", security_id="AAA", **END)

    (part,) = answer["parts"]
    assert (part["transaction_id"], part["price"], part["gross"], part["amount"]) == ("S", "12", "60", "10")


@pytest.mark.parametrize("corrected", [{"status": "CANCELLED"}, {"transaction_date": "2025-01-05"}])
def test_the_own_trade_that_a_price_is_of_is_the_one_calculated(client, from_rows, corrected):
    pipeline.record_reference(settings(), instrument("AAA"))
    calculated(traded("BUY", "2025-01-03", "AAA", 5, 10, transaction_id="B"))
    bought = {"security_id": "AAA", "quantity": D(5), "price": D(10), "transaction_date": "2025-01-03"}
    pending(transaction("BUY", transaction_id="B", version=2, **{**bought, **corrected}))

    answer = ask(client, "explain/market_value", security_id="AAA", **END)

    assert (answer["value"], answer["price"]["transaction_id"]) == ("50", "B")


def test_a_movement_of_cash_is_told_with_the_facts_it_was_calculated_from(client):
    """X is cancelled, Y is corrected to 777 on another day; neither is calculated yet."""
    pipeline.record_reference(settings())
    x, y = ({"transaction_id": name, "transaction_date": "2025-01-03"} for name in "XY")
    calculated(
        transaction("DEPOSIT", **x, gross_transaction_amount=D(5)),
        transaction("DEPOSIT", **y, gross_transaction_amount=D(6)),
    )
    pending(
        transaction("DEPOSIT", **x, gross_transaction_amount=D(5), version=2, status="CANCELLED"),
        transaction("DEPOSIT", **{**y, "transaction_date": "2025-01-04"}, gross_transaction_amount=D(777), version=2),
    )

    answer = ask(client, "explain/cash", currency="USD", **END)

    assert answer["pending"]
    told = ("transaction_id", "date", "gross", "amount")
    assert [tuple(part[name] for name in told) for part in answer["parts"]] == [
        ("X", "2025-01-03", "5", "5"),
        ("Y", "2025-01-03", "6", "6"),
    ]


# --- unchanged ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["lots/", "positions/AAA/"])
def test_lots_of_an_earlier_day_follow_the_portfolio_they_came_from(client, path):
    """P2 takes 5 that P1 bought at 10, and trades once more. P1's purchase is corrected to 20 and is not calculated yet:
    the lots of before that trade are booked anew, and P2's own rows and ledger have not changed.
    """
    pipeline.record_reference(settings(), instrument("AAA"), price("AAA", "2025-01-02", 10))
    of = {"portfolio_id": "P2", "security_id": "AAA"}
    bought = {"transaction_id": "B", "transaction_date": "2025-01-02", "security_id": "AAA", "quantity": D(5)}
    pipeline.record(
        transaction("BUY", **bought, price=D(10)),
        transaction(
            "TRANSFER_OUT", transaction_id="O", transaction_date="2025-01-03", security_id="AAA", quantity=D(5)
        ),
        transaction(
            "TRANSFER_IN",
            **of,
            transaction_date="2025-01-03",
            quantity=D(5),
            gross_transaction_amount=D(1),
            linked_portfolio_id="P1",
            linked_transaction_id="O",
        ),
        transaction("BUY", **of, transaction_date="2025-01-10", quantity=D(1), price=D(11)),
        submitted_by="owner",
    )
    pipeline.calculate("P1", "P2")
    address = f"/api/v1/portfolios/P2/{path}?as_of=2025-01-06"
    lots = "results" if path == "lots/" else "lots"
    before = client.get(address)
    known = {"If-None-Match": before.headers["ETag"]} if "ETag" in before.headers else {}
    pipeline.record(transaction("BUY", **bought, price=D(20), version=2), submitted_by="owner", now=NOW + HOUR)
    # The giver is calculated, and nobody has told its taker yet.
    calculate_positions({"P1": PositionCalculation(portfolio_id="P1", requested_seq=2**62, interests_seq=0)}, now=NOW)
    after = client.get(address, headers=known)

    assert after.status_code == 200
    assert [[lot["cost_basis"] for lot in answer.json()[lots]] for answer in (before, after)] == [["50"], ["100"]]
    assert "ETag" not in after.headers
    assert "ETag" in client.get(f"/api/v1/portfolios/P2/{path}").headers
