"""What a late trade, a cancellation, a correction and a late rate cost a portfolio with a long history.

A portfolio in EUR holds 1,000 securities, of which every other one trades in USD, and keeps cash in both. What changes
is of the first days of five years, so that all cash after it is made again. Only the calculation is timed, called
directly; what it is compared with is booking the whole anew.
"""

from __future__ import annotations

import datetime
import itertools
import random
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from statistics import median
from typing import Any

from django.db import transaction as db_transaction

from portfolio.market_data import record_market_data
from portfolio.marks import lock_marks, raise_marks
from portfolio.streaming.broker import Record
from portfolio.streaming.handling import Received
from portfolio.streaming.messages import (
    Message,
    PositionCalculation,
    RawPortfolio,
    RawRate,
    RawTransaction,
    SubmittedPortfolio,
    SubmittedRate,
    SubmittedTransaction,
    encode,
)
from positions.operations import calculate_positions
from tests.bench.figures import Findings, Sizes, milliseconds
from tests.bench.system import System
from transactions.operations import record_transactions

SECURITIES = 1_000
FIRST_DAY = datetime.date(2020, 1, 1)
DAYS = 5 * 365
RECORDED_AT_ONCE = 5_000
LEFT_ALONE = 40
"""How many of the first trades no correction is of."""

_DAY = datetime.timedelta(days=1)
_offsets = itertools.count()
Change = Callable[[str, int, list[SubmittedTransaction]], Message]
"""What changes in a portfolio, the how manieth change of its kind, its history."""


def measure(system: System, sizes: Sizes) -> Findings:
    """The histories, then each kind of change to each of them in turns."""
    system.fresh("old")
    findings = Findings("calculate_positions for one change five years back, 1,000 securities")
    histories = {length: list(_history(_name(length), length)) for length in sizes.old_histories}
    _record(*_rates())
    wholes: dict[int, float] = {}
    for length, history in histories.items():
        _record(RawPortfolio(portfolio=SubmittedPortfolio(portfolio_id=_name(length), base_currency="EUR")))
        for start in range(0, length, RECORDED_AT_ONCE):
            _record(*[RawTransaction(transaction=one) for one in history[start : start + RECORDED_AT_ONCE]])
        _calculate(_name(length))
        wholes[length] = _booked_anew(_name(length))
        findings.add(f"{length:,} trades booked anew", milliseconds(wholes[length]))
    system.ask("VACUUM ANALYZE")
    for name, change in CHANGES.items():
        for length, history in histories.items():
            seconds = []
            for number in range(sizes.old_changes):
                _record(change(_name(length), number, history))
                seconds.append(_calculate(_name(length)))
            ratio = f"{wholes[length] / median(seconds):,.0f} times as fast"
            findings.add(f"{name} after {length:,}", milliseconds(median(seconds)), ratio)
    return findings


# --- what changes -------------------------------------------------------------------------------------------------


def _late(portfolio_id: str, number: int, history: list[SubmittedTransaction]) -> Message:
    """A purchase nobody had heard of, on the third day."""
    return RawTransaction(transaction=_trade(portfolio_id, f"LATE{number:04d}", number, FIRST_DAY + 2 * _DAY))


def _cancelled(portfolio_id: str, number: int, history: list[SubmittedTransaction]) -> Message:
    """A trade that never was."""
    return _again(history[number], status="CANCELLED")


def _moved(portfolio_id: str, number: int, history: list[SubmittedTransaction]) -> Message:
    """A trade that was of another security."""
    one = history[LEFT_ALONE + number]
    return _again(one, security_id=_security(int((one.security_id or "")[3:]) + 2))


def _corrected_rate(portfolio_id: str, number: int, history: list[SubmittedTransaction]) -> Message:
    """The rate of a day of the first year, in which a trade or some dozens of them are booked."""
    return _rate(365 + number, Decimal("1.2") + Decimal(len(history)) / 10**6, version=2)


CHANGES: dict[str, Change] = {
    "a purchase": _late,
    "a cancellation": _cancelled,
    "another security": _moved,
    "another rate": _corrected_rate,
}


def _again(one: SubmittedTransaction, **changes: Any) -> RawTransaction:
    fields = {name: getattr(one, name) for name in one.__struct_fields__}
    return RawTransaction(transaction=SubmittedTransaction(**fields | {"version": 2} | changes))


# --- the histories ------------------------------------------------------------------------------------------------


def _name(length: int) -> str:
    return f"OLD{length}"


def _security(number: int) -> str:
    return f"SEC{number % SECURITIES:05d}"


def _history(portfolio_id: str, length: int) -> Iterator[SubmittedTransaction]:
    """Purchases and sales over five years, as many of every security."""
    chance = random.Random(length)
    for number in range(length):
        day = FIRST_DAY + (1 + number * DAYS // length) * _DAY
        kind = "BUY" if number < SECURITIES else chance.choice(["BUY", "BUY", "BUY", "SELL", "SELL"])
        fields = {"transaction_type": kind, "quantity": Decimal(chance.randrange(1, 50))}
        yield _trade(portfolio_id, f"T{number:06d}", number, day, **fields)


def _trade(
    portfolio_id: str, transaction_id: str, number: int, day: datetime.date, **fields: Any
) -> SubmittedTransaction:
    return SubmittedTransaction(
        **{
            "portfolio_id": portfolio_id,
            "transaction_id": transaction_id,
            "security_id": _security(number),
            "transaction_date": day.isoformat(),
            "transaction_type": "BUY",
            "quantity": Decimal(10),
            "price": Decimal("150.25"),
            "currency": "USD" if number % 2 else "EUR",
            "trade_fee": Decimal("4.95"),
            **fields,
        }
    )


def _rates() -> Iterator[RawRate]:
    for number in range(DAYS + 1):
        yield _rate(number, Decimal("1.1") + Decimal(number % 50) / 1_000)


def _rate(number: int, rate: Decimal, *, version: int = 1) -> RawRate:
    day = FIRST_DAY + number * _DAY
    quote = SubmittedRate(from_currency="EUR", to_currency="USD", rate_date=day, rate=rate, version=version)
    return RawRate(fx_rate=quote)


# --- what is timed ------------------------------------------------------------------------------------------------


def _record(*messages: Message) -> None:
    received = [
        Received(Record(message.TOPIC, 0, next(_offsets), message.key.encode(), encode(message)), message)
        for message in messages
    ]
    with db_transaction.atomic():
        if isinstance(messages[0], RawTransaction):
            record_transactions(received)
        else:
            record_market_data(received)


def _booked_anew(portfolio_id: str) -> float:
    with db_transaction.atomic():
        raise_marks(lock_marks({portfolio_id: ""}), settings_changed=True)
    return _calculate(portfolio_id)


def _calculate(portfolio_id: str) -> float:
    """Seconds that the calculation takes."""
    request = PositionCalculation(portfolio_id=portfolio_id, requested_seq=1)
    started_at = time.perf_counter()
    [done] = calculate_positions({portfolio_id: request}, now=datetime.datetime.now(datetime.UTC))
    assert done.error is None, done.error
    return time.perf_counter() - started_at
