"""What every answer about a portfolio carries, whatever was asked: what was answered, what its data is worth, and what was
not booked as asked. One portfolio is asked everything, as it stands, by another method, and without a price.
"""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from portfolio.streaming.messages import RawBenchmarkWeight, SubmittedBenchmarkWeight
from positions.checking.exceptions import EXCEPTIONS_MAX
from positions.periods.sources import REMARKS_MAX
from tests import pipeline
from tests.functional.test_analysis_api import ask, deposit, instrument, price, rate, settings, traded
from tests.pipeline import NOW, day, transaction

pytestmark = pytest.mark.django_db(transaction=True)

D = Decimal
HOUR = datetime.timedelta(hours=1)
END = "2025-02-28"
OF_DAY = {"as_of": END}
OF_PERIOD = {"start": "2025-01-01", "end": END}
OF_HOLDINGS = {"positions": OF_DAY, "allocation": OF_DAY, "concentration": OF_DAY}
OF_ENDS = {"statement": OF_PERIOD}
OF_GAINS = {"contribution": OF_PERIOD, "attribution": {**OF_PERIOD, "benchmark_id": "MIX"}}
OF_DAYS = {"performance": OF_PERIOD, "risk": OF_PERIOD, "valuations": {"end": END, "page_size": "1000"}}
OF_AMOUNTS = {"income": OF_PERIOD, "realized-gains": OF_PERIOD}
EVERYTHING: dict[str, dict[str, str]] = {**OF_HOLDINGS, **OF_ENDS, **OF_GAINS, **OF_DAYS, **OF_AMOUNTS}
OVERSOLD = {"code": "OVERSOLD", "transaction_id": "S-2", "security_id": "AAA", "amount": "10000", "currency": "USD"}


@pytest.fixture
def client() -> APIClient:
    client = APIClient()
    client.force_authenticate(User.objects.create_user("owner"))
    return client


def _recorded(*, now: datetime.datetime = NOW) -> None:
    pipeline.calculate("P1")
    pipeline.value("P1", now=now)


@pytest.fixture
def held(client) -> None:
    """A USD portfolio. AAA is quoted on the last day; BBB in EUR, only by its own purchase of 3 January; EUR have a rate
    of the 2nd alone. A sale of 100 AAA of which 9 are held is left out.
    """
    pipeline.record_reference(
        settings(), instrument("AAA", asset_class="Equity"), instrument("BBB", "EUR", asset_class="Bond")
    )
    pipeline.record_reference(
        price("AAA", "2025-01-02", 90),
        price("AAA", END, 110),
        rate("2025-01-02", "1.25"),
        *(
            RawBenchmarkWeight(
                benchmark_weight=SubmittedBenchmarkWeight(
                    benchmark_id="MIX",
                    segment_by="asset_class",
                    segment="Equity",
                    weight_date=day(on),
                    weight=D(1),
                    segment_return=D(0),
                )
            )
            for on in ("2025-01-02", END)
        ),
    )
    pipeline.record(
        deposit("2025-01-02", 10_000),
        deposit("2025-01-02", 1_000, "EUR"),
        traded("BUY", "2025-01-02", "AAA", 10, 90),
        traded("BUY", "2025-01-03", "BBB", 4, 100, currency="EUR"),
        traded("SELL", "2025-01-06", "AAA", 1, 95),
        traded("SELL", "2025-01-07", "AAA", 100, 100, transaction_id="S-2"),
        transaction("DIVIDEND", transaction_date="2025-01-20", security_id="AAA", gross_transaction_amount=D(9)),
        submitted_by="owner",
    )
    _recorded()


def codes_of(answer: dict[str, Any]) -> set[str]:
    return {one["code"] for one in answer["remarks"]}


# --- the frame ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", EVERYTHING)
def test_every_answer_says_what_was_answered_from_what_and_what_was_left_out(client, held, path):
    answer = ask(client, path, **EVERYTHING[path])

    named = ("portfolio_id", "base_currency", "as_of", "cost_method", "cash_mode", "provisional", "pending")
    assert [answer[name] for name in named] == ["P1", "USD", END, "FIFO", "TRACKED", False, None]
    assert datetime.datetime.fromisoformat(answer["known_at"]).tzinfo is not None
    assert [{name: one[name] for name in OVERSOLD} for one in answer["exceptions"]] == [OVERSOLD]
    assert isinstance(answer["remarks"], list)
    if "start" in EVERYTHING[path]:
        assert (answer["start"], answer["end"], answer["period"]) == ("2025-01-01", END, None)


@pytest.mark.parametrize("path", [path for path in EVERYTHING if path != "valuations"])
def test_an_answer_by_another_method_carries_the_same(client, held, path):
    own, other = (ask(client, path, **EVERYTHING[path], **more) for more in ({}, {"cost_method": "LIFO"}))

    assert (own["cost_method"], other["cost_method"]) == ("FIFO", "LIFO")
    for name in ("base_currency", "cash_mode", "provisional", "remarks", "sources", "exceptions"):
        assert own.get(name) == other.get(name), name


