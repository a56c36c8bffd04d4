"""What-ifs worked by hand: what a portfolio left unnamed, odd trades and missing rates come to."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest

from portfolio.validation import Refused
from positions.evaluation import evaluate


def asked(*transactions: dict[str, Any], **request: Any) -> dict[str, Any]:
    body = {
        "portfolio": {"portfolio_id": "P", "base_currency": "EUR", **request.pop("portfolio", {})},
        "transactions": list(transactions),
        "as_of": "2024-02-01",
        **request,
    }
    return evaluate(json.dumps(body).encode(), today=datetime.date(2024, 2, 1))


def one(transaction_id: str, transaction_type: str, day: str, **fields: Any) -> dict[str, Any]:
    same = {"transaction_id": transaction_id, "transaction_type": transaction_type, "currency": "EUR"}
    return {**same, "transaction_date": f"2024-01-{day}", **fields}


BUY = one("B", "BUY", "02", security_id="S", quantity=10, price=5)


def test_a_link_is_found_where_the_transactions_leave_out_their_portfolio():
    """10 @ 5; 4 go out at their cost of 20 and come in again with it: 50 in all."""
    out = one("O", "TRANSFER_OUT", "05", security_id="S", quantity=4)
    back = one("I", "TRANSFER_IN", "06", security_id="S", quantity=4, linked_transaction_id="O")

    answer = asked(BUY, out, back)

    assert answer["positions"][0]["cost_basis"] == "50"
    assert answer["exceptions"] == []


def test_the_same_transaction_with_and_without_its_portfolio_is_a_duplicate():
    assert asked(BUY, {**BUY, "portfolio_id": "P"})["positions"][0]["quantity"] == "10"


def test_a_return_of_capital_leaves_the_cost_of_a_short_opened_at_a_loss():
    """Sold short: 9 x 1 - 526 = -517, so the lot's cost is +517. Nothing of it is negative: all 144 are lost."""
    sale = one("S1", "SELL", "02", security_id="S", quantity=9, price=1, trade_fee=526)
    returned = one("R", "RETURN_OF_CAPITAL", "03", security_id="S", gross_transaction_amount=144)

    (position,) = asked(sale, returned, portfolio={"allow_short": True})["positions"]

    assert (position["cost_basis"], position["realized_gain"]) == ("517", "-144")


def test_what_is_bought_for_nothing_of_another_currency_is_an_fx_gain():
    """90 EUR for no USD: value 90, gained; nothing is left over in the statement."""
    trade = one("F", "FX_TRADE", "02", currency="USD", target_currency="EUR", target_amount=90)

    statement = asked(trade, start="2024-01-01", end="2024-02-01")["statement"]

    assert (statement["closing"], statement["fx_gain"], statement["residual"]) == ("90", "90", "0")


def test_a_currency_traded_for_less_of_itself_is_an_fx_loss():
    trade = one("F", "FX_TRADE", "02", gross_transaction_amount=100, target_currency="EUR", target_amount=90)

    statement = asked(trade, start="2024-01-01", end="2024-02-01")["statement"]

    assert (statement["closing"], statement["fx_gain"], statement["residual"]) == ("-10", "-10", "0")


def test_a_split_paid_for_at_an_old_rate_is_flagged():
    """1 GBP of fee at a rate of 40 days ago."""
    split = one("X", "SPLIT", "20", security_id="S", ratio_new=2, ratio_old=1, currency="GBP", trade_fee=1)
    rate = {"from_currency": "GBP", "to_currency": "EUR", "rate_date": "2023-12-11", "rate": "1.1"}

    answer = asked(BUY, split, fx_rates=[rate])

    assert "STALE_FX_RATE" in answer["positions"][0]["flags"]
    assert answer["totals"]["fees"] == "1.1"


