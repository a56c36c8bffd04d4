"""What each version of a transaction has caused, over REST and on its page in the admin."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from portfolio.money import exact, plain
from portfolio.streaming.messages import RawPortfolio, RawRate, SubmittedPortfolio, SubmittedRate
from positions.explaining import effects
from positions.variants.apart import apart
from positions.variants.booked import forget_variants
from tests import pipeline
from tests.histories import a_history
from tests.pipeline import NOW, day, transaction
from transactions.models import Transaction

pytestmark = pytest.mark.django_db(transaction=True)

D = Decimal
OF_PORTFOLIO = "/api/v1/portfolios/P1/"


@pytest.fixture
def client() -> APIClient:
    client = APIClient()
    client.force_authenticate(User.objects.create_user("owner"))
    return client


def settle(**settings: Any) -> None:
    attributes = SubmittedPortfolio(portfolio_id="P1", **{"base_currency": "USD", **settings})
    pipeline.record_reference(RawPortfolio(portfolio=attributes, submitted_by="owner"))


def rate(on: str, amount: str, currency: str = "EUR") -> None:
    quoted = SubmittedRate(from_currency=currency, to_currency="USD", rate_date=day(on), rate=D(amount))
    pipeline.record_reference(RawRate(fx_rate=quoted))


def trade(kind, transaction_id, on, quantity, price, **fields):
    given = {"security_id": "AAPL", "quantity": D(quantity), "price": D(price), **fields}
    return transaction(kind, transaction_id=transaction_id, transaction_date=on, **given)


def record(*entries):
    pipeline.record(*entries, submitted_by="owner")
    pipeline.calculate("P1")


def caused(client, transaction_id) -> list[Any]:
    answer = client.get(f"{OF_PORTFOLIO}transactions/{transaction_id}/")
    assert answer.status_code == 200, answer.content
    return [version["caused"] for version in answer.json()["versions"]]


def changes(effect) -> dict[str, dict[str, str]]:
    """What is not 0, by holding."""
    holdings = [*effect["holdings"], *effect["cash"]]
    return {
        one.get("security_id", one["currency"]): {
            name: change for name, change in one.items() if name not in ("security_id", "currency") and change != "0"
        }
        for one in holdings
    }


def bought_and_sold(*more):
    """10 at 10 and 10 at 12 bought, 5 sold at 15."""
    record(
        trade("BUY", "B1", "2025-01-02", 10, 10),
        trade("BUY", "B2", "2025-01-03", 10, 12),
        trade("SELL", "S1", "2025-01-20", 5, 15),
        *more,
    )


def test_a_purchase_caused_what_is_held_and_paid_for_it(client):
    settle()
    bought_and_sold()
    (first,) = caused(client, "B2")

    assert changes(first) == {
        "AAPL": {"quantity": "10", "cost_basis": "120", "cost_basis_base": "120"},
        "USD": {"balance": "-120"},
    }
    assert [first[name]["count"] for name in ("disposals_made", "disposals_unmade", "exceptions_opened")] == [0, 0, 0]


def test_a_correction_of_the_lot_that_was_sold_changes_the_gain_of_the_sale(client):
    # B1 corrected from 10 to 11: 10 more paid; 5 of 10 sold cost 55 and not 50: the gain is 20 and not 25.
    settle()
    bought_and_sold(trade("BUY", "B1", "2025-01-02", 10, 11, version=2))
    first, second = caused(client, "B1")

    # Without B1 the sale would have taken 5 of B2: cost 60, gain 15.
    assert changes(first)["AAPL"] == {
        "quantity": "10",
        "cost_basis": "110",
        "cost_basis_base": "110",
        "realized_gain": "10",
        "realized_gain_base": "10",
    }
    assert changes(second) == {
        "AAPL": {
            "cost_basis": "5",
            "cost_basis_base": "5",
            "realized_gain": "-5",
            "realized_gain_base": "-5",
        },
        "USD": {"balance": "-10"},
    }
    (made,), (unmade,) = second["disposals_made"]["listed"], second["disposals_unmade"]["listed"]
    assert (made["opening_transaction_id"], made["cost_basis"], unmade["cost_basis"]) == ("B1", "55", "50")


def test_a_cancellation_takes_all_of_it_back_and_may_open_an_exception(client):
    settle()
    record(trade("BUY", "B1", "2025-01-02", 10, 10), trade("SELL", "S1", "2025-01-20", 5, 15))
    record(trade("BUY", "B1", "2025-01-02", 10, 10, version=2, status="CANCELLED"))
    booked, cancelled = caused(client, "B1")

    # With B1: 5 left that cost 50, a gain of 25, -100 + 75 of cash. Without: nothing, and the sale is left out.
    assert changes(booked)["AAPL"]["realized_gain"] == "25"
    assert changes(cancelled) == {
        "AAPL": {
            "quantity": "-5",
            "cost_basis": "-50",
            "cost_basis_base": "-50",
            "realized_gain": "-25",
            "realized_gain_base": "-25",
        },
        "USD": {"balance": "25"},
    }
    assert [(one["code"], one["transaction_id"]) for one in cancelled["exceptions_opened"]["listed"]] == [
        ("OVERSOLD", "S1")
    ]
    assert [one["transaction_id"] for one in booked["exceptions_healed"]["listed"]] == ["S1"]
    assert (cancelled["disposals_unmade"]["count"], cancelled["disposals_made"]["count"]) == (1, 0)


def test_what_was_moved_to_another_security_leaves_the_one_and_joins_the_other(client):
    settle()
    record(
        trade("BUY", "B1", "2025-01-02", 10, 10),
        trade("BUY", "B1", "2025-01-02", 10, 10, security_id="MSFT", version=2),
    )
    _, second = caused(client, "B1")

    assert {name: figures["quantity"] for name, figures in changes(second).items()} == {"AAPL": "-10", "MSFT": "10"}
    assert not second["cash"]


def test_another_currency_is_told_in_both(client):
    settle()
    rate("2025-01-01", "1.10")
    record(
        trade("BUY", "B1", "2025-01-02", 10, 10),
        trade("BUY", "B1", "2025-01-02", 10, 10, currency="EUR", version=2),
    )
    _, second = caused(client, "B1")

    # The security has no attributes yet, so its currency is that of its first transaction.
    assert [(one["currency"], one["cost_basis"], one["cost_basis_base"]) for one in second["holdings"]] == [
        ("USD", "-100", "-100"),
        ("EUR", "100", "110"),
    ]
    assert [(one["currency"], one["balance"]) for one in second["cash"]] == [("EUR", "-100"), ("USD", "100")]


def test_a_transaction_of_cash_alone(client):
    settle()
    rate("2025-01-01", "1.10")
    deposit = {"transaction_id": "D1", "currency": "EUR"}
    record(
        transaction("DEPOSIT", gross_transaction_amount=D(100), trade_fee=D(1), **deposit),
        transaction("DEPOSIT", gross_transaction_amount=D(300), version=2, **deposit),
    )
    first, second = caused(client, "D1")

    assert changes(first) == {"EUR": {"balance": "99", "fees_base": "1.1", "inflow_base": "110"}}
    assert changes(second) == {"EUR": {"balance": "201", "fees_base": "-1.1", "inflow_base": "220"}}


def test_a_split_caused_what_it_did_to_the_securities_that_hang_together(client):
    settle()
    record(
        trade("BUY", "B1", "2025-01-02", 10, 10, security_id="OLD"),
        transaction(
            "SPLIT",
            transaction_id="X1",
            transaction_date="2025-01-03",
            security_id="OLD",
            ratio_new=D(2),
            ratio_old=D(1),
        ),
        transaction(
            "MERGER",
            transaction_id="G1",
            transaction_date="2025-01-05",
            security_id="OLD",
            target_security_id="NEW",
            ratio_new=D(1),
            ratio_old=D(1),
        ),
    )
    (first,) = caused(client, "X1")

    assert changes(first) == {"NEW": {"quantity": "10"}}


# --- how much is told ---------------------------------------------------------------------------------------------


def test_of_many_versions_the_latest_are_told_of(client, monkeypatch):
    monkeypatch.setattr(effects, "VERSIONS_MAX", 2)
    settle()
    record(*[trade("BUY", "B1", "2025-01-02", version, 10, version=version) for version in range(1, 6)])
    told = caused(client, "B1")

    assert told[:3] == [None, None, None]
    assert [changes(effect)["AAPL"]["quantity"] for effect in told[3:]] == ["1", "1"]


def test_of_very_many_entries_no_more_are_booked_than_may_be(client, monkeypatch):
    monkeypatch.setattr(effects, "ENTRIES_MAX", 12)
    settle()
    others = [trade("BUY", f"B{n}", "2025-01-02", 1, 10) for n in range(2, 5)]
    record(*others, *[trade("BUY", "B1", "2025-01-02", version, 10, version=version) for version in range(1, 6)])

    # Three others with each of the versions: 12 / 4 bookings are two steps.
    assert [effect is not None for effect in caused(client, "B1")] == [False, False, False, True, True]


def test_what_takes_long_is_booked_apart(client, monkeypatch):
    monkeypatch.setattr(effects, "BOOKED_BESIDE_MAX", 3)
    settle()
    bought_and_sold()
    boss = Client()
    boss.force_login(User.objects.create_superuser("boss"))
    row = Transaction.objects.get(transaction_id="B1")
    with apart():
        told = client.get(f"{OF_PORTFOLIO}transactions/B1/")
        page = boss.get(reverse("admin:transactions_transaction_change", args=[row.pk]))
    # What stands in the ledger is not held up by it.
    assert (told.status_code, [one["caused"] for one in told.json()["versions"]]) == (200, [None])
    assert "is being booked here" in page.content.decode()


def test_of_a_large_portfolio_only_what_hangs_together_is_booked(client, monkeypatch):
    monkeypatch.setattr(effects, "BOOKED_BESIDE_MAX", 8)
    settle()
    bought_and_sold(*[trade("BUY", f"M{n}", "2025-01-02", 1, 10, security_id="MSFT") for n in range(50)])
    with apart():
        (first,) = caused(client, "B2")
    assert changes(first)["AAPL"]["quantity"] == "10"


def test_without_a_rate_the_change_in_base_is_not_known(client):
    settle()
    record(trade("BUY", "B1", "2025-01-02", 10, 10, currency="EUR"))
    (first,) = caused(client, "B1")

    (held,) = first["holdings"]
    assert (held["cost_basis"], held["cost_basis_base"]["unavailable"]) == ("100", "MISSING_FX_RATE")


def test_the_page_in_the_admin_shows_it_as_a_table(client):
    settle()
    bought_and_sold(trade("BUY", "B1", "2025-01-02", 10, 11, version=2))
    boss = Client()
    boss.force_login(User.objects.create_superuser("boss"))
    row = Transaction.objects.get(transaction_id="B1", version=1)
    page = boss.get(reverse("admin:transactions_transaction_change", args=[row.pk])).content.decode()

    assert '<th scope="row">2</th><td>AAPL in USD</td><td>realized gain</td><td class="number">-5</td>' in page
    assert '<th scope="row">1</th><td>cash USD</td><td>balance</td><td class="number">-110</td>' in page.replace(
        "-100<", "-110<"
    )
    assert "5 of B1 by S1" in page


# --- the law ------------------------------------------------------------------------------------------------------

FIGURES = ("quantity", "cost_basis", "cost_basis_base", "realized_gain", "realized_gain_base", "income", "income_base")


@pytest.mark.parametrize("seed", range(4))
def test_what_the_last_version_caused_is_what_positions_said_before_and_after_it(client, seed):
    """The last version recorded is that of one transaction; positions as known before it, and after, differ by it."""
    choose = random.Random(seed)
    settle(allow_short=bool(seed % 2), cost_basis_method=choose.choice(["FIFO", "LIFO", "AVCO"]))
    for number in (1, 9, 15):
        rate(f"2025-01-{number:02}", str(D(choose.randint(80, 150)) / 100))
    rate("2024-12-01", "1.05")
    rate("2024-12-01", "1.3", "GBP")
    pipeline.record(*a_history(seed, 40, corrections=False), submitted_by="owner", now=NOW)
    pipeline.calculate("P1")
    for corrected in choose.sample(list(Transaction.objects.order_by("transaction_id")), 6):
        before = positions(client)
        fields = dict(corrected.submitted) | {"version": 2, "status": choose.choice(["BOOKED", "CANCELLED"])}
        fields |= {"trade_fee": "7.77"} | ({"quantity": "3"} if "quantity" in fields else {})
        kind = fields.pop("transaction_type")
        decimals = {name: D(str(fields[name])) for name in _DECIMALS & fields.keys()}
        days = {name: day(fields[name]) for name in ("acquisition_date", "settlement_date") if fields.get(name)}
        lots = {"lots": ()} if "lots" in fields else {}
        pipeline.record(transaction(kind, **{**fields, **decimals, **days, **lots}), submitted_by="owner", now=NOW)
        pipeline.calculate("P1")
        after = positions(client)
        told = caused(client, corrected.transaction_id)[-1]
        assert told_changes(told["holdings"], "security_id", FIGURES) == differences(before[0], after[0], FIGURES)
        assert all(changes(told).values()), "what is told of has changed"
        assert told_changes(told["cash"], "currency", ("balance",)) == differences(before[1], after[1], ("balance",))


_DECIMALS = {
    "quantity",
    "price",
    "gross_transaction_amount",
    "trade_fee",
    "tax",
    "ratio_new",
    "ratio_old",
    "cost_fraction",
    "target_amount",
}


def positions(client):
    forget_variants()
    answer = client.get(f"{OF_PORTFOLIO}positions/", {"closed": True, "as_of": "2025-02-28"}).json()
    assert answer["pending"] is None
    return {one["security_id"]: one for one in answer["positions"]}, {one["currency"]: one for one in answer["cash"]}


def told_changes(rows, name, figures):
    return {(row[name], figure): row[figure] for row in rows for figure in figures if row[figure] != "0"}


def differences(before, after, figures):
    changed = {}
    with exact():
        for name in before.keys() | after.keys():
            for figure in figures:
                old, new = (rows.get(name, {}).get(figure, "0") for rows in (before, after))
                assert isinstance(old, str)
                assert isinstance(new, str)
                if D(new) != D(old):
                    changed[name, figure] = plain(D(new) - D(old))
    return changed