@pytest.mark.parametrize("path", EVERYTHING)
def test_every_answer_says_that_calculations_are_pending_and_since_when(client, held, path):
    pipeline.record(deposit("2025-01-30", 1), submitted_by="owner", now=NOW + HOUR)

    answer = ask(client, path, **EVERYTHING[path])

    assert datetime.datetime.fromisoformat(answer["pending"]["since"]) == NOW + HOUR
    assert datetime.datetime.fromisoformat(answer["known_at"]) < NOW + HOUR


@pytest.mark.parametrize("path", EVERYTHING)
def test_an_exception_of_after_the_end_is_not_told(client, held, path):
    """The sale that is left out is of 7 January."""
    of_then = {"as_of" if "as_of" in EVERYTHING[path] else "end": "2025-01-06"}
    answer = ask(client, path, **{**EVERYTHING[path], **of_then})

    assert answer["exceptions"] == []


@pytest.mark.parametrize("more", [{}, {"cost_method": "AVCO"}], ids=["stored", "booked anew"])
def test_no_more_exceptions_are_listed_than_an_answer_has_room_for(client, held, more):
    pipeline.record(
        *(traded("SELL", "2025-01-08", "AAA", 100, 100) for _ in range(EXCEPTIONS_MAX + 5)), submitted_by="owner"
    )
    pipeline.calculate("P1")

    answer = ask(client, "risk", **OF_PERIOD, **more)

    assert len(answer["exceptions"]) == EXCEPTIONS_MAX
    assert answer["exceptions"][0]["transaction_id"] == "S-2"
    assert answer["more_exceptions"] is True


def test_a_part_of_a_portfolio_has_the_exceptions_of_its_securities_alone(client, held):
    of_aaa, of_bbb = (ask(client, "performance", **OF_PERIOD, security_id=name) for name in ("AAA", "BBB"))

    assert [one["transaction_id"] for one in of_aaa["exceptions"]] == ["S-2"]
    assert of_bbb["exceptions"] == []
    assert [one["transaction_id"] for one in ask(client, "positions/AAA", **OF_DAY)["exceptions"]] == ["S-2"]
    assert ask(client, "positions/BBB", **OF_DAY)["exceptions"] == []


def test_a_provisional_portfolio_says_so(client):
    pipeline.record(traded("BUY", "2025-01-02", "AAA", 10, 90), submitted_by="owner")
    _recorded()

    for path, query in EVERYTHING.items():
        answer = ask(client, path, **query)
        assert (answer["provisional"], answer["cash_mode"]) == (True, "UNTRACKED"), path


# --- what the figures rest on -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", OF_HOLDINGS)
def test_holdings_name_where_their_prices_and_rates_are_from(client, held, path):
    answer = ask(client, path, **OF_DAY)

    # AAA is quoted on the day; BBB was last bought on 3 January, 56 days before. A rate of 2 January is older still.
    assert answer["sources"] == [
        {
            "date": END,
            "prices": {"market": 1, "trade": 1, "missing": 0, "stale": 1, "oldest_date": "2025-01-03"},
            "rates": [{"currency": "EUR", "fx_rate": "1.25", "rate_date": "2025-01-02"}],
        }
    ]
    assert {(one["code"], one.get("security_id") or one["currency"]) for one in answer["remarks"]} == {
        ("FROM_TRADE", "BBB"),
        ("STALE", "BBB"),
        ("STALE_FX_RATE", "BBB"),
        ("STALE_FX_RATE", "EUR"),
    }


def test_an_allocation_by_holding_says_of_each_what_it_was_valued_at(client, held):
    shares = ask(client, "allocation", **OF_DAY, by="holding")["shares"]

    told = {one.get("security_id") or one["currency"]: one["valued_at"] for one in shares}
    assert told["AAA"] == {"price": "110", "price_date": END, "price_source": "MARKET", "fx_rate": "1"}
    assert told["BBB"] == {"price": "100", "price_date": "2025-01-03", "price_source": "TRADE", "fx_rate": "1.25"}
    assert told["EUR"] is None


@pytest.mark.parametrize("path", [*OF_ENDS, *OF_GAINS])
def test_a_period_names_the_prices_and_rates_of_both_its_ends(client, held, path):
    opened, closed = ask(client, path, **{**EVERYTHING[path], "start": "2025-01-03"})["sources"]

    # On the 3rd AAA is at its quote of the 2nd, and BBB at the purchase of the day.
    assert (opened["date"], closed["date"]) == ("2025-01-03", END)
    assert opened["prices"] == {"market": 1, "trade": 1, "missing": 0, "stale": 0, "oldest_date": "2025-01-02"}
    assert closed["prices"] == {"market": 1, "trade": 1, "missing": 0, "stale": 1, "oldest_date": "2025-01-03"}
    assert opened["rates"] == closed["rates"] == [{"currency": "EUR", "fx_rate": "1.25", "rate_date": "2025-01-02"}]


