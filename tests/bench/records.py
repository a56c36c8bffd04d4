"""The transactions that are sent: filled in as a trading system fills them in, and always the same."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

SECURITIES = [f"SEC{number:04d}" for number in range(300)]
HELD_BY_ONE = 20
SECONDS_A_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Trade:
    """A BUY. `fields` are those of the REST API, decimals as text."""

    portfolio_id: str
    security_id: str
    quantity: Decimal
    fields: dict[str, Any]

    def json(self) -> bytes:
        """As it is posted."""
        return json.dumps(self.fields).encode()


def portfolio_ids(count: int) -> list[str]:
    """The names of portfolios."""
    return [f"PORT{number:05d}" for number in range(count)]


def trades(portfolios: list[str], count: int, *, date: str = "2025-01-15") -> Iterator[Trade]:
    """BUYs of one day, in the order of their times, the portfolios taking turns."""
    chance = random.Random(1)
    for number in range(count):
        portfolio_index = number % len(portfolios)
        security_id = SECURITIES[(portfolio_index + 7 * chance.randrange(HELD_BY_ONE)) % len(SECURITIES)]
        quantity = Decimal(chance.randrange(1_000, 5_000_000)).scaleb(-3)
        price = Decimal(chance.randrange(10_000, 9_000_000)).scaleb(-4)
        second, rest = divmod(number * SECONDS_A_DAY * 1_000 // count, 1_000)
        time = f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}.{rest:03d}"
        fields = {
            "portfolio_id": portfolios[portfolio_index],
            "transaction_id": f"TRN{number:09d}",
            "security_id": security_id,
            "transaction_date": f"{date}T{time}Z",
            "settlement_date": "2025-01-17",
            "transaction_type": "BUY",
            "quantity": str(quantity),
            "price": str(price),
            "gross_transaction_amount": str(round(quantity * price, 2)),
            "currency": "USD",
            "trade_fee": str(Decimal(chance.randrange(100, 5_000)).scaleb(-2)),
            "tax": "0",
            "source_system": "OMS",
        }
        yield Trade(portfolios[portfolio_index], security_id, quantity, fields)
