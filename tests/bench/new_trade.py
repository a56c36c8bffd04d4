"""What one more trade costs a portfolio, with histories of several lengths behind it.

Only the calculation is timed, called directly: the entry is recorded before, and the history is brought into the ledger
and booked as a whole. The new trades come in order. A sale takes from the oldest lots, a purchase opens one.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Sequence
from decimal import Decimal
from statistics import median

from django.db import transaction as db_transaction

from portfolio.streaming.broker import Record
from portfolio.streaming.handling import Received
from portfolio.streaming.messages import PositionCalculation, RawTransaction, SubmittedTransaction, encode
from portfolio.validation import read
from positions.operations import calculate_positions
from tests.bench.figures import Findings, Sizes, milliseconds
from tests.bench.records import SECURITIES, trades
from tests.bench.system import System
from transactions.operations import record_transactions

RECORDED_AT_ONCE = 5_000


def measure(system: System, sizes: Sizes) -> Findings:
    """The histories, then new trades after each of them in turns."""
    system.fresh("trade")
    findings = Findings("calculate_positions for one new trade in order")
    for length in sizes.histories:
        whole_s = _book_history(length)
        findings.add(f"{length:,} trades at once", milliseconds(whole_s), f"{length / whole_s:,.0f}/s")
    system.ask("VACUUM ANALYZE")
    for transaction_type in ("BUY", "SELL"):
        seconds: dict[int, list[float]] = {length: [] for length in sizes.histories}
        for number in range(sizes.new_trades):
            for length in sizes.histories:
                seconds[length].append(_one_more(_name(length), number, transaction_type))
        first = seconds[sizes.histories[0]]
        for length, of_length in seconds.items():
            ratio = median(one / other for one, other in zip(of_length, first, strict=True))
            name = f"one more {transaction_type} after {length:,}"
            findings.add(name, milliseconds(median(of_length)), f"{ratio:.2f} of the first")
    return findings


def _name(length: int) -> str:
    return f"AFTER{length}"


def _book_history(length: int) -> float:
    """Seconds that the calculation takes."""
    history = [read(SubmittedTransaction, trade.json()) for trade in trades([_name(length)], length)]
    for start in range(0, length, RECORDED_AT_ONCE):
        _record(history[start : start + RECORDED_AT_ONCE])
    started_at = time.perf_counter()
    _calculate(_name(length))
    return time.perf_counter() - started_at


def _one_more(portfolio_id: str, number: int, transaction_type: str) -> float:
    """Seconds that the calculation takes."""
    trade = SubmittedTransaction(
        portfolio_id=portfolio_id,
        transaction_id=f"{transaction_type}{number:04d}",
        security_id=SECURITIES[0],
        transaction_date="2025-02-03" if transaction_type == "BUY" else "2025-02-04",
        transaction_type=transaction_type,
        quantity=Decimal("0.5"),
        price=Decimal("150.25"),
        currency="USD",
        trade_fee=Decimal(5),
    )
    _record([trade])
    started_at = time.perf_counter()
    _calculate(portfolio_id)
    return time.perf_counter() - started_at


def _record(submissions: Sequence[SubmittedTransaction]) -> None:
    received = []
    for one in submissions:
        message = RawTransaction(transaction=one)
        record = Record(message.TOPIC, 0, 0, message.key.encode(), encode(message))
        received.append(Received(record, message))
    with db_transaction.atomic():
        record_transactions(received)


def _calculate(portfolio_id: str) -> None:
    request = PositionCalculation(portfolio_id=portfolio_id, requested_seq=1)
    [done] = calculate_positions({portfolio_id: request}, now=datetime.datetime.now(datetime.UTC))
    assert done.error is None, done.error