def test_nothing_of_an_unknown_cost_is_nothing():
    """No rate for the dollar: the cost in base is unknown; none of it goes to what is spun off."""
    bought = {**BUY, "currency": "USD"}
    spun = one(
        "X", "SPIN_OFF", "05", security_id="S", target_security_id="T", ratio_new=1, ratio_old=1, cost_fraction=0
    )

    answer = asked(bought, {**spun, "currency": "USD"})

    target = next(position for position in answer["positions"] if position["security_id"] == "T")
    assert target["cost_basis_base"] == "0"


def test_a_period_with_an_end_needs_its_start():
    with pytest.raises(Refused) as refusal:
        asked(BUY, end="2024-01-31")
    assert [problem.field for problem in refusal.value.problems] == ["start"]


def test_a_period_must_not_end_before_it_starts():
    with pytest.raises(Refused) as refusal:
        asked(BUY, start="2024-02-01", end="2024-01-31")
    assert [problem.field for problem in refusal.value.problems] == ["end"]


@pytest.mark.parametrize(
    ("start", "end", "field"),
    [
        ("0001-01-01", "2024-01-31", "start"),
        ("2024-01-01", "9999-12-31", "end"),
        ("1900-01-01", "2024-01-31", "start"),
    ],
)
def test_a_period_of_more_than_a_hundred_years_or_beyond_the_calendar_is_refused(start, end, field):
    with pytest.raises(Refused) as refusal:
        asked(BUY, start=start, end=end)
    assert [(problem.field, problem.code) for problem in refusal.value.problems] == [(field, "out_of_range")]


def test_a_first_transaction_too_long_before_the_end_of_the_period_is_named():
    with pytest.raises(Refused) as refusal:
        asked(BUY, {**BUY, "transaction_id": "OLD", "transaction_date": "0025-01-02"}, start="2024-01-01")
    assert [problem.field for problem in refusal.value.problems] == ["transactions.1.transaction_date"]


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"transactions": []}, "portfolio"),
        ({"portfolio": {}, "foo": 1}, "foo"),
        ({"portfolio": {}, "cost_method": "BEST"}, "cost_method"),
    ],
)
def test_what_is_wrong_with_a_request_is_named(request_, field):
    with pytest.raises(Refused) as refusal:
        evaluate(json.dumps(request_).encode(), today=datetime.date(2024, 2, 1))
    assert [(problem.field, problem.code) for problem in refusal.value.problems] == [(field, "invalid")]


def test_a_rate_is_told_to_18_decimals_and_worked_with_in_full():
    """USD for EUR is quoted at 3: an inverse of 1/3, and 3,000,000,000,000 USD are 1,000,000,000,000 EUR to the last
    digit; of 1/30,000,000,000 18 digits are told.
    """
    held = one("T", "TRANSFER_IN", "02", security_id="S", quantity=3, gross_transaction_amount=1, currency="USD")
    price = {"security_id": "S", "price_date": "2024-01-31", "price": "1000000000000", "currency": "USD"}

    def position(rate: str) -> dict[str, Any]:
        quote = {"from_currency": "EUR", "to_currency": "USD", "rate_date": "2024-01-02", "rate": rate}
        told: dict[str, Any] = asked(held, market_prices=[price], fx_rates=[quote])["positions"][0]
        return told

    assert position("3")["fx_rate"] == "0.333333333333333333"
    assert position("3")["market_value_base"] == "1000000000000"
    assert position("30000000000")["fx_rate"] == "0.0000000000333333333333333333"
    assert position("0.8")["fx_rate"] == "1.25"


def test_a_request_with_too_many_records_names_the_longest_of_its_lists():
    quote = {"security_id": "S", "price_date": "2024-01-31", "price": 1, "currency": "EUR"}
    body = json.dumps({"portfolio": {"base_currency": "EUR"}, "transactions": [BUY], "market_prices": [quote] * 3})

    with pytest.raises(Refused, match="3 of 4 records in all; a what-if has 3 at most") as refused:
        evaluate(body.encode(), today=datetime.date(2024, 2, 1), records_max=3)

    assert [problem.field for problem in refused.value.problems] == ["market_prices"]
