"""The stored positions and a what-if say the same of any day: one engine, one way of answering, two roads to it."""

from __future__ import annotations

import datetime
import json
import random
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from portfolio.money import plain
from portfolio.streaming.messages import (
    RawInstrument,
    RawPortfolio,
    RawPrice,
    RawRate,
    SubmittedInstrument,
    SubmittedPortfolio,
    SubmittedPrice,
    SubmittedRate,
    SubmittedTransaction,
)
from positions.evaluation import evaluate
from positions.figures import portfolio_answer
from positions.models import BookingException, Disposal, Lot
from positions.queries import snapshot_of, state_of
from tests import pipeline
from tests.pipeline import transaction

pytestmark = pytest.mark.django_db(transaction=True)

D = Decimal
SECURITIES = {"AAA": "USD", "BBB": "EUR", "CCC": "GBP"}


def january(number: int) -> datetime.date:
    return datetime.date(2025, 1, number)


def a_history(choose: random.Random) -> list[SubmittedTransaction]:
    """Trades through zero, splits, income and flows in three currencies, some of them in another than the holding's."""
    kinds = ["BUY"] * 4 + ["SELL"] * 3 + ["SPLIT", "DEPOSIT", "WITHDRAWAL", "DIVIDEND", "INTEREST", "FEE", "TAX"]
    history = []
    for number in range(40):
        kind, security = choose.choice(kinds), choose.choice(list(SECURITIES))
        fields: dict[str, Any] = {
            "transaction_id": f"T{number:03d}",
            "transaction_date": january(choose.randint(1, 20)).isoformat(),
            "currency": SECURITIES[security] if choose.random() < 0.9 else "USD",
            "trade_fee": D(choose.choice(["0", "1.25"])),
        }
        if kind in ("BUY", "SELL"):
            fields |= {
                "quantity": D(choose.randint(1, 300)) / 8,
                "gross_transaction_amount": D(choose.randint(1, 10**6)) / 100,
            }
        elif kind == "SPLIT":
            fields |= {"ratio_new": D(choose.randint(1, 3)), "ratio_old": D(choose.randint(1, 3))}
        else:
            fields["gross_transaction_amount"] = D(choose.randint(1, 5000)) / 100
        if kind in ("BUY", "SELL", "SPLIT", "DIVIDEND"):
            fields["security_id"] = security
        history.append(transaction(kind, **fields))
    return history


def a_market(choose: random.Random) -> tuple[list[SubmittedInstrument], list[SubmittedPrice], list[SubmittedRate]]:
    """Attributes of two securities of three; quotes and rates of some days, the earliest missing."""
    instruments = [SubmittedInstrument(security_id=s, currency=SECURITIES[s]) for s in ("AAA", "BBB")]
    prices = [
        SubmittedPrice(
            security_id=s,
            price_date=january(n),
            price=D(choose.randint(1, 9999)) / 7 // D("0.01") / 100,
            currency="USD",
        )
        for s in SECURITIES
        for n in choose.sample(range(1, 21), 4)
    ]
    rates = [
        SubmittedRate(from_currency=c, to_currency="USD", rate_date=january(n), rate=D(choose.randint(80, 150)) / 100)
        for c in ("EUR", "GBP")
        for n in choose.sample(range(2, 21), 3)
    ]
    return instruments, prices, rates


@pytest.mark.parametrize("cash_mode", ["TRACKED", "UNTRACKED"])
@pytest.mark.parametrize("method", ["FIFO", "AVCO"])
@pytest.mark.parametrize("seed", range(4))
def test_the_rows_say_what_a_what_if_says_on_any_day(seed, method, cash_mode):
    choose = random.Random(seed)
    history = a_history(choose)
    instruments, prices, rates = a_market(choose)
    settings = SubmittedPortfolio(
        portfolio_id="P1",
        base_currency="USD",
        cost_basis_method=method,
        cash_mode=cash_mode,
        allow_short=bool(seed % 2),
    )
    pipeline.record_reference(
        RawPortfolio(portfolio=settings),
        *[RawInstrument(instrument=one) for one in instruments],
        *[RawPrice(market_price=one) for one in prices],
        *[RawRate(fx_rate=one) for one in rates],
    )
    for start in range(0, len(history), 9):
        pipeline.record(*history[start : start + 9])
        pipeline.calculate("P1")

    for day in (1, 5, 10, 15, 20, 31):
        body = json.dumps(
            {
                "portfolio": msgspec.to_builtins(settings),
                "transactions": msgspec.to_builtins(history),
                "instruments": msgspec.to_builtins(instruments),
                "market_prices": msgspec.to_builtins(prices),
                "fx_rates": msgspec.to_builtins(rates),
                "as_of": january(day).isoformat(),
            }
        )
        expected = evaluate(body.encode(), today=january(31))
        state = state_of(portfolio_id="P1")
        stored = portfolio_answer(snapshot_of(state=state, as_of=january(day)), closed=True)
        # A what-if waits for nothing: what it was not told of CCC will not arrive.
        provisional = {p["security_id"] for p in stored["positions"] if "PROVISIONAL" in p["flags"]}
        assert provisional == {p["security_id"] for p in stored["positions"]} & {"CCC"}
        for position in stored["positions"]:
            position["flags"] = [flag for flag in position["flags"] if flag != "PROVISIONAL"]
        assert stored["positions"] == expected["positions"], day
        assert stored["cash"] == expected["cash"], day
        assert stored["totals"] == expected["totals"], day

    # The last day's lots, disposals and exceptions are those of the rows.
    lots = Lot.objects.order_by("security_id", "acquisition_date", "acquisition_time_us", "opening_transaction_id")
    assert [(lot.security_id, lot.opening_transaction_id, plain(lot.quantity)) for lot in lots] == [
        (lot["security_id"], lot["transaction_id"], lot["quantity"]) for lot in expected["lots"]
    ]
    disposals = Disposal.objects.order_by("disposal_date", "disposal_time_us", "closing_transaction_id", "piece")
    assert sorted(
        (d.closing_transaction_id, d.piece, plain(d.proceeds)) for d in disposals if not d.proceeds.is_nan()
    ) == sorted(
        (d["closing_transaction_id"], piece, d["proceeds"])
        for d, piece in with_piece(expected["disposals"])
        if isinstance(d["proceeds"], str)
    )
    assert sorted(BookingException.objects.values_list("transaction_id", "code")) == sorted(
        (e["transaction_id"], e["code"]) for e in expected["exceptions"]
    )


def with_piece(disposals: list[dict[str, Any]]) -> list[tuple[dict[str, Any], int]]:
    """Each with its number within its closing transaction."""
    seen: dict[str, int] = {}
    numbered = []
    for disposal in disposals:
        closing = disposal["closing_transaction_id"]
        seen[closing] = seen.get(closing, -1) + 1
        numbered.append((disposal, seen[closing]))
    return numbered
