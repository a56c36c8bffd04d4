"""The pipeline without its topics, for tests: what the workers would do with a batch, called directly.

The database is the real one; the broker is left out, so that a test can try thousands of orders of arrival.
"""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import connection
from django.db import transaction as db_transaction

from portfolio.market_data import record_market_data
from portfolio.marks import lock_marks, raise_marks
from portfolio.models import PortfolioChange
from portfolio.streaming.broker import Record
from portfolio.streaming.handling import Handled, Received
from portfolio.streaming.messages import (
    Message,
    PositionCalculation,
    RawTransaction,
    SubmittedTransaction,
    ValuationCalculation,
    ValuationCalculationDone,
    encode,
)
from positions.calculating.links import wake_followers
from positions.calculating.tables import TABLES
from positions.operations import calculate_positions
from positions.valuations import calculate_valuations
from transactions.operations import record_transactions

NOW = datetime.datetime(2025, 6, 1, 12, tzinfo=datetime.UTC)
_offsets = itertools.count()
_VALUED = ("daily_valuations", "valuation_states")


def received(message: Message) -> Received:
    """The message as a worker would receive it."""
    record = Record(message.TOPIC, 0, next(_offsets), message.key.encode(), encode(message))
    return Received(record, message)


def record(
    *submissions: SubmittedTransaction, submitted_by: str | None = None, now: datetime.datetime | None = NOW
) -> Handled:
    """One batch of consume_transactions."""
    batch = [received(RawTransaction(transaction=one, submitted_by=submitted_by)) for one in submissions]
    with db_transaction.atomic():
        return record_transactions(batch, now=now)


def record_reference(*messages: Message, now: datetime.datetime | None = NOW) -> Handled:
    """One batch of consume_market_data."""
    with db_transaction.atomic():
        return record_market_data([received(message) for message in messages], now=now)


def calculate(*portfolio_ids: str, rebuild: bool = False) -> None:
    """One batch of calculate_positions, for the portfolios named or all; from scratch, if asked."""
    asked = portfolio_ids or tuple(PortfolioChange.objects.values_list("portfolio_id", flat=True))
    if rebuild:
        with db_transaction.atomic():
            raise_marks(lock_marks(dict.fromkeys(asked, ""), now=NOW), now=NOW, settings_changed=True)
    requests = {p: PositionCalculation(portfolio_id=p, requested_seq=2**62, interests_seq=0) for p in asked}
    for done in calculate_positions(requests, now=NOW):
        assert done.error is None, done.error
    followers = [news.portfolio_id for news in wake_followers(requests, now=NOW)]
    if followers:
        calculate(*followers)


def value(*portfolio_ids: str, now: datetime.datetime = NOW) -> list[ValuationCalculationDone]:
    """One batch of calculate_valuations, for the portfolios named or all."""
    asked = portfolio_ids or tuple(PortfolioChange.objects.values_list("portfolio_id", flat=True))
    requests = {p: ValuationCalculation(portfolio_id=p, requested_seq=2**62) for p in asked}
    dones = calculate_valuations(requests, now=now)
    for done in dones:
        assert done.error is None, done.error
    return dones


def days_of(portfolio_id: str) -> dict[datetime.date, tuple[Any, ...]]:
    """The daily valuations of a portfolio as stored, by day; decimals by value."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT valuation_date, value, securities, cash, inflow, outflow, income, fees, taxes, fees_in_cost, flags,
                missing FROM daily_valuations WHERE portfolio_id = %s ORDER BY valuation_date
            """,
            [portfolio_id],
        )
        return {row[0]: tuple(map(_comparable, row[1:])) for row in cursor.fetchall()}


def rows_of(portfolio_id: str) -> dict[str, list[tuple[Any, ...]]]:
    """Everything the calculators have written of a portfolio, in a fixed order; decimals by value."""
    rows: dict[str, list[tuple[Any, ...]]] = {}
    with connection.cursor() as cursor:
        for table, columns in TABLES.items():
            cursor.execute(f"SELECT {', '.join(columns)} FROM {table} WHERE portfolio_id = %s", [portfolio_id])
            rows[table] = sorted((tuple(map(_comparable, row)) for row in cursor.fetchall()), key=repr)
    return rows


def day(text: str) -> datetime.date:
    """A date as a message holds it."""
    return datetime.date.fromisoformat(text)


def _comparable(value: Any) -> Any:
    # NaN is equal to nothing, itself included; 1.50 and 1.5 are one number.
    if hasattr(value, "is_nan"):
        return "NaN" if value.is_nan() else f"{value.normalize():f}"
    return value


def forget(portfolio_ids: Iterable[str]) -> None:
    """Empty the ledger and everything computed from it, for a second try within one test."""
    with connection.cursor() as cursor:
        for table in ("transactions", "portfolio_changes", "portfolio_states", "position_changes", *_VALUED, *TABLES):
            cursor.execute(f"DELETE FROM {table} WHERE portfolio_id = ANY(%s)", [list(portfolio_ids)])


def transaction(transaction_type: str, **fields: Any) -> SubmittedTransaction:
    """A transaction with what every one needs filled in."""
    defaults: Mapping[str, Any] = {
        "portfolio_id": "P1",
        "transaction_id": f"T{next(_offsets):06d}",
        "transaction_date": "2025-01-15",
        "currency": "USD",
    }
    return SubmittedTransaction(transaction_type=transaction_type, **{**defaults, **fields})
