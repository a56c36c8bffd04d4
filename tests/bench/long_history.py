"""A portfolio of ten years for the benches: trades of a hundred securities, income and flows, and the market of it.

It ends yesterday, and is brought in by the real operations: recorded, calculated, and every day valued.
"""

from __future__ import annotations

import datetime
import random
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from django.db import transaction as db_transaction

from portfolio.market_data import record_market_data
from portfolio.streaming.broker import Record
from portfolio.streaming.handling import Received
from portfolio.streaming.messages import (
    Message,
    PositionCalculation,
    RawInstrument,
    RawPortfolio,
    RawPrice,
    RawRate,
    RawTransaction,
    SubmittedInstrument,
    SubmittedPortfolio,
    SubmittedPrice,
    SubmittedRate,
    SubmittedTransaction,
    ValuationCalculation,
    encode,
)
from positions.operations import calculate_positions
from positions.valuations import calculate_valuations
from transactions.operations import record_transactions

PORTFOLIO_ID = "DECADE"
SECURITIES = tuple(f"SEC{number:03d}" for number in range(100))
BENCHMARK_ID = "INDEX"
YEARS = 10
MONTHLY_DEPOSIT = Decimal(250_000)
AT_ONCE = 5_000
SATURDAY = 5


def store(count: int, *, today: datetime.date) -> None:
    """The portfolio with so many transactions, up to date."""
    dates = trading_days(today)
    _record(record_market_data, [*_reference(), *_market(dates)])
    _record(record_transactions, (RawTransaction(transaction=one) for one in transactions(count, dates)))
    now = datetime.datetime.now(datetime.UTC)
    [booked] = calculate_positions(
        {PORTFOLIO_ID: PositionCalculation(portfolio_id=PORTFOLIO_ID, requested_seq=1)}, now=now
    )
    [valued] = calculate_valuations(
        {PORTFOLIO_ID: ValuationCalculation(portfolio_id=PORTFOLIO_ID, requested_seq=1)}, now=now
    )
    assert booked.error is None, booked.error
    assert valued.error is None, valued.error


def trading_days(today: datetime.date) -> list[datetime.date]:
    """Monday to Friday of the ten years before today."""
    days = (today - datetime.timedelta(days=number) for number in range(YEARS * 365, 0, -1))
    return [day for day in days if day.weekday() < SATURDAY]


def _reference() -> Iterator[Message]:
    settings = SubmittedPortfolio(portfolio_id=PORTFOLIO_ID, base_currency="USD", benchmark_security_id=BENCHMARK_ID)
    yield RawPortfolio(portfolio=settings)
    for number, security_id in enumerate(SECURITIES):
        yield RawInstrument(
            instrument=SubmittedInstrument(security_id=security_id, currency=_currency(number), asset_class="equity")
        )


def _currency(number: int) -> str:
    return "EUR" if number % 5 == 0 else "USD"


def _market(dates: Sequence[datetime.date]) -> Iterator[Message]:
    chance = random.Random(2)
    quotes = dict.fromkeys((*SECURITIES, BENCHMARK_ID), 100.0)
    rate = 1.1
    for day in dates:
        for number, security_id in enumerate(quotes):
            quotes[security_id] *= 1 + chance.gauss(0.0003, 0.01)
            currency = _currency(number) if security_id != BENCHMARK_ID else "USD"
            price = Decimal(f"{quotes[security_id]:.4f}")
            yield RawPrice(
                market_price=SubmittedPrice(security_id=security_id, price_date=day, price=price, currency=currency)
            )
        rate *= 1 + chance.gauss(0, 0.003)
        told = SubmittedRate(from_currency="EUR", to_currency="USD", rate_date=day, rate=Decimal(f"{rate:.6f}"))
        yield RawRate(fx_rate=told)


def transactions(count: int, dates: Sequence[datetime.date]) -> Iterator[SubmittedTransaction]:
    """In order: a deposit a month, and the rest spread evenly: purchases, sales of part of what is held, dividends."""
    chance = random.Random(3)
    held = dict.fromkeys(SECURITIES, Decimal(0))
    month = 0
    for number in range(count):
        day = dates[number * len(dates) // count]
        fields: dict[str, Any] = {
            "portfolio_id": PORTFOLIO_ID,
            "transaction_id": f"TRN{number:07d}",
            "transaction_date": f"{day}T{9 + number % 8:02d}:{number % 60:02d}:00Z",
            "currency": "USD",
        }
        if day.month != month:
            month = day.month
            yield SubmittedTransaction(**fields, transaction_type="DEPOSIT", gross_transaction_amount=MONTHLY_DEPOSIT)
            continue
        index = chance.randrange(len(SECURITIES))
        security_id = SECURITIES[index]
        fields |= {"security_id": security_id, "currency": _currency(index)}
        drawn = chance.random()
        if drawn < 0.1:
            yield SubmittedTransaction(
                **fields, transaction_type="DIVIDEND", gross_transaction_amount=Decimal(chance.randrange(1, 2000)) / 100
            )
            continue
        price = Decimal(chance.randrange(8_000, 15_000)) / 100
        sells = drawn > 0.55 and held[security_id] > 10
        quantity = Decimal(chance.randrange(1, 10))
        held[security_id] += -quantity if sells else quantity
        yield SubmittedTransaction(
            **fields,
            transaction_type="SELL" if sells else "BUY",
            quantity=quantity,
            price=price,
            trade_fee=Decimal("1.50"),
        )


def _record(record: Any, messages: Any) -> None:
    part: list[Received] = []
    for message in messages:
        part.append(Received(Record(message.TOPIC, 0, 0, message.key.encode(), encode(message)), message))
        if len(part) == AT_ONCE:
            _commit(record, part)
            part = []
    _commit(record, part)


def _commit(record: Any, part: list[Received]) -> None:
    with db_transaction.atomic():
        record(part)
