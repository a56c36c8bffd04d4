"""Statement and performance over REST: of two dates, of standard periods, of parts, against a benchmark, and unchanged."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

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
from tests.pipeline import NOW, day, transaction

pytestmark = pytest.mark.django_db(transaction=True)

D = Decimal
HOUR = datetime.timedelta(hours=1)
JANUARY = {"start": "2024-12-31", "end": "2025-01-31"}


@pytest.fixture
def client() -> APIClient:
    client = APIClient()
    client.force_authenticate(User.objects.create_user("owner"))
    return client


def price(security_id: str, on: str, amount: Any, currency: str = "USD", **fields: Any) -> RawPrice:
    quote = SubmittedPrice(security_id=security_id, price_date=day(on), price=D(amount), currency=currency, **fields)
    return RawPrice(market_price=quote)


@pytest.fixture
def held(client) -> None:
    """1,000 come in on the 1st; on the 2nd 10 AAPL are bought at 50 and 2 BOND at 100. On the 15th another 1,000 come
    in. On the 20th AAPL pays 20. At the end of the month AAPL is worth 60, BOND 90.
    """
    settings = SubmittedPortfolio(portfolio_id="P1", base_currency="USD", benchmark_security_id="INDEX")
    pipeline.record_reference(
        RawPortfolio(portfolio=settings, submitted_by="owner"),
        RawInstrument(instrument=SubmittedInstrument(security_id="AAPL", currency="USD", asset_class="equity")),
        RawInstrument(instrument=SubmittedInstrument(security_id="BOND", currency="USD", asset_class="bond")),
        price("AAPL", "2025-01-02", 50),
        price("AAPL", "2025-01-31", 60),
        price("BOND", "2025-01-02", 100),
        price("BOND", "2025-01-31", 90),
        price("INDEX", "2024-12-30", 200),
        price("INDEX", "2025-01-15", 250),
        price("INDEX", "2025-01-31", 225),
    )
    pipeline.record(
        transaction("DEPOSIT", transaction_date="2025-01-01", gross_transaction_amount=D(1000)),
        transaction("BUY", transaction_date="2025-01-02", security_id="AAPL", quantity=D(10), price=D(50)),
        transaction("BUY", transaction_date="2025-01-02", security_id="BOND", quantity=D(2), price=D(100)),
        transaction("DEPOSIT", transaction_date="2025-01-15", gross_transaction_amount=D(1000)),
        transaction("DIVIDEND", transaction_date="2025-01-20", security_id="AAPL", gross_transaction_amount=D(20)),
        submitted_by="owner",
    )
    pipeline.calculate("P1")
    pipeline.value("P1")


def ask(client: APIClient, what: str, **query: Any) -> dict[str, Any]:
    answer = client.get(f"/api/v1/portfolios/P1/{what}/", query)
    assert answer.status_code == 200, answer.content
    content: dict[str, Any] = answer.json()
    return content


# --- statement ----------------------------------------------------------------------------------------------------


def test_the_statement_of_a_month_adds_up_and_says_what_it_was_valued_at(client, held):
    answer = ask(client, "statement", **JANUARY)

    # 0 + 2000 + price gain 10 x 10 - 2 x 10 = 80 + income 20 = 2100 = 600 + 180 + cash 1320
    assert {name: answer[name] for name in ("opening", "inflows", "outflows", "price_gain", "fx_gain", "income")} == {
        "opening": "0",
        "inflows": "2000",
        "outflows": "0",
        "price_gain": "80",
        "fx_gain": "0",
        "income": "20",
    }
    assert (answer["closing"], answer["residual"], answer["base_currency"]) == ("2100", "0", "USD")
    rows = {row.get("security_id") or row["currency"]: row for row in answer["holdings"]}
    assert {name: row["closing"] for name, row in rows.items()} == {"AAPL": "600", "BOND": "180", "USD": "1320"}
    assert rows["AAPL"]["opened_at"] is None
    assert rows["AAPL"]["closed_at"] == {
        "price": "60",
        "price_date": "2025-01-31",
        "price_source": "MARKET",
        "fx_rate": "1",
    }
    assert (answer["pending"], answer["period"], answer["remarks"]) == (None, None, [])


def test_without_dates_everything_since_the_first_transaction_is_stated(client, held):
    answer = ask(client, "statement")

    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    assert (answer["period"], answer["start"], answer["end"]) == ("ITD", "2024-12-31", today)
    # By today the quotes of January are old.
    assert answer["remarks"] == [
        {"code": "STALE", "security_id": "AAPL"},
        {"code": "STALE", "security_id": "BOND"},
    ]


def test_a_missing_price_is_named_with_its_holding(client, held):
    pipeline.record(
        transaction("TRANSFER_IN", transaction_date="2025-01-10", security_id="DARK", quantity=D(3)),
        submitted_by="owner",
    )
    pipeline.calculate("P1")

    answer = ask(client, "statement", **JANUARY)

    assert answer["closing"]["unavailable"] == "MISSING_PRICE"
    assert {"code": "MISSING_PRICE", "security_id": "DARK"} in answer["remarks"]
    performance = ask(client, "performance", **JANUARY)
    assert performance["time_weighted_return"]["unavailable"] == "MISSING_PRICE"
    assert performance["remarks"] == [
        {"code": "MISSING_PRICE", "days": 22, "first": "2025-01-10", "last": "2025-01-31"},
        *[one for one in performance["remarks"] if one["code"] != "MISSING_PRICE"],
    ]
    assert "MISSING_PRICE" not in performance["flags"]


def test_by_another_method_and_as_known_then(client, held):
    pipeline.record(
        transaction("BUY", transaction_date="2025-01-03", security_id="AAPL", quantity=D(10), price=D(70)),
        transaction("SELL", transaction_date="2025-01-21", security_id="AAPL", quantity=D(10), price=D(80)),
        submitted_by="owner",
        now=NOW + HOUR,
    )
    pipeline.calculate("P1")

    by_fifo = ask(client, "statement", **JANUARY)
    by_lifo = ask(client, "statement", **JANUARY, cost_method="LIFO")
    before = ask(client, "statement", **JANUARY, known_at=(NOW + HOUR / 2).isoformat())

    # FIFO: 10 x (80 - 50) = 300; LIFO: 10 x (80 - 70) = 100; the gain of the month is one and the same.
    assert (by_fifo["realized_gain"], by_lifo["realized_gain"]) == ("300", "100")
    assert by_fifo["price_gain"] == by_lifo["price_gain"] == "180"
    assert (before["realized_gain"], before["closing"]) == ("0", "2100")
    assert (by_lifo["cost_method"], before["cost_method"]) == ("LIFO", "FIFO")


# --- performance --------------------------------------------------------------------------------------------------


def test_the_performance_of_a_month_under_each_timing(client, held):
    answer = ask(client, "performance", **JANUARY)

    # Nothing but 0 % until the 20th, then 20 of 2000, then 80 of 2020; 2100 / 2000 in all.
    assert answer["time_weighted_return"] == "0.05"
    # 100 gained on 0 + 1000 x 30/31 + 1000 x 16/31
    assert D(answer["modified_dietz"]) == pytest.approx(D(100) / (D(46_000) / 31), abs=D("1e-17"))
    assert answer["time_weighted_return_annualized"]["unavailable"] == "PERIOD_TOO_SHORT"
    assert (answer["flow_timing"], answer["gross"]) == ("start_in_end_out", False)
    assert len(answer["series"]) == 31
    assert answer["series"][-1] == {
        "date": "2025-01-31",
        "value": "2100",
        "return": answer["series"][-1]["return"],
        "cumulative": "0.05",
    }
    assert ask(client, "performance", **JANUARY, flow_timing="start")["time_weighted_return"] == "0.05"
    at_the_end = ask(client, "performance", **JANUARY, flow_timing="end")
    assert (at_the_end["time_weighted_return"], at_the_end["flags"]) == ("0.05", ["STALE"])


def test_a_series_is_daily_monthly_or_left_out(client, held):
    daily, monthly, none = (
        ask(client, "performance", start="2024-12-31", end="2025-03-10", series=of)
        for of in ("daily", "monthly", "none")
    )

    assert [point["date"] for point in monthly["series"]] == ["2025-01-31", "2025-02-28", "2025-03-10"]
    assert [(point["return"], point["cumulative"]) for point in monthly["series"]] == [
        ("0.05", "0.05"),
        ("0", "0.05"),
        ("0", "0.05"),
    ]
    by_date = {point["date"]: point["cumulative"] for point in daily["series"]}
    assert all(by_date[point["date"]] == point["cumulative"] for point in monthly["series"])
    assert none["series"] == []
    for name in daily.keys() - {"series", "series_of", "known_at"}:
        assert daily[name] == monthly[name] == none[name], name


def test_the_value_before_a_flow_counts_whatever_series_is_asked_for(client, held):
    pipeline.record_reference(price("AAPL", "2025-01-14", 55))
    pipeline.value("P1")

    answers = [ask(client, "performance", **JANUARY, series=of) for of in ("daily", "monthly", "none")]

    # 1050 of 1000 before the deposit of the 15th; then 2100 of the 2050 with it.
    expected = D("1.05") * D(2100) / D(2050) - 1
    for answer in answers:
        assert D(answer["time_weighted_return"]) == pytest.approx(expected, abs=D("1e-17"))
        assert answer["pending"] is None


def test_a_long_period_has_a_daily_series_only_for_who_asks(client, held):
    long = {"start": "2021-12-31", "end": "2025-01-31"}

    assert ask(client, "performance", **long)["series_of"] == "monthly"
    assert len(ask(client, "performance", **long, series="daily")["series"]) == 1127
    assert ask(client, "performance", start="2022-01-31", end="2025-01-31")["series_of"] == "daily"


@pytest.mark.parametrize(
    ("period", "start"),
    [
        ("MTD", "2025-02-28"),
        ("QTD", "2024-12-31"),
        ("1M", "2025-02-10"),
        ("1Y", "2024-03-10"),
        ("ITD", "2024-12-31"),
    ],
)
def test_a_standard_period_is_asked_for_by_its_name(client, held, period, start):
    answer = ask(client, "performance", period=period, end="2025-03-10")

    assert (answer["period"], answer["start"]) == (period, start)
    assert answer["periods"][period]["time_weighted_return"] == answer["time_weighted_return"]
    named_and_dated = ask(client, "performance", period=period, start="2025-01-10", end="2025-03-10")
    assert (named_and_dated["period"], named_and_dated["start"]) == (None, "2025-01-10")


def test_who_names_no_standard_period_is_told_which_there_are(client, held):
    answer = client.get("/api/v1/portfolios/P1/performance/", {"period": "2Y"})

    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["pointer"] == "/period"
    assert error["detail"].startswith('"2Y" is none of MTD, QTD, YTD')


def test_a_portfolio_without_transactions_has_an_empty_period(client):
    pipeline.record_reference(
        RawPortfolio(portfolio=SubmittedPortfolio(portfolio_id="P1", base_currency="USD"), submitted_by="owner")
    )

    performance, statement = ask(client, "performance"), ask(client, "statement")

    assert performance["start"] == performance["end"] == statement["start"]
    assert (performance["time_weighted_return"], statement["closing"]) == ("0", "0")
    assert performance["money_weighted_return"]["unavailable"] == "NO_CAPITAL"
    assert "ITD" not in performance["periods"]


@pytest.mark.parametrize("what", ["statement", "performance"])
@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"start": "2025-02-01", "end": "2025-01-01"}, "/start"),
        ({"end": "2999-01-01"}, "/end"),
        ({"start": "1800-01-01"}, "/start"),
        ({"start": "yesterday"}, "/start"),
        ({"period": "2W"}, "/period"),
        ({"cost_method": "GUESS"}, "/cost_method"),
    ],
)
def test_a_period_that_is_none_is_refused_by_its_field(client, held, what, query, named):
    answer = client.get(f"/api/v1/portfolios/P1/{what}/", query)

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [named]


@pytest.mark.parametrize("query", [{"flow_timing": "noon"}, {"series": "hourly"}, {"as_of": "2025-01-31"}])
def test_what_is_not_known_is_refused(client, held, query):
    assert client.get("/api/v1/portfolios/P1/performance/", query).status_code == 422


@pytest.mark.parametrize("what", ["statement", "performance"])
def test_nobody_reads_anothers_periods(held, what):
    stranger = APIClient()
    stranger.force_authenticate(User.objects.create_user("stranger"))

    assert stranger.get(f"/api/v1/portfolios/P1/{what}/").status_code == 404


# --- parts --------------------------------------------------------------------------------------------------------


def test_one_holding_is_a_portfolio_of_its_own(client, held):
    answer = ask(client, "performance", **JANUARY, security_id="AAPL")

    # 500 in on the 2nd; 20 out on the 20th: 520 / 500; then 600 / 500.
    assert answer["of"] == {"security_id": "AAPL"}
    assert D(answer["time_weighted_return"]) == D("1.04") * D("1.2") - 1
    assert [point["value"] for point in answer["series"][:2]] == ["0", "500"]
    assert answer["periods"]["ITD"]["start"] == "2025-01-01"


def test_an_asset_class_is_the_holdings_of_it(client, held):
    answer = ask(client, "performance", **JANUARY, asset_class="bond")

    # 200 became 180
    assert (answer["of"], answer["time_weighted_return"]) == ({"asset_class": "bond"}, "-0.1")
    assert (
        ask(client, "performance", **JANUARY, asset_class="bond", cost_method="LIFO")["time_weighted_return"] == "-0.1"
    )
    assert client.get("/api/v1/portfolios/P1/performance/", {"asset_class": "art"}).status_code == 404
    assert client.get("/api/v1/portfolios/P1/performance/", {"security_id": "TSLA"}).status_code == 404


# --- benchmark ----------------------------------------------------------------------------------------------------


def test_the_portfolios_benchmark_is_compared_with_unless_another_is_named(client, held):
    answer = ask(client, "performance", **JANUARY)

    # 225 / 200 - 1; 1000 at 200 on the 1st are 5 units, 1000 at 250 on the 15th are 4: 9 x 225 = 2025 in the end.
    assert answer["benchmark_return"] == "0.125"
    assert answer["benchmark"]["start"] == {
        "price": "200",
        "currency": "USD",
        "price_date": "2024-12-30",
        "fx_rate": "1",
        "flags": [],
    }
    rate = D(answer["benchmark_money_weighted_return"])
    # The flows grow at the period's rate to what the units are worth.
    assert 1000 * (1 + rate) ** (D(30) / 31) + 1000 * (1 + rate) ** (D(16) / 31) == pytest.approx(
        D(2025), abs=D("1e-6")
    )
    other = ask(client, "performance", **JANUARY, benchmark="BOND")
    assert other["benchmark_return"]["unavailable"] == "NO_BENCHMARK"
    assert (
        ask(client, "performance", start="2025-01-02", end="2025-01-31", benchmark="BOND")["benchmark_return"] == "-0.1"
    )


def test_a_benchmark_in_another_currency_and_split_is_worth_what_it_is_in_base(client, held):
    rate = SubmittedRate(from_currency="EUR", to_currency="USD", rate_date=day("2024-12-01"), rate=D("1.5"))
    later = SubmittedRate(from_currency="EUR", to_currency="USD", rate_date=day("2025-01-30"), rate=D("1.2"))
    pipeline.record_reference(
        RawRate(fx_rate=rate),
        RawRate(fx_rate=later),
        price("DAX", "2024-12-31", 100, "EUR"),
        price("DAX", "2025-01-31", 55, "EUR"),
    )
    pipeline.record(
        transaction(
            "SPLIT", transaction_date="2025-01-10", security_id="DAX", ratio_new=D(2), ratio_old=D(1), currency="EUR"
        ),
        submitted_by="owner",
    )
    pipeline.calculate("P1")

    answer = ask(client, "performance", **JANUARY, benchmark="DAX")

    # A split in this portfolio counts, held or not: one unit has become two. 2 x 55 x 1.2 / (100 x 1.5) - 1.
    assert answer["benchmark_return"] == "-0.12"


# --- unchanged ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "what", ["positions", "positions/AAPL", "lots", "disposals", "valuations", "statement", "performance"]
)
def test_an_answer_that_still_stands_is_not_sent_again(client, held, what):
    path = f"/api/v1/portfolios/P1/{what}/"
    first = client.get(path)
    tag = first.headers["ETag"]
    again = client.get(path, headers={"If-None-Match": tag})

    assert tag.startswith('W/"')
    assert first.headers["Cache-Control"] == "private, no-cache"
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    assert client.get(path + "?closed=1" if what == "positions" else path, {"format": "json"}).headers["ETag"] != tag

    pipeline.record_reference(price("AAPL", "2025-01-30", 61))
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 200


def test_a_calculation_or_a_new_transaction_changes_the_tag(client, held):
    path = "/api/v1/portfolios/P1/positions/"
    tags = [client.get(path).headers["ETag"]]
    pipeline.record(
        transaction("DEPOSIT", transaction_date="2025-01-16", gross_transaction_amount=D(1)), submitted_by="owner"
    )
    tags.append(client.get(path).headers["ETag"])
    pipeline.calculate("P1")
    tags.append(client.get(path).headers["ETag"])

    assert len(set(tags)) == 3


def test_who_may_not_read_learns_nothing_from_a_tag(client, held):
    path = "/api/v1/portfolios/P1/statement/"
    tag = client.get(path).headers["ETag"]
    stranger = APIClient()
    stranger.force_authenticate(User.objects.create_user("stranger"))

    assert stranger.get(path, headers={"If-None-Match": tag}).status_code == 404
    assert "ETag" not in client.get(path, {"cost_method": "LIFO"}).headers


# --- groups -------------------------------------------------------------------------------------------------------


def together(client: APIClient, *portfolio_ids: str, **query: Any) -> dict[str, Any]:
    answer = client.get("/api/v1/performance/", {"portfolio_id": portfolio_ids, **JANUARY, **query})
    assert answer.status_code == 200, answer.content
    content: dict[str, Any] = answer.json()
    return content


def another_portfolio(base_currency: str, *transactions: Any) -> None:
    settings = SubmittedPortfolio(portfolio_id="P2", base_currency=base_currency)
    pipeline.record_reference(RawPortfolio(portfolio=settings, submitted_by="owner"))
    pipeline.record(*transactions, submitted_by="owner")
    pipeline.calculate()
    pipeline.value()


def test_portfolios_together_are_measured_as_one(client, held):
    another_portfolio(
        "USD",
        transaction("DEPOSIT", portfolio_id="P2", transaction_date="2025-01-01", gross_transaction_amount=D(3000)),
        transaction("FEE", portfolio_id="P2", transaction_date="2025-01-31", gross_transaction_amount=D(40)),
    )
    answer = together(client, "P1", "P2", benchmark="INDEX")

    # 4000 on the 1st, 1000 on the 15th; 20 of 5000 gained on the 20th, 80 - 40 at the end: 5060 / 5000
    assert (answer["portfolio_ids"], answer["base_currency"]) == (["P1", "P2"], "USD")
    assert (answer["time_weighted_return"], answer["series"][-1]["value"]) == ("0.012", "5060")
    assert (answer["benchmark_return"], answer["pending"]) == ("0.125", None)
    alone = together(client, "P1")
    assert alone["time_weighted_return"] == ask(client, "performance", **JANUARY)["time_weighted_return"]


def test_what_is_in_another_currency_is_converted_at_the_rates_of_the_days(client, held):
    rates = [("2024-12-31", "1.0"), ("2025-01-31", "1.1")]
    pipeline.record_reference(
        *[
            RawRate(fx_rate=SubmittedRate(from_currency="EUR", to_currency="USD", rate_date=day(on), rate=D(rate)))
            for on, rate in rates
        ]
    )
    another_portfolio(
        "EUR",
        transaction(
            "DEPOSIT",
            portfolio_id="P2",
            transaction_date="2025-01-01",
            gross_transaction_amount=D(2000),
            currency="EUR",
        ),
    )
    # 4000 paid in, 2020 + 2000 on the 20th; at the end 2100 + 2000 x 1.1 = 4300 of 4000
    assert together(client, "P1", "P2")["time_weighted_return"] == "0.075"
    # in euro the end is 2100 / 1.1 + 2000
    in_euro = D(together(client, "P2", "P1")["series"][-1]["value"])
    assert in_euro == pytest.approx(D(2100) / D("1.1") + 2000, abs=D("1e-15"))
    assert together(client, "P2", "P1", currency="USD")["time_weighted_return"] == "0.075"
    assert together(client, "P1", "P2", currency="CHF")["time_weighted_return"]["unavailable"] == "MISSING_FX_RATE"


def test_a_transfer_between_two_of_the_group_is_a_flow_of_neither(client, held):
    another_portfolio(
        "USD",
        transaction(
            "TRANSFER_OUT", transaction_id="OUT", transaction_date="2025-01-31", security_id="AAPL", quantity=D(5)
        ),
        transaction(
            "TRANSFER_IN",
            portfolio_id="P2",
            transaction_date="2025-01-31",
            security_id="AAPL",
            quantity=D(5),
            linked_portfolio_id="P1",
            linked_transaction_id="OUT",
        ),
    )
    # 300 go from one to the other at the end of the month: 2100 of 2000, and no capital twice.
    assert together(client, "P1", "P2")["time_weighted_return"] == "0.05"
    assert together(client, "P1", "P2")["modified_dietz"] == ask(client, "performance", **JANUARY)["modified_dietz"]
    # By itself the second has 300 put in, and nothing gained.
    assert together(client, "P2")["time_weighted_return"] == "0"


@pytest.mark.parametrize("query", [{}, {"portfolio_id": "P1", "known_at": "2025-01-01T00:00:00Z"}])
def test_a_group_that_cannot_be_answered_is_refused(client, held, query):
    assert client.get("/api/v1/performance/", query).status_code == 422


def test_a_group_with_a_portfolio_of_somebody_else_is_not_there(client, held):
    assert client.get("/api/v1/performance/", {"portfolio_id": ["P1", "P9"]}).status_code == 404
