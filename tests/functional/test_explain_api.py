"""Explaining figures over REST: what each is made of, worked by hand, and adding up to what positions say."""

from __future__ import annotations

import datetime
import random
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from rest_framework.test import APIClient

from portfolio.money import exact
from portfolio.streaming.messages import (
    RawPortfolio,
    RawPrice,
    RawRate,
    SubmittedPortfolio,
    SubmittedPrice,
    SubmittedRate,
)
from positions.explaining import entries as explained_entries
from positions.explaining import listing
from positions.explaining.entries import BOOKED_BESIDE_MAX, FIGURES
from positions.variants.apart import apart
from tests import pipeline
from tests.histories import CURRENCIES, METHODS, a_history
from tests.pipeline import NOW, day, transaction

pytestmark = pytest.mark.django_db(transaction=True)

D = Decimal
HOUR = datetime.timedelta(hours=1)
OF_PORTFOLIO = "/api/v1/portfolios/P1/"


@pytest.fixture
def client() -> APIClient:
    client = APIClient()
    client.force_authenticate(User.objects.create_user("owner"))
    return client


def settle(base_currency="USD", **settings):
    attributes = SubmittedPortfolio(portfolio_id="P1", base_currency=base_currency, **settings)
    pipeline.record_reference(RawPortfolio(portfolio=attributes, submitted_by="owner"))


def quote(security_id, on, amount, currency="USD"):
    price = SubmittedPrice(security_id=security_id, price_date=day(on), price=D(amount), currency=currency)
    pipeline.record_reference(RawPrice(market_price=price))


def rate(pair, on, amount):
    one, other = pair.split("/")
    quoted = SubmittedRate(from_currency=one, to_currency=other, rate_date=day(on), rate=D(amount))
    pipeline.record_reference(RawRate(fx_rate=quoted))


def entry(kind, transaction_id, on, quantity=None, amount=None, *, security_id="AAPL", **fields):
    """A trade of a quantity at a price, or what has an amount alone."""
    numbers = {"gross_transaction_amount": amount} if quantity is None else {"quantity": quantity, "price": amount}
    given = {name: D(number) for name, number in numbers.items() if number is not None}
    decimals = {
        name: D(value) if isinstance(value, int | str) and name in _DECIMAL else value for name, value in fields.items()
    }
    return transaction(
        kind, transaction_id=transaction_id, transaction_date=on, security_id=security_id, **given, **decimals
    )


_DECIMAL = ("trade_fee", "tax", "transaction_fx_rate", "ratio_new", "ratio_old", "target_amount", "cost_fraction")


def record(*entries, now=NOW):
    pipeline.record(*entries, submitted_by="owner", now=now)
    pipeline.calculate("P1")


