"""Reading portfolios, instruments, prices, rates and the inbox over REST."""

from __future__ import annotations

import datetime
import itertools
from decimal import Decimal

import pytest
from django.core.management import call_command
from rest_framework.test import APIClient

from portfolio.streaming.memory import MemoryBroker
from tests.factories import (
    BenchmarkWeightFactory,
    DeadLetterFactory,
    FxRateFactory,
    InstrumentFactory,
    PortfolioChangeFactory,
    PriceFactory,
    UserFactory,
    owned_portfolio,
)

pytestmark = pytest.mark.django_db

MONDAY, TUESDAY = (datetime.datetime(2025, 3, day, 9, tzinfo=datetime.UTC) for day in (3, 4))
DAY = datetime.date(2025, 1, 15)


def client(user):
    caller = APIClient()
    caller.force_authenticate(user)
    return caller


@pytest.fixture
def anna():
    return UserFactory(username="anna")


@pytest.fixture
def auditor():
    return UserFactory(permissions=["portfolio.view_any_portfolio"])


def results(answer):
    assert answer.status_code == 200, answer.content
    return answer.json()["results"]


# --- the root -----------------------------------------------------------------------------------------------------


def test_the_root_lists_what_there_is_to_read(anna):
    endpoints = client(anna).get("/api/v1/").json()
    assert endpoints["market-prices"] == "http://testserver/api/v1/market-prices/"
    assert endpoints["transactions"] == "http://testserver/api/v1/transactions/"
    assert endpoints["portfolios/{portfolio_id}/transactions"] == (
        "http://testserver/api/v1/portfolios/{portfolio_id}/transactions/"
    )


def test_every_list_of_the_root_can_be_opened_in_a_browser(auditor):
    caller = client(auditor)
    for name in (
        "portfolios",
        "instruments",
        "market-prices",
        "fx-rates",
        "benchmark-weights",
        "dead-letters",
        "transactions",
    ):
        answer = caller.get(f"/api/v1/{name}/", HTTP_ACCEPT="text/html")
        assert answer.status_code == 200
        assert b"<html" in answer.content


# --- portfolios ---------------------------------------------------------------------------------------------------


def test_a_portfolio_is_read_with_its_settings(anna):
    owned_portfolio(anna, portfolio_id="HERS", name="Savings", base_currency="EUR", allow_short=True)
    answer = client(anna).get("/api/v1/portfolios/HERS/").json()
    assert answer["name"] == "Savings"
    assert (answer["base_currency"], answer["cost_basis_method"], answer["allow_short"]) == ("EUR", "FIFO", True)
    assert (answer["provisional"], answer["owner"], answer["change_seq"]) == (False, "anna", 1)
    assert results(client(anna).get("/api/v1/portfolios/")) == [answer]


def test_a_portfolio_known_by_its_transactions_only_is_provisional(anna):
    PortfolioChangeFactory(portfolio_id="HERS", owner="anna")
    answer = client(anna).get("/api/v1/portfolios/HERS/").json()
    assert answer["provisional"] is True
    assert answer["base_currency"] is None
    assert results(client(anna).get("/api/v1/portfolios/")) == [answer]


def test_portfolios_can_be_asked_for_by_whether_they_are_provisional(anna):
    PortfolioChangeFactory(portfolio_id="NEW", owner="anna")
    owned_portfolio(anna, portfolio_id="OLD")
    for query, expected in (("true", ["NEW"]), ("false", ["OLD"])):
        rows = results(client(anna).get("/api/v1/portfolios/", {"provisional": query}))
        assert [row["portfolio_id"] for row in rows] == expected


def test_nobody_reads_anothers_portfolio(anna, auditor):
    owned_portfolio("ben", portfolio_id="HIS")
    assert results(client(anna).get("/api/v1/portfolios/")) == []
    assert client(anna).get("/api/v1/portfolios/HIS/").status_code == 404
    assert len(results(client(auditor).get("/api/v1/portfolios/"))) == 1
    assert client(auditor).get("/api/v1/portfolios/HIS/").status_code == 200


def test_a_longer_page_of_portfolios_takes_no_more_queries(anna, django_assert_num_queries):
    for number in range(20):
        owned_portfolio(anna, portfolio_id=f"P{number:02}")
    caller = client(anna)
    with django_assert_num_queries(4):  # permissions of the user, of their groups; marks; attributes
        assert len(results(caller.get("/api/v1/portfolios/"))) == 20


def test_paging_portfolios_visits_each_once(anna):
    for number in range(5):
        owned_portfolio(anna, portfolio_id=f"P{number}")
    caller, address, seen = client(anna), "/api/v1/portfolios/?page_size=2", []
    while address:
        answer = caller.get(address)
        seen += [row["portfolio_id"] for row in results(answer)]
        address = answer.json()["next"]
    assert seen == [f"P{number}" for number in range(5)]


# --- instruments, prices, rates -----------------------------------------------------------------------------------


