"""What can be brought to the door: one table.

For each entity its path and the name of its list, the type of one record, the fields a record is known by, the message
it travels in, and which of its fields name a portfolio that the submitter must be allowed to write.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from portfolio.streaming.messages import (
    Message,
    RawBenchmarkWeight,
    RawInstrument,
    RawPortfolio,
    RawPrice,
    RawRate,
    RawTransaction,
    Submission,
    SubmittedBenchmarkWeight,
    SubmittedInstrument,
    SubmittedPortfolio,
    SubmittedPrice,
    SubmittedRate,
    SubmittedTransaction,
)


@dataclass(frozen=True, slots=True)
class Entity:
    """One kind of record. Without `portfolio_fields` it is everybody's, and submitting it takes a permission."""

    name: str
    submission_type: type[Submission]
    known_by: tuple[str, ...]
    message: Callable[[Any, str | None], Message]
    example: dict[str, Any]
    portfolio_fields: tuple[str, ...] = ()


TRANSACTIONS = Entity(
    name="transactions",
    submission_type=SubmittedTransaction,
    known_by=("portfolio_id", "transaction_id"),
    message=lambda submission, user: RawTransaction(transaction=submission, submitted_by=user),
    # A linked leg takes lots out of another portfolio: whoever submits it must be allowed to write both.
    portfolio_fields=("portfolio_id", "linked_portfolio_id"),
    example={
        "transaction_id": "TRN001",
        "portfolio_id": "PORT001",
        "instrument_id": "AAPL",
        "transaction_date": "2025-01-15",
        "transaction_type": "BUY",
        "quantity": 10,
        "price": 150.0,
        "currency": "USD",
        "trade_fee": 5.0,
    },
)
PORTFOLIOS = Entity(
    name="portfolios",
    submission_type=SubmittedPortfolio,
    known_by=("portfolio_id",),
    message=lambda submission, user: RawPortfolio(portfolio=submission, submitted_by=user),
    portfolio_fields=("portfolio_id",),
    example={"portfolio_id": "PORT001", "name": "First portfolio", "base_currency": "USD"},
)
INSTRUMENTS = Entity(
    name="instruments",
    submission_type=SubmittedInstrument,
    known_by=("security_id",),
    message=lambda submission, user: RawInstrument(instrument=submission, submitted_by=user),
    example={"security_id": "AAPL", "name": "Apple Inc.", "currency": "USD", "asset_class": "EQUITY"},
)
MARKET_PRICES = Entity(
    name="market_prices",
    submission_type=SubmittedPrice,
    known_by=("security_id", "price_date"),
    message=lambda submission, user: RawPrice(market_price=submission, submitted_by=user),
    example={"security_id": "AAPL", "price_date": "2025-01-15", "price": "151.25", "currency": "USD"},
)
FX_RATES = Entity(
    name="fx_rates",
    submission_type=SubmittedRate,
    known_by=("from_currency", "to_currency", "rate_date"),
    message=lambda submission, user: RawRate(fx_rate=submission, submitted_by=user),
    example={"from_currency": "EUR", "to_currency": "USD", "rate_date": "2025-01-15", "rate": "1.0300"},
)
BENCHMARK_WEIGHTS = Entity(
    name="benchmark_weights",
    submission_type=SubmittedBenchmarkWeight,
    known_by=("benchmark_id", "segment_by", "segment", "weight_date"),
    message=lambda submission, user: RawBenchmarkWeight(benchmark_weight=submission, submitted_by=user),
    example={
        "benchmark_id": "WORLD",
        "segment_by": "sector",
        "segment": "Information Technology",
        "weight_date": "2025-01-15",
        "weight": "0.245",
        "return": "-0.0031",
    },
)
ENTITIES = (TRANSACTIONS, PORTFOLIOS, INSTRUMENTS, MARKET_PRICES, FX_RATES, BENCHMARK_WEIGHTS)