def ask(client, path, **query):
    answer = client.get(f"{OF_PORTFOLIO}{path}", query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def explain(client, figure, security_id=None, **query):
    if security_id:
        query["security_id"] = security_id
    answer = ask(client, f"explain/{figure}/", **query)
    assert answer["parts_total"] == answer["value"]
    assert answer["parts_total_base"] == answer["value_base"]
    return answer


def parts(answer, *names):
    return [tuple(part[name] for name in ("transaction_id", *names)) for part in answer["parts"]]


# --- worked by hand -----------------------------------------------------------------------------------------------


@pytest.fixture
def traded(client) -> None:
    """EUR shares in a USD portfolio: 10 at 100 with a fee of 5, rate 1.10; 10 at 120, dealt at 1.20; a dividend of 30
    less 4 tax at 1.25; 4 sold at 130 with a fee of 2, at 1.25. On the 31st the price is 125 and the rate 1.30.
    """
    settle()
    rate("EUR/USD", "2025-01-02", "1.10")
    rate("EUR/USD", "2025-01-15", "1.25")
    rate("EUR/USD", "2025-01-31", "1.30")
    quote("AAPL", "2025-01-31", 125, "EUR")
    record(
        entry("BUY", "B1", "2025-01-02", 10, 100, trade_fee=5, currency="EUR"),
        entry("BUY", "B2", "2025-01-03", 10, 120, currency="EUR", transaction_fx_rate="1.2"),
        entry("DIVIDEND", "V1", "2025-01-15", None, 30, tax=4, currency="EUR"),
        entry("SELL", "S1", "2025-01-20", 4, 130, trade_fee=2, currency="EUR"),
        entry("BUY", "M1", "2025-01-21", 1, 50, security_id="MSFT"),
    )


END = {"as_of": "2025-01-31"}


def test_a_quantity_is_what_was_bought_less_what_was_sold(client, traded):
    answer = explain(client, "quantity", "AAPL", **END)

    assert (answer["value"], answer["value_base"], answer["currency"]) == ("16", None, None)
    assert parts(answer, "transaction_type", "amount") == [
        ("B1", "BUY", "10"),
        ("B2", "BUY", "10"),
        ("S1", "SELL", "-4"),
    ]


def test_a_cost_basis_is_told_purchase_by_purchase_with_the_rates_used(client, traded):
    # B1: 10 x 100 + 5 = 1005; x 1.10 = 1105.50. B2: 1200; x 1.20 = 1440. S1 takes 4/10 of B1: 402, 442.20.
    answer = explain(client, "cost_basis", "AAPL", **END)

    assert (answer["value"], answer["value_base"], answer["currency"]) == ("1803", "2103.3", "EUR")
    assert parts(answer, "amount", "amount_base") == [
        ("B1", "1005", "1105.5"),
        ("B2", "1200", "1440"),
        ("S1", "-402", "-442.2"),
    ]
    first, second, sold = answer["parts"]
    assert (first["quantity"], first["price"], first["gross"], first["fee"]) == ("10", "100", "1000", "5")
    assert {name: first["rate"][name] for name in ("rate", "source", "rate_date", "stale")} == {
        "rate": "1.1",
        "source": "DIRECT",
        "rate_date": "2025-01-02",
        "stale": False,
    }
    assert (second["rate"]["rate"], second["rate"]["source"]) == ("1.2", "DEALT")
    assert (sold["rate"]["rate"], sold["rate"]["rate_date"]) == ("1.25", "2025-01-15")


def test_a_realised_gain_is_its_disposals(client, traded):
    # Proceeds 4 x 130 - 2 = 518; gain 518 - 402 = 116. In base 518 x 1.25 = 647.50 - 442.20 = 205.30.
    answer = explain(client, "realized_gain", "AAPL", **END)

    assert parts(answer, "kind", "amount", "amount_base") == [("S1", "DISPOSAL", "116", "205.3")]
    (part,) = answer["parts"]
    assert (part["disposal"]["opening_transaction_id"], part["disposal"]["proceeds"]) == ("B1", "518")


def test_an_unrealised_gain_is_that_of_the_open_lots_at_the_price_and_rate_of_the_day(client, traded):
    # 6 of B1 cost 603, in base 663.30; worth 750, 975. Of B2 10 cost 1200, 1440; worth 1250, 1625.
    # Gains 147 and 311.70; 50 and 185. In all 197 and 496.70.
    # Exchange: 603 x 1.30 - 663.30 = 120.60; 1200 x 1.30 - 1440 = 120.
    answer = explain(client, "unrealized_gain", "AAPL", **END)

    assert (answer["value"], answer["value_base"]) == ("197", "496.7")
    assert parts(answer, "market_value", "amount", "amount_base", "fx_gain_base") == [
        ("B1", "750", "147", "311.7", "120.6"),
        ("B2", "1250", "50", "185", "120"),
    ]
    price = answer["price"]
    assert (price["price"], price["price_date"], price["price_source"]) == ("125", "2025-01-31", "MARKET")
    assert (answer["rate"]["rate"], answer["rate"]["source"]) == ("1.3", "DIRECT")


def test_income_and_taxes_of_a_security(client, traded):
    income = explain(client, "income", "AAPL", **END)
    taxes = explain(client, "taxes", "AAPL", **END)

    assert parts(income, "amount", "amount_base") == [("V1", "30", "37.5")]
    # 4 x 1.25; taxes are kept in base
    assert (taxes["currency"], parts(taxes, "amount", "amount_base")) == ("USD", [("V1", "5", "5")])


def test_cash_is_what_every_transaction_moved_and_what_the_rate_makes_of_it(client, traded):
    # Below zero the pool grows at the rates used: -1005 x 1.10 = -1105.50; -1200 x 1.20 = -1440: -2205, -2545.50.
    # 26 come back and relieve 26/2205 of it, 518 relieve 518/2179 of what is left: at the average all along.
    # Balance -1661 x 1.30 = -2159.30.
    answer = explain(client, "cash", currency="EUR", **END)

    assert (answer["value"], answer["value_base"]) == ("-1661", "-2159.3")
    with exact():
        average = D("2545.5") / 2205
        expected = [D("-1105.5"), D(-1440), 26 * average, 518 * average]
        cost = sum(expected)
        assert [D(part["amount_base"]) for part in answer["parts"]] == pytest.approx([*expected, D("-2159.3") - cost])
    assert [part["amount"] for part in answer["parts"]] == ["-1005", "-1200", "26", "518", "0"]
    assert answer["parts"][-1]["kind"] == "REVALUATION"
    assert [part.get("security_id") for part in explain(client, "cash", currency="USD", **END)["parts"]] == ["MSFT"]


def test_a_total_is_the_sum_of_its_holdings_each_explained_at_an_address_of_its_own(client, traded):
    answer = explain(client, "cost_basis", **END)

    assert (answer["scope"], answer["value"], answer["currency"]) == ("PORTFOLIO", "2153.3", "USD")
    assert [(part["security_id"], part["amount"], part["local"]) for part in answer["parts"]] == [
        ("AAPL", "2103.3", "1803"),
        ("MSFT", "50", "50"),
    ]
    for part in answer["parts"]:
        assert client.get(part["explained_at"]).json()["value_base"] == part["amount"]


def test_links_ask_for_the_same_day_moment_and_method(client, traded):
    asked = {"as_of": "2025-01-10", "cost_method": "LIFO", "known_at": (NOW + HOUR).isoformat()}
    (part,) = explain(client, "cost_basis", **asked)["parts"]
    further = client.get(part["explained_at"]).json()

    assert (further["as_of"], further["cost_method"], further["value_base"]) == ("2025-01-10", "LIFO", part["amount"])
    assert datetime.datetime.fromisoformat(further["known_at"]) == NOW + HOUR


def test_another_method_and_an_earlier_moment_are_explained_as_they_are_answered(client, traded):
    record(entry("BUY", "B2", "2025-01-03", 10, 140, currency="EUR", version=2), now=NOW + HOUR)

    def sold(**query):
        return parts(explain(client, "cost_basis", "AAPL", **END, **query), "amount")[-1]

    assert sold() == ("S1", "-402")
    assert sold(cost_method="LIFO") == ("S1", "-560")  # 4 x 140
    assert sold(cost_method="LIFO", known_at=(NOW + HOUR / 2).isoformat()) == ("S1", "-480")  # 4 x 120


def test_a_price_from_before_a_split_is_told_as_quoted_and_as_restated(client):
    # Quoted 300 on the 2nd; after 3:1 on the 5th a unit is worth 100. 30 x 100 - 2000 = 1000.
    settle()
    quote("AAPL", "2025-01-02", 300)
    record(
        entry("BUY", "B1", "2025-01-01", 10, 200),
        entry("SPLIT", "X1", "2025-01-05", None, None, ratio_new=3, ratio_old=1),
    )
    answer = explain(client, "unrealized_gain", "AAPL", **END)

    price = answer["price"]
    assert (price["quoted_price"], price["split_ratio"], price["price"]) == ("300", "3", "100")
    assert (answer["value"], price["flags"]) == ("1000", ["STALE"])
    assert parts(explain(client, "quantity", "AAPL", **END), "amount") == [("B1", "10"), ("X1", "20")]


def test_an_own_trade_that_is_the_price_is_named(client):
    settle()
    record(
        entry("BUY", "B1", "2025-01-29", 10, 200),
        entry("BUY", "B2", "2025-01-30", 10, 220),
        entry("SELL", "S9", "2025-01-30", 100, 999),
    )
    answer = explain(client, "unrealized_gain", "AAPL", **END)

    # 20 x 220 - 4200
    assert (answer["value"], answer["price"]["transaction_id"], answer["price"]["price_source"]) == (
        "200",
        "B2",
        "TRADE",
    )
    (left_out,) = answer["exceptions"]
    assert (left_out["code"], left_out["transaction_id"], left_out["quantity"]) == ("OVERSOLD", "S9", "80")


def test_what_was_never_bought_and_sold_all_the_same_is_nothing_and_says_why(client):
    settle()
    record(entry("SELL", "S1", "2025-01-30", 1, 10))
    answer = explain(client, "quantity", "AAPL", **END)

    assert (answer["value"], answer["parts"]) == ("0", [])
    assert [problem["code"] for problem in answer["exceptions"]] == ["OVERSOLD"]


def test_what_a_merger_brings_is_explained_through_the_security_it_came_from(client):
    settle()
    record(
        entry("BUY", "B1", "2025-01-02", 10, 100, security_id="OLD"),
        entry(
            "MERGER",
            "G1",
            "2025-01-05",
            None,
            None,
            security_id="OLD",
            target_security_id="NEW",
            ratio_new=1,
            ratio_old=2,
        ),
    )
    assert parts(explain(client, "quantity", "NEW", **END), "amount") == [("G1", "5")]
    assert parts(explain(client, "cost_basis", "NEW", **END), "amount") == [("G1", "1000")]
    assert parts(explain(client, "cost_basis", "OLD", **END), "amount") == [("B1", "1000"), ("G1", "-1000")]


def test_rates_are_told_as_found(client):
    # CHF to USD is crossed through EUR: 0.80 x 1.25 = 1; GBP to USD is the inverse of 0.5: 2.
    settle()
    rate("CHF/EUR", "2025-01-01", "0.8")
    rate("EUR/USD", "2024-12-01", "1.25")
    rate("USD/GBP", "2025-01-02", "0.5")
    record(
        entry("BUY", "B1", "2025-01-02", 1, 100, security_id="SWISS", currency="CHF"),
        entry("BUY", "B2", "2025-01-02", 1, 100, security_id="BRITISH", currency="GBP"),
        entry("BUY", "B3", "2025-01-02", 1, 100, security_id="BRITISH", currency="USD"),
        entry("BUY", "B4", "2025-01-02", 1, 100, security_id="SWEDISH", currency="SEK"),
    )

    def used(security_id):
        return [part["rate"] for part in explain(client, "cost_basis", security_id, **END)["parts"]]

    (crossed,) = used("SWISS")
    assert (crossed["rate"], crossed["source"], crossed["rate_date"], crossed["stale"]) == (
        "1",
        "CROSS",
        "2024-12-01",
        True,
    )
    assert [(q["from_currency"], q["to_currency"], q["rate"]) for q in crossed["quotes"]] == [
        ("CHF", "EUR", "0.8"),
        ("EUR", "USD", "1.25"),
    ]
    assert [(one["rate"], one["source"]) for one in used("BRITISH")] == [("2", "INVERSE"), ("1", "SAME")]
    converted = explain(client, "cost_basis", "BRITISH", **END)["parts"][1]
    assert (converted["amount"], converted["conversion"]["rate"]) == ("50", "0.5")
    (missing,) = used("SWEDISH")
    assert (missing["rate"]["unavailable"], missing["source"]) == ("MISSING_FX_RATE", None)
    swedish = explain(client, "cost_basis", "SWEDISH", **END)
    assert (swedish["value"], swedish["value_base"]["unavailable"]) == ("100", "MISSING_FX_RATE")
    assert swedish["parts"][0]["amount_base"]["unavailable"] == "MISSING_FX_RATE"


def test_what_was_unknown_and_has_left_again_leaves_a_known_figure(client):
    # B1 has no rate; it is sold whole, and B2 is bought at 1.10: 5 x 10 x 1.10 = 55.
    settle()
    rate("EUR/USD", "2025-01-10", "1.10")
    record(
        entry("BUY", "B1", "2025-01-02", 5, 10, currency="EUR"),
        entry("BUY", "B2", "2025-01-12", 5, 10, currency="EUR"),
        entry("SELL", "S1", "2025-01-13", 5, 10, currency="EUR"),
    )
    answer = explain(client, "cost_basis", "AAPL", **END)

    assert answer["value_base"] == "55"
    assert [part["amount_base"] if isinstance(part["amount_base"], str) else "?" for part in answer["parts"]] == [
        "?",
        "55",
        "?",
    ]


def test_why_a_total_is_unavailable_is_said_alike_by_positions_and_by_its_explanation(client):
    """What AAPL cost in base is unknown, its worth is not; DARK, which comes after it, never had a price."""
    settle()
    rate("EUR/USD", "2025-01-10", "1.10")
    record(
        entry("BUY", "B1", "2025-01-02", 5, 10, currency="EUR"),
        transaction("TRANSFER_IN", security_id="DARK", quantity=D(3), gross_transaction_amount=D(30)),
    )

    totals = ask(client, "positions/", **END)["totals"]

    assert totals["value"]["unavailable"] == "MISSING_PRICE"
    assert totals["unrealized_gain"]["unavailable"] == "MISSING_FX_RATE"
    assert explain(client, "unrealized_gain", **END)["value"] == totals["unrealized_gain"]


# --- how much is listed -------------------------------------------------------------------------------------------


def test_more_parts_than_are_listed_are_one_part_with_their_sum(client, monkeypatch):
    monkeypatch.setattr(listing, "PARTS_MAX", 2)
    settle()
    record(*[entry("BUY", f"B{n}", f"2025-01-{n + 1:02}", n, 10) for n in range(1, 6)])
    answer = explain(client, "quantity", "AAPL", **END)

    # 1 + 2 + 3 left out; 4 and 5 listed
    assert (answer["value"], answer["parts_left_out"], answer["parts_max"]) == ("15", 3, 2)
    first, *listed = answer["parts"]
    assert (first["kind"], first["count"], first["amount"]) == ("LEFT_OUT", 3, "6")
    assert (first["date"], first["last_date"]) == ("2025-01-02", "2025-01-04")
    assert [part["transaction_id"] for part in listed] == ["B4", "B5"]
    # The day up to which parts are left out, asked for, lists the latest of them.
    further = explain(client, "quantity", "AAPL", as_of=first["last_date"])
    assert further["value"] == first["amount"]


def test_the_parts_before_those_listed_are_at_the_next_address(client, monkeypatch):
    monkeypatch.setattr(listing, "PARTS_MAX", 2)
    settle()
    record(*[entry("BUY", f"B{n}", f"2025-01-{n + 1:02}", n, 10) for n in range(1, 6)])

    answer = explain(client, "quantity", "AAPL", **END)
    seen: list[str] = []
    while answer:
        left_out = [part["amount"] for part in answer["parts"] if part["kind"] == "LEFT_OUT"]
        seen = [part["transaction_id"] for part in answer["parts"] if part["kind"] != "LEFT_OUT"] + seen
        answer = client.get(answer["next"]).json() if answer["next"] else None
        assert left_out == ([answer["value"]] if answer else [])

    assert seen == ["B1", "B2", "B3", "B4", "B5"]


@pytest.mark.parametrize("quiet_days", [0, 1, 2])
@pytest.mark.parametrize("more", [{}, {"known_at": "2030-01-01T00:00:00Z"}], ids=["rows", "booked"])
def test_a_day_with_more_parts_than_are_listed_does_not_hide_the_days_before_it(client, monkeypatch, quiet_days, more):
    """Of six deposits of a day two are listed, and the other four stay one part: 100 + 1 + 2 + 3 + 4 = 110 are left out
    with what is before. A trade or two may follow on days of their own.
    """
    monkeypatch.setattr(listing, "PARTS_MAX", 2)
    settle()
    cash = {"security_id": None}
    record(
        *(entry("DEPOSIT", f"A{n}", f"2025-01-0{n}", None, 50, **cash) for n in (1, 2)),
        *(entry("DEPOSIT", f"D{n}", "2025-01-06", None, n, **cash) for n in range(1, 7)),
        *(entry("DEPOSIT", f"Q{n}", f"2025-01-0{n + 7}", None, 9, **cash) for n in range(quiet_days)),
    )

    answer = explain(client, "cash", currency="USD", as_of="2025-01-09", **more)
    pages = [answer]
    while answer["next"]:
        before, answer = answer, client.get(answer["next"]).json()
        assert answer["as_of"] < before["as_of"]
        assert answer["parts_total"] == answer["value"]
        pages.append(answer)

    busy, beginning = pages[-2:]
    assert [(part["kind"], part["amount"]) for part in busy["parts"]] == [
        ("LEFT_OUT", "110"),
        ("TRANSACTION", "5"),
        ("TRANSACTION", "6"),
    ]
    assert (beginning["as_of"], beginning["parts_left_out"]) == ("2025-01-05", 0)
    assert [(part["transaction_id"], part["amount"]) for part in beginning["parts"]] == [("A1", "50"), ("A2", "50")]
    seen = [part["transaction_id"] for page in pages for part in page["parts"] if part["kind"] == "TRANSACTION"]
    assert sorted(seen) == sorted(["A1", "A2", "D5", "D6", *(f"Q{n}" for n in range(quiet_days))])


def test_a_first_day_with_more_parts_than_are_listed_has_nothing_before_it(client, monkeypatch):
    monkeypatch.setattr(listing, "PARTS_MAX", 2)
    settle()
    record(*(entry("DEPOSIT", f"D{n}", "2025-01-06", None, n, security_id=None) for n in range(1, 7)))

    answer = explain(client, "cash", currency="USD", **END)

    assert (answer["parts_left_out"], answer["next"]) == (4, None)


def test_a_security_with_many_transactions_is_explained_day_by_day_without_reading_them(client, monkeypatch):
    monkeypatch.setattr(explained_entries, "ENTRIES_TOLD_MAX", 5)
    monkeypatch.setattr(listing, "PARTS_MAX", 2)
    settle()
    rows: list[int] = []

    def count(execute, sql, params, many, context):
        answer = execute(sql, params, many, context)
        rows.append(max(context["cursor"].rowcount, 0))
        return answer

    def read(figure, **query):
        rows.clear()
        with connection.execute_wrapper(count):
            return explain(client, figure, "AAPL", **query), sum(rows)

    # Each day from the 2nd on 3 are bought at 10 and 1 of them is sold again at 12: 2 more, 20 in cost, a gain of 2.
    def trades(first, last):
        for n in range(first, last + 1):
            yield entry("BUY", f"B{n:02}", f"2025-01-{n:02}", 3, 10)
            yield entry("SELL", f"S{n:02}", f"2025-01-{n:02}", 1, 12)

    record(*trades(2, 6))
    before = {figure: read(figure)[1] for figure in ("quantity", "cost_basis", "realized_gain", "unrealized_gain")}
    record(*trades(7, 26))

    quantity, of_quantity = read("quantity")
    left_out, *days = quantity["parts"]
    assert (quantity["value"], left_out["count"], left_out["amount"], left_out["last_date"]) == (
        "50",
        23,
        "46",
        "2025-01-24",
    )
    assert [(part["kind"], part["date"], part["amount"]) for part in days] == [
        ("DAY", "2025-01-25", "2"),
        ("DAY", "2025-01-26", "2"),
    ]
    of_day = client.get(days[0]["explained_at"]).json()["results"]
    assert sorted(one["transaction_id"] for one in of_day) == ["B25", "S25"]
    cost, of_cost = read("cost_basis")
    assert (cost["value"], cost["parts"][0]["amount"]) == ("500", "460")
    gain, of_gain = read("realized_gain")
    assert [(part["kind"], part["amount"]) for part in gain["parts"]] == [
        ("LEFT_OUT", "46"),
        ("DISPOSAL", "2"),
        ("DISPOSAL", "2"),
    ]
    # 50 at the price of the last own trade, 12, less 500: the first sales took what was bought first.
    unrealized, of_lots = read("unrealized_gain")
    assert unrealized["value"] == "100"
    assert [part["kind"] for part in unrealized["parts"]] == ["LEFT_OUT", "LOT", "LOT"]
    assert unrealized["price"]["transaction_id"] == "S26"
    assert {
        "quantity": of_quantity,
        "cost_basis": of_cost,
        "realized_gain": of_gain,
        "unrealized_gain": of_lots,
    } == before


def test_only_what_hangs_together_with_the_security_is_booked_and_cash_is_read_from_its_movements(client):
    settle()
    dividends = [
        entry("DIVIDEND", f"V{n}", "2025-01-02", None, 1, security_id="MSFT") for n in range(BOOKED_BESIDE_MAX)
    ]
    record(entry("BUY", "B1", "2025-01-02", 1, 10), *dividends)

    with apart():
        assert explain(client, "quantity", "AAPL", **END)["value"] == "1"
        answer = explain(client, "cash", currency="USD")
        refused = client.get(f"{OF_PORTFOLIO}explain/cash/", {"currency": "USD", "known_at": "2030-01-01T00:00:00Z"})
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    assert (answer["value"], answer["parts_left_out"]) == (str(BOOKED_BESIDE_MAX - 10), BOOKED_BESIDE_MAX + 1 - 1000)


# --- whose, and what is asked -------------------------------------------------------------------------------------


def test_nobody_explains_anothers_portfolio(traded):
    stranger = APIClient()
    stranger.force_authenticate(User.objects.create_user("stranger"))

    for query in ({}, {"security_id": "AAPL"}):
        assert stranger.get(f"{OF_PORTFOLIO}explain/cost_basis/", query).status_code == 404


def test_an_unknown_figure_is_not_found_and_the_known_ones_are_named(client, traded):
    answer = client.get(f"{OF_PORTFOLIO}explain/happiness/")

    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")
    assert all(name in answer.json()["detail"] for name in FIGURES)


@pytest.mark.parametrize(
    ("figure", "query", "pointer"),
    [
        ("quantity", {}, "/security_id"),
        ("cash", {"security_id": "AAPL"}, "/security_id"),
        ("cost_basis", {"currency": "USD"}, "/currency"),
        ("income", {"security_id": "AAPL", "currency": "USD"}, "/currency"),
        ("income", {"as_of": "soon"}, "/as_of"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(client, traded, figure, query, pointer):
    answer = client.get(f"{OF_PORTFOLIO}explain/{figure}/", query)

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize("query", [{"security_id": "NONE"}, {"currency": "SEK"}])
def test_what_no_transaction_has_to_do_with_is_not_found(client, traded, query):
    assert client.get(f"{OF_PORTFOLIO}explain/income/", query).status_code == 404


# --- the law ------------------------------------------------------------------------------------------------------

OF_POSITION = ("quantity", "cost_basis", "realized_gain", "unrealized_gain", "market_value", "income")
TOTALS = {"market_value": "securities"} | {
    name: name for name in ("cash", "cost_basis", "realized_gain", "unrealized_gain", "income", "fees", "taxes")
}


def a_market(choose: random.Random) -> None:
    for security_id, currency in CURRENCIES.items():
        for number in choose.sample(range(1, 29), 3):
            quoted_in = currency if choose.random() < 0.9 else "GBP"
            quote(security_id, f"2025-01-{number:02}", D(choose.randint(100, 9999)) / 100, quoted_in)
    for number in choose.sample(range(1, 29), 4):
        rate("EUR/USD", f"2025-01-{number:02}", D(choose.randint(80, 150)) / 100)


def assert_explained(client, asked: dict[str, Any]) -> None:
    """Every figure of every holding, and every total, is explained by parts that add up to it."""
    positions = ask(client, "positions/", closed=True, **asked)
    for position in positions["positions"]:
        for figure in OF_POSITION:
            answer = explain(client, figure, position["security_id"], **asked)
            assert answer["value"] == position[figure]
            assert answer["value_base"] == position.get(f"{figure}_base")
            assert_added_up(answer)
    for cash in positions["cash"]:
        answer = explain(client, "cash", currency=cash["currency"], **asked)
        assert (answer["value"], answer["value_base"]) == (cash["balance"], cash["balance_base"])
        assert_added_up(answer)
        for figure in ("cash", "income", "fees", "taxes"):
            assert_booked_as_stored(client, figure, asked | {"currency": cash["currency"]})
    for figure, total in TOTALS.items():
        answer = explain(client, figure, **asked)
        assert answer["value"] == positions["totals"][total]
        for part in answer["parts"]:
            further = client.get(part["explained_at"]).json()
            assert further["value_base"] == part["amount"]
            assert further["parts_total_base"] == part["amount"]


def assert_booked_as_stored(client, figure, asked) -> None:
    """What stored movements say of cash is what booking anew says."""
    stored = explain(client, figure, **asked)
    booked = explain(client, figure, known_at=(NOW + HOUR).isoformat(), **asked)
    told = [{n: v for n, v in answer.items() if n not in ("known_at", "exceptions")} for answer in (stored, booked)]
    assert told[0] == told[1]
    ids = [sorted((e["code"], e["transaction_id"]) for e in answer["exceptions"]) for answer in (stored, booked)]
    assert ids[0] == ids[1]


def assert_added_up(answer) -> None:
    """What is listed, added up by the reader, is the figure."""
    with exact():
        for name, total in (("amount", "value"), ("amount_base", "value_base")):
            amounts = [part[name] for part in answer["parts"]]
            if answer[total] and all(isinstance(amount, str) for amount in amounts):
                assert sum(map(D, amounts), D(0)) == D(answer[total])


@pytest.mark.parametrize("seed", range(5))
def test_every_figure_of_a_random_history_is_explained_to_the_last_digit(client, seed):
    choose = random.Random(seed)
    settle(
        base_currency=choose.choice(["USD", "EUR"]),
        cost_basis_method=choose.choice(METHODS),
        allow_short=bool(seed % 2),
        fees_in_cost=choose.random() < 0.5,
        cash_mode="UNTRACKED" if seed == 4 else "TRACKED",
    )
    a_market(choose)
    pipeline.record(*a_history(seed, 50), submitted_by="owner")
    pipeline.calculate("P1")

    for as_of in ("2025-01-31", f"2025-01-{choose.randint(5, 13):02}"):
        for method in (None, choose.choice(METHODS)):
            assert_explained(client, {"as_of": as_of} | ({"cost_method": method} if method else {}))