@pytest.mark.parametrize("path", [*OF_DAYS, *OF_GAINS])
def test_what_is_made_of_days_says_on_which_of_them_the_data_is_doubtful(client, held, path):
    remarks = {one["code"]: one for one in ask(client, path, **EVERYTHING[path])["remarks"]}

    # From trade: from 3 January to 28 February, 57 days; from the 10th, the eighth day, on the rate is too old: 50 days.
    assert remarks["FROM_TRADE"] == {"code": "FROM_TRADE", "days": 57, "first": "2025-01-03", "last": END}
    assert remarks["STALE_FX_RATE"] == {"code": "STALE_FX_RATE", "days": 50, "first": "2025-01-10", "last": END}


def test_income_and_gains_say_at_which_doubtful_rates_they_were_converted(client, held):
    """On 20 January the rate of the 2nd is 18 days old."""
    pipeline.record(
        transaction(
            "DIVIDEND",
            transaction_date="2025-01-20",
            security_id="BBB",
            gross_transaction_amount=D(4),
            currency="EUR",
        ),
        traded("SELL", "2025-01-20", "BBB", 1, 101, currency="EUR"),
        submitted_by="owner",
    )
    _recorded()

    for path in OF_AMOUNTS:
        assert ask(client, path, **OF_PERIOD)["remarks"] == [{"code": "STALE_FX_RATE", "security_id": "BBB"}], path
        assert ask(client, path, **OF_PERIOD, cost_method="LIFO")["remarks"] == [
            {"code": "STALE_FX_RATE", "security_id": "BBB"}
        ], path


# --- a price that is missing, and comes ---------------------------------------------------------------------------


NEEDS_PRICES = {
    "positions": lambda answer: answer["totals"]["value"],
    "allocation": lambda answer: answer["gross_assets"],
    "concentration": lambda answer: answer["herfindahl_index"],
    "statement": lambda answer: answer["closing"],
    "performance": lambda answer: answer["time_weighted_return"],
    "risk": lambda answer: answer["volatility"],
    "contribution": lambda answer: answer["time_weighted_return"],
    "attribution": lambda answer: answer["portfolio_return"],
    "valuations": lambda answer: answer["results"][-1]["value"],
}
"""A figure of each answer that every price of the day, or of the period, is needed for."""


@pytest.fixture
def unpriced(held) -> None:
    """What came in as a gift on 10 January never had a price."""
    gift = transaction("TRANSFER_IN", transaction_date="2025-01-10", security_id="DARK", quantity=D(3))
    pipeline.record(gift, submitted_by="owner")
    _recorded()


@pytest.mark.parametrize("path", NEEDS_PRICES)
def test_a_missing_price_is_remarked_on_and_no_figure_guessed_until_it_arrives(client, unpriced, path):
    before = ask(client, path, **EVERYTHING[path])
    pipeline.record_reference(price("DARK", "2025-01-10", 7))
    _recorded(now=NOW + HOUR)
    after = ask(client, path, **EVERYTHING[path])

    missing = NEEDS_PRICES[path](before)
    assert missing["unavailable"] == "MISSING_PRICE"
    assert missing["detail"]
    assert "MISSING_PRICE" in codes_of(before)
    assert isinstance(NEEDS_PRICES[path](after), str)
    assert "MISSING_PRICE" not in codes_of(after)
    if path in OF_HOLDINGS:
        assert [one["sources"][0]["prices"]["missing"] for one in (before, after)] == [1, 0]


@pytest.mark.parametrize("path", OF_AMOUNTS)
def test_what_was_booked_at_amounts_needs_no_price(client, unpriced, path):
    assert ask(client, path, **OF_PERIOD)["remarks"] == []


def test_what_is_missing_is_told_before_what_is_doubtful(client):
    """As many holdings as there is room for at the prices of their own trades, and one that came without any price."""
    bought = [traded("BUY", "2025-01-02", f"OWN{number:03d}", 1, 10) for number in range(REMARKS_MAX)]
    came = transaction("TRANSFER_IN", security_id="ZZZ", quantity=D(1), gross_transaction_amount=D(9))
    pipeline.record(*bought, came, submitted_by="owner")
    pipeline.calculate("P1")

    answer = ask(client, "allocation", as_of="2025-01-15")

    assert answer["remarks"][0] == {"code": "MISSING_PRICE", "security_id": "ZZZ"}
    assert len(answer["remarks"]) == REMARKS_MAX
    assert answer["more_remarks"] is True
