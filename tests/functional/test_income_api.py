"""Income and realised gains over REST, on the real database, with figures worked out by hand."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from portfolio.streaming.messages import (
    RawInstrument,
    RawPortfolio,
    RawRate,
    SubmittedInstrument,
    SubmittedPortfolio,
    SubmittedRate,
)
from positions.periods import realized_gains
from tests import pipeline
from tests.pipeline import day, transaction

pytestmark = pytest.mark.django_db(transaction=True)

D = Decimal


@pytest.fixture
def client() -> APIClient:
    client = APIClient()
    client.force_authenticate(User.objects.create_user("owner"))
    return client


def ask(client, path, **query):
    answer = client.get(f"/api/v1/portfolios/P1/{path}/", query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def portfolio(**attributes):
    attributes = {"base_currency": "EUR", **attributes}
    return RawPortfolio(portfolio=SubmittedPortfolio(portfolio_id="P1", **attributes), submitted_by="owner")


def rate(on, amount):
    return RawRate(
        fx_rate=SubmittedRate(from_currency="USD", to_currency="EUR", rate_date=day(on), rate=D(str(amount)))
    )


def booked(kind, on, **fields):
    numbers = {
        name: D(str(fields.pop(name)))
        for name in ("quantity", "price", "gross_transaction_amount", "trade_fee", "tax")
        if name in fields
    }
    return transaction(kind, transaction_date=on, **numbers, **fields)


@pytest.fixture
def held(client):
    """A EUR portfolio at 0.9 EUR a dollar, 0.8 from 2025 on. AAA is bought in two lots and sold in two years; it pays
    dividends with tax.
    """
    pipeline.record_reference(
        portfolio(),
        RawInstrument(instrument=SubmittedInstrument(security_id="AAA", currency="USD")),
        rate("2023-01-01", "0.9"),
        rate("2025-01-01", "0.8"),
    )
    pipeline.record(
        booked("DEPOSIT", "2023-01-02", gross_transaction_amount=9000),
        booked("BUY", "2023-02-01", transaction_id="B1", security_id="AAA", quantity=10, price=100),
        booked("BUY", "2024-06-03", transaction_id="B2", security_id="AAA", quantity=10, price=120),
        booked("SELL", "2024-02-01", transaction_id="S1", security_id="AAA", quantity=4, price=150),
        booked("SELL", "2025-03-03", transaction_id="S2", security_id="AAA", quantity=10, price=90),
        booked("DIVIDEND", "2024-03-15", security_id="AAA", gross_transaction_amount=20, tax=3),
        booked("DIVIDEND", "2025-03-14", security_id="AAA", gross_transaction_amount=30, tax=5),
        booked("TAX", "2025-03-20", security_id="AAA", gross_transaction_amount=1),
        booked("TAX_REFUND", "2025-04-02", security_id="AAA", gross_transaction_amount=2),
        booked("INTEREST", "2025-04-01", currency="EUR", gross_transaction_amount=7, tax=2),
        booked("TAX", "2025-04-01", currency="EUR", gross_transaction_amount=50),
        submitted_by="owner",
    )
    pipeline.calculate("P1")


# --- income -------------------------------------------------------------------------------------------------------


def sums(one):
    return tuple(one[name] for name in ("income", "taxes", "net"))


def test_income_of_a_year_by_month_and_by_holding_with_its_tax(client, held):
    answer = ask(client, "income", year=2025)

    # March: 30 USD at 0.8 = 24, tax (5 + 1) at 0.8 = 4.8. April: 7 EUR with 2; the refund of 2 USD lowers taxes by 1.6.
    # The tax of 50 names no security: it is on no income.
    assert {one["month"]: sums(one) for one in answer["months"]} == {
        "2025-03": ("24", "4.8", "19.2"),
        "2025-04": ("7", "0.4", "6.6"),
    }
    assert [(one.get("security_id") or one.get("currency"), sums(one)) for one in answer["holdings"]] == [
        ("AAA", ("24", "3.2", "20.8")),
        ("EUR", ("7", "2", "5")),
    ]
    assert sums(answer["total"]) == ("31", "5.2", "25.8")
    assert (answer["start"], answer["end"], answer["base_currency"]) == ("2024-12-31", "2025-12-31", "EUR")


def test_income_is_what_the_statement_says(client, held):
    income = ask(client, "income", start="2023-01-01", end="2025-06-30")
    statement = ask(client, "statement", start="2023-01-01", end="2025-06-30")

    # 20 x 0.9 + 24 + 7
    assert income["total"]["income"] == statement["income"] == "49"


def test_income_by_another_method_is_the_same(client, held):
    own, other = ask(client, "income", year=2025), ask(client, "income", year=2025, cost_method="LIFO")

    assert [own[name] for name in ("months", "holdings", "total")] == [
        other[name] for name in ("months", "holdings", "total")
    ]
    assert other["cost_method"] == "LIFO"


def test_who_is_short_pays_the_dividend(client):
    pipeline.record_reference(portfolio(base_currency="USD", allow_short=True))
    pipeline.record(
        booked("SELL", "2025-01-02", security_id="AAA", quantity=10, price=10),
        booked("DIVIDEND", "2025-01-10", security_id="AAA", gross_transaction_amount=5),
        submitted_by="owner",
    )
    pipeline.calculate("P1")

    assert sums(ask(client, "income", year=2025)["total"]) == ("-5", "0", "-5")


def test_the_tax_of_a_trade_is_not_on_income(client):
    pipeline.record_reference(portfolio(base_currency="USD", fees_in_cost=False))
    pipeline.record(
        booked("BUY", "2025-01-02", security_id="AAA", quantity=10, price=10, tax=4),
        booked("DIVIDEND", "2025-01-02", security_id="AAA", gross_transaction_amount=5, tax=1),
        submitted_by="owner",
    )
    pipeline.calculate("P1")

    assert sums(ask(client, "income", year=2025)["total"]) == ("5", "1", "4")


def test_income_without_a_rate_is_not_guessed(client):
    pipeline.record_reference(portfolio())
    pipeline.record(booked("INTEREST", "2025-01-02", currency="USD", gross_transaction_amount=5), submitted_by="owner")
    pipeline.calculate("P1")
    answer = ask(client, "income", year=2025)

    assert answer["total"]["income"]["unavailable"] == "MISSING_FX_RATE"
    assert answer["total"]["taxes"] == "0"


# --- realised gains -----------------------------------------------------------------------------------------------


def test_realised_gains_by_tax_year_and_term(client, held):
    """2024: 4 of B1, held 365 days: 600 x 0.9 - 400 x 0.9 = 180. 2025: 6 of B1, 761 days, and 4 of B2, 273 days, at 90 x
    0.8 = 72 each: 432 - 540 = -108, and 288 - 480 x 0.9 = -144.
    """
    answer = ask(client, "realized-gains")

    assert [(year["year"], year["total"]["count"], year["total"]["realized_gain"]) for year in answer["years"]] == [
        (2024, 1, "180"),
        (2025, 2, "-252"),
    ]
    of_2025 = answer["years"][1]
    assert {name: gains["realized_gain"] for name, gains in of_2025["by_term"].items()} == {
        "short": "-144",
        "long": "-108",
        "undated": "0",
    }
    # Exchange: 600 USD at 0.8 - 540 = -60, 480 at 0.8 - 432 = -48.
    assert of_2025["total"]["realized_fx_gain"] == "-108"
    assert (of_2025["total"]["gains"], of_2025["total"]["losses"]) == ("0", "252")
    assert answer["long_term_days"] == 365
    assert "disposals" not in of_2025


def test_what_is_long_term_is_a_setting_and_a_question_may_say_another(client, held, settings):
    of_365_days = ask(client, "realized-gains", year=2024)["years"][0]["by_term"]
    of_364_days = ask(client, "realized-gains", year=2024, long_term_days=364)["years"][0]["by_term"]
    settings.LONG_TERM_DAYS = 800
    of_2025 = ask(client, "realized-gains", year=2025)

    # The 365 days of 2024 are not more than 365.
    assert (of_365_days["short"]["count"], of_365_days["long"]["count"]) == (1, 0)
    assert (of_364_days["short"]["count"], of_364_days["long"]["count"]) == (0, 1)
    assert (of_2025["long_term_days"], of_2025["years"][0]["by_term"]["short"]["count"]) == (800, 2)


def test_a_year_lists_its_disposals_with_their_holding_periods(client, held):
    (year,) = ask(client, "realized-gains", year=2025)["years"]

    told = [
        tuple(one[name] for name in ("opening_transaction_id", "quantity", "days_held", "term", "realized_gain_base"))
        for one in year["disposals"]
    ]
    assert told == [("B1", "6", 761, "long", "-108"), ("B2", "4", 273, "short", "-144")]
    assert [one["realized_gain"] for one in year["disposals"]] == ["-60", "-120"]


def test_a_year_of_more_disposals_than_an_answer_lists_says_where_all_of_them_are(client, held, monkeypatch):
    monkeypatch.setattr(realized_gains, "DISPOSALS_LISTED_MAX", 1)
    (own,) = ask(client, "realized-gains", year=2025)["years"]
    (other,) = ask(client, "realized-gains", start="2024-12-31", end="2025-12-31", cost_method="AVCO")["years"]

    assert (own["total"]["count"], len(own["disposals"])) == (2, 1)
    everything = client.get(own["all_disposals"]).json()["results"]
    assert [one["opening_transaction_id"] for one in everything] == ["B1", "B2"]
    # Without a year nothing is listed; of a pool there is but one disposal.
    assert "disposals" not in other
    (of_pool,) = ask(client, "realized-gains", year=2025, cost_method="AVCO")["years"]
    assert (len(of_pool["disposals"]), of_pool["all_disposals"]) == (1, None)
    (by_lifo,) = ask(client, "realized-gains", year=2024, cost_method="LIFO")["years"]
    assert by_lifo["all_disposals"] is None


def test_the_list_of_all_disposals_is_of_the_variant_that_was_asked(client, held, monkeypatch):
    monkeypatch.setattr(realized_gains, "DISPOSALS_LISTED_MAX", 0)
    (year,) = ask(client, "realized-gains", year=2025, cost_method="LIFO")["years"]

    everything = client.get(year["all_disposals"]).json()["results"]
    assert [one["opening_transaction_id"] for one in everything] == ["B2"]


def test_another_method_takes_other_lots(client, held):
    (year,) = ask(client, "realized-gains", year=2025, cost_method="LIFO")["years"]

    # All 10 of B2: 720 - 1,200 x 0.9 = -360.
    assert [(one["opening_transaction_id"], one["realized_gain_base"]) for one in year["disposals"]] == [("B2", "-360")]


@pytest.mark.parametrize("headers", [{}, {"accept": "text/csv"}], ids=["format", "accept"])
def test_a_tax_report_is_a_csv_file(client, held, headers):
    query = {"year": 2025} if headers else {"year": 2025, "format": "csv"}
    answer = client.get("/api/v1/portfolios/P1/realized-gains/", query, headers=headers)

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == (
        'attachment; filename="realized-gains-P1-2024-12-31-2025-12-31.csv"'
    )
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert [
        tuple(
            row[name]
            for name in ("tax_year", "acquisition_date", "disposal_date", "term", "proceeds_base", "cost_basis_base")
        )
        for row in rows
    ] == [
        ("2025", "2023-02-01", "2025-03-03", "long", "432", "540"),
        ("2025", "2024-06-03", "2025-03-03", "short", "288", "432"),
    ]


def test_a_text_that_a_spreadsheet_would_compute_is_given_as_text(client):
    pipeline.record_reference(portfolio(base_currency="USD"))
    pipeline.record(
        booked("BUY", "2025-01-02", transaction_id="=1+1", security_id="AAA", quantity=1, price=10),
        booked("SELL", "2025-01-03", transaction_id="S,1", security_id="AAA", quantity=1, price=7),
        submitted_by="owner",
    )
    pipeline.calculate("P1")
    answer = client.get("/api/v1/portfolios/P1/realized-gains/", {"format": "csv"})
    (row,) = csv.DictReader(io.StringIO(answer.content.decode()))

    assert (row["opening_transaction_id"], row["closing_transaction_id"], row["realized_gain"]) == (
        "'=1+1",
        "S,1",
        "-3",
    )


def test_a_refused_csv_is_a_problem_in_json(client, held):
    answer = client.get("/api/v1/portfolios/P1/realized-gains/", {"format": "csv", "year": "x"})

    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["errors"][0]["pointer"] == "/year"


def test_a_gain_without_a_rate_says_so(client):
    pipeline.record_reference(portfolio())
    pipeline.record(
        booked("BUY", "2025-01-02", security_id="AAA", quantity=1, price=10),
        booked("SELL", "2025-01-03", security_id="AAA", quantity=1, price=12),
        submitted_by="owner",
    )
    pipeline.calculate("P1")
    (year,) = ask(client, "realized-gains", year=2025)["years"]
    answer = client.get("/api/v1/portfolios/P1/realized-gains/", {"format": "csv"})
    (row,) = csv.DictReader(io.StringIO(answer.content.decode()))

    assert year["total"]["realized_gain"]["unavailable"] == "MISSING_FX_RATE"
    assert year["disposals"][0]["realized_gain"] == "2"
    assert row["realized_gain_base"] == "MISSING_FX_RATE"


def test_a_year_that_has_not_begun_has_no_report(client, held):
    answer = client.get("/api/v1/portfolios/P1/income/", {"year": "9999"})

    assert answer.status_code == 422
    assert "has not begun" in answer.content.decode()