def test_instruments_are_listed_narrowed_and_read_one_by_one(anna):
    InstrumentFactory(security_id="AAPL", sector="Technology", price_factor=Decimal(1))
    InstrumentFactory(security_id="BOND", asset_class="BOND", price_factor=Decimal("0.01"))
    caller = client(anna)
    for query, expected in (({}, ["AAPL", "BOND"]), ({"asset_class": "BOND"}, ["BOND"])):
        rows = results(caller.get("/api/v1/instruments/", query))
        assert [row["security_id"] for row in rows] == expected
    assert caller.get("/api/v1/instruments/BOND/").json()["price_factor"] == "0.01"
    assert caller.get("/api/v1/instruments/NONE/").status_code == 404
    assert caller.get("/api/v1/instruments/%00/").status_code == 404


@pytest.fixture
def corrected_price():
    PriceFactory(price_date=DAY, price=Decimal("150.10"), recorded_at=MONDAY, superseded_at=TUESDAY)
    PriceFactory(price_date=DAY, price=Decimal("151.00"), recorded_at=TUESDAY, version=2)
    PriceFactory(price_date=DAY + datetime.timedelta(days=1), price=Decimal(152), recorded_at=MONDAY)
    PriceFactory(price_date=DAY, security_id="MSFT", price=Decimal(400), recorded_at=MONDAY)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["151", "152", "400"]),
        ({"ordering": "-price_date"}, ["400", "152", "151"]),
        ({"security_id": "AAPL"}, ["151", "152"]),
        ({"start": "2025-01-16"}, ["152"]),
        ({"end": "2025-01-15"}, ["151", "400"]),
        ({"security_id": "AAPL", "versions": "all"}, ["150.1", "151", "152"]),
        ({"security_id": "AAPL", "known_at": "2025-03-03T12:00:00Z"}, ["150.1", "152"]),
        ({"security_id": "AAPL", "known_at": "2025-03-04T09:00:00Z"}, ["151", "152"]),
    ],
)
@pytest.mark.usefixtures("corrected_price")
def test_of_a_days_prices_the_believed_one_is_read_unless_asked_otherwise(anna, query, expected):
    assert [row["price"] for row in results(client(anna).get("/api/v1/market-prices/", query))] == expected


def test_rates_are_read_by_pair_and_day(anna):
    FxRateFactory(rate_date=DAY, rate=Decimal("1.10"))
    FxRateFactory(rate_date=DAY, rate=Decimal("1.08"), recorded_at=MONDAY, superseded_at=TUESDAY)
    FxRateFactory(rate_date=DAY, rate=Decimal("0.85"), to_currency="GBP")
    caller = client(anna)
    assert [row["rate"] for row in results(caller.get("/api/v1/fx-rates/", {"to_currency": "USD"}))] == ["1.1"]
    assert [row["rate"] for row in results(caller.get("/api/v1/fx-rates/"))] == ["0.85", "1.1"]
    assert len(results(caller.get("/api/v1/fx-rates/", {"versions": "all"}))) == 3


def test_weights_of_a_benchmark_are_read_by_division_and_day(anna):
    BenchmarkWeightFactory(weight_date=DAY, weight=Decimal("0.050"), segment_return=Decimal("-0.01"))
    BenchmarkWeightFactory(weight_date=DAY, weight=Decimal("0.04"), recorded_at=MONDAY, superseded_at=TUESDAY)
    BenchmarkWeightFactory(weight_date=DAY, segment_by="country", segment="US", weight=Decimal("0.7"))
    by_sector = {"benchmark_id": "WORLD", "segment_by": "sector"}
    caller = client(anna)

    [row] = results(caller.get("/api/v1/benchmark-weights/", by_sector))
    assert (row["segment"], row["weight_date"], row["weight"], row["return"]) == ("Energy", str(DAY), "0.05", "-0.01")
    assert "segment_return" not in row
    at_noon = {**by_sector, "known_at": "2025-03-03T12:00:00Z"}
    assert [row["weight"] for row in results(caller.get("/api/v1/benchmark-weights/", at_noon))] == ["0.05", "0.04"]
    rows = results(caller.get("/api/v1/benchmark-weights/", {"start": str(DAY), "end": str(DAY)}))
    assert [(row["segment"], row["return"]) for row in rows] == [("US", None), ("Energy", "-0.01")]
    assert results(caller.get("/api/v1/benchmark-weights/", {"end": "2025-01-14"})) == []
    assert caller.get("/api/v1/benchmark-weights/", {"segment_by": "colour"}).status_code == 422


@pytest.mark.parametrize("versions", ["believed", "all"])
@pytest.mark.parametrize("ordering", ["price_date", "-price_date"])
def test_paging_prices_visits_each_once(anna, versions, ordering):
    for security_id, day in itertools.product(("A", "B"), range(3)):
        for superseded_at in (None, TUESDAY):
            PriceFactory(
                security_id=security_id, price_date=DAY + datetime.timedelta(days=day), superseded_at=superseded_at
            )
    caller, seen = client(anna), []
    address = f"/api/v1/market-prices/?page_size=2&versions={versions}&ordering={ordering}"
    while address:
        answer = caller.get(address)
        seen += [(row["security_id"], row["price_date"], row["superseded_at"]) for row in results(answer)]
        address = answer.json()["next"]
    assert len(seen) == len(set(seen)) == (12 if versions == "all" else 6)


# --- the inbox ----------------------------------------------------------------------------------------------------


def test_a_letter_is_read_as_text_where_it_is_text_and_else_in_base64(auditor):
    DeadLetterFactory(key=b"P1", value="{é".encode())
    DeadLetterFactory(key=None, value=b"\xff\x00")
    binary, text = results(client(auditor).get("/api/v1/dead-letters/"))
    assert (text["key"], text["value"], text["value_encoding"]) == ("P1", "{é", "utf-8")
    assert (binary["key"], binary["value"], binary["value_encoding"]) == (None, "/wA=", "base64")


def test_owners_read_the_letters_of_their_portfolios_and_an_auditor_all(anna, auditor):
    PortfolioChangeFactory(portfolio_id="HERS", owner="anna")
    PortfolioChangeFactory(portfolio_id="HIS", owner="ben")
    hers, his, nobodys = (DeadLetterFactory.create(portfolio_id=portfolio_id) for portfolio_id in ("HERS", "HIS", ""))
    assert [row["id"] for row in results(client(anna).get("/api/v1/dead-letters/"))] == [hers.pk]
    assert [row["id"] for row in results(client(auditor).get("/api/v1/dead-letters/"))] == [nobodys.pk, his.pk, hers.pk]
    for letter, status in ((hers, 200), (his, 404), (nobodys, 404)):
        assert client(anna).get(f"/api/v1/dead-letters/{letter.pk}/").status_code == status


def test_letters_can_be_narrowed(auditor):
    DeadLetterFactory(status="DISCARDED")
    DeadLetterFactory(code="conflict")
    caller = client(auditor)
    assert len(results(caller.get("/api/v1/dead-letters/", {"status": "DISCARDED"}))) == 1
    assert [row["code"] for row in results(caller.get("/api/v1/dead-letters/", {"code": "conflict"}))] == ["conflict"]


@pytest.fixture
def broker(monkeypatch):
    memory = MemoryBroker({"raw_transactions": 1})
    monkeypatch.setattr("portfolio.api_dead_letters.shared_producer", memory.producer)
    return memory


def published(broker):
    return sum(broker.end(partition) for partition in broker.partitions("raw_transactions"))


def test_an_owner_publishes_a_letter_of_theirs_again_once(anna, broker):
    PortfolioChangeFactory(portfolio_id="HERS", owner="anna")
    letter = DeadLetterFactory.create(portfolio_id="HERS")
    answer = client(anna).post(f"/api/v1/dead-letters/{letter.pk}/retry/")
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["resolved_by"]) == ("RETRIED", "anna")
    assert published(broker) == 1
    assert client(anna).post(f"/api/v1/dead-letters/{letter.pk}/retry/").status_code == 409
    assert published(broker) == 1


def test_an_owner_lets_a_letter_of_theirs_be(anna, broker):
    PortfolioChangeFactory(portfolio_id="HERS", owner="anna")
    letter = DeadLetterFactory.create(portfolio_id="HERS")
    answer = client(anna).post(f"/api/v1/dead-letters/{letter.pk}/discard/")
    assert answer.status_code == 200
    assert answer.json()["status"] == "DISCARDED"
    assert published(broker) == 0


@pytest.mark.parametrize("verb", ["retry", "discard"])
def test_who_may_not_submit_to_a_portfolio_settles_none_of_its_letters(anna, auditor, broker, verb):
    PortfolioChangeFactory(portfolio_id="HIS", owner="ben")
    his, nobodys = (DeadLetterFactory.create(portfolio_id=portfolio_id) for portfolio_id in ("HIS", ""))
    for user, letter, status in ((anna, his, 404), (anna, nobodys, 404), (auditor, his, 403), (auditor, nobodys, 403)):
        assert client(user).post(f"/api/v1/dead-letters/{letter.pk}/{verb}/").status_code == status
    assert published(broker) == 0


def test_an_operator_settles_letters_that_name_no_portfolio(broker):
    operator = UserFactory(permissions=["portfolio.view_any_portfolio", "portfolio.write_any_portfolio"])
    letter = DeadLetterFactory.create(portfolio_id="")
    assert client(operator).post(f"/api/v1/dead-letters/{letter.pk}/retry/").status_code == 200
    assert published(broker) == 1


# --- the document -------------------------------------------------------------------------------------------------


def test_the_openapi_document_is_made_without_a_warning(tmp_path):
    call_command("spectacular", file=str(tmp_path / "schema.yaml"), validate=True, fail_on_warn=True)
