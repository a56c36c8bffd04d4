"""Twenty thousand transactions as a business would send them, and what must have become of them in the end.

Several portfolios and types; some transactions are corrected or cancelled by a later version (which may arrive first),
some are sent twice, some arrive weeks after their date. Everything follows from one seed.
"""

from __future__ import annotations

import datetime
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from portfolio.streaming.messages import SubmittedTransaction
from positions.evaluation import evaluate
from transactions.ledger import content_hash, normalised

AS_OF = "2024-12-31"
FIRST_DAY = datetime.date(2023, 1, 2)
START = "2023-12-31"
"""From here on the value of every day is looked at."""
SECURITIES = {"AAPL": "USD", "MSFT": "USD", "NVDA": "USD", "SAP": "EUR", "ASML": "EUR"}
POST_RECORDS = 100

Content = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Flow:
    """What is sent: reference data by entity, and the transactions in the order of sending, repetitions included."""

    reference: dict[str, list[Content]]
    sent: list[Content]

    @property
    def portfolio_ids(self) -> list[str]:
        return [one["portfolio_id"] for one in self.reference["portfolios"]]

    def bodies(self) -> Iterator[tuple[str, bytes, str]]:
        """The requests, (path, body, type): lists of a hundred, and after each a single one."""
        step = POST_RECORDS + 1
        for start in range(0, len(self.sent), step):
            *listed, single = self.sent[start : start + step]
            if listed:
                lines = b"\n".join(json.dumps(one).encode() for one in listed)
                yield "/ingest/transactions", lines, "application/x-ndjson"
            yield "/ingest/transaction", json.dumps(single).encode(), "application/json"

    def ledger(self) -> set[tuple[str, str, int, bytes]]:
        """What the ledger must hold: portfolio, id, version, content."""
        rows = [normalised(msgspec.convert(one, SubmittedTransaction, strict=False)) for one in self.sent]
        return {(*row.version_key, content_hash(row)) for row in rows}

    def evaluated(self, portfolio_id: str) -> Any:
        """The positions, the value of every day and all else computed at once, from nothing but what was sent."""
        (portfolio,) = [one for one in self.reference["portfolios"] if one["portfolio_id"] == portfolio_id]
        own = {json.dumps(one, sort_keys=True) for one in self.sent if one["portfolio_id"] == portfolio_id}
        request = {
            "portfolio": portfolio,
            "transactions": [json.loads(one) for one in sorted(own)],
            "instruments": self.reference["instruments"],
            "market_prices": self.reference["market-prices"],
            "fx_rates": self.reference["fx-rates"],
            "as_of": AS_OF,
            "start": START,
            "end": AS_OF,
        }
        return evaluate(json.dumps(request).encode(), today=datetime.date.fromisoformat(AS_OF))


def flow(*, transactions: int = 20_000, portfolios: int = 12, seed: int = 20250115) -> Flow:
    """Of so many transactions, repetitions included."""
    chance = random.Random(seed)
    portfolio_ids = [f"FLOW{number:02}" for number in range(portfolios)]
    placed: list[tuple[float, Content]] = []
    for number in range(transactions):
        if len(placed) >= transactions:
            break
        content = _content(chance, portfolio_ids[number % portfolios], number, portfolios, transactions)
        late = chance.expovariate(1 / (0.1 * transactions)) if chance.random() < 0.03 else 0
        placed.append((number + late, content))
        fate = chance.random()
        if fate < 0.02:
            again = number + chance.uniform(-0.05, 0.2) * transactions
            placed.append((again, {**content, "version": 2, "note": "corrected", "trade_fee": "1.5"}))
        elif fate < 0.03:
            placed.append((number + chance.uniform(1, 1000), {**content, "version": 2, "status": "CANCELLED"}))
        elif fate < 0.06:
            placed.append((number + chance.uniform(0, 1000), content))
    placed.sort(key=lambda one: one[0])
    return Flow(_reference(portfolio_ids), [content for _, content in placed[:transactions]])


def _content(chance: random.Random, portfolio_id: str, number: int, portfolios: int, transactions: int) -> Content:
    day = FIRST_DAY + datetime.timedelta(days=700 * number // transactions)
    common = {
        "portfolio_id": portfolio_id,
        "transaction_id": f"T{number:06}",
        "transaction_date": day.isoformat(),
        "source_system": "flow",
    }
    if number < portfolios:
        return {**common, "transaction_type": "DEPOSIT", "currency": "USD", "gross_transaction_amount": "10000000"}
    security_id = chance.choice(list(SECURITIES))
    currency = SECURITIES[security_id]
    common["currency"] = currency
    kind = chance.choices(
        ["BUY", "SELL", "DIVIDEND", "FEE", "DEPOSIT", "WITHDRAWAL", "SPLIT"], [50, 33, 8, 3, 3, 2.8, 0.05]
    )[0]
    if kind in ("BUY", "SELL"):
        quantity = f"{chance.randint(1, 50)}.{chance.randint(0, 99):02}"
        price = f"{chance.randint(50, 250)}.{chance.randint(0, 9999):04}"
        fields = {"security_id": security_id, "quantity": quantity, "price": price, "trade_fee": "1.25"}
    elif kind == "SPLIT":
        fields = {"security_id": security_id, "ratio_new": "3", "ratio_old": "2"}
    elif kind == "DIVIDEND":
        amount = f"{chance.randint(1, 500)}.{chance.randint(0, 99):02}"
        fields = {"security_id": security_id, "gross_transaction_amount": amount, "tax": "0.5"}
    else:
        fields = {"gross_transaction_amount": f"{chance.randint(1, 900)}.{chance.randint(0, 99):02}"}
    return {**common, "transaction_type": kind, **fields}


def _reference(portfolio_ids: list[str]) -> dict[str, list[Content]]:
    methods = ["FIFO", "AVCO"]
    days = [(FIRST_DAY + datetime.timedelta(days=30 * month)).isoformat() for month in range(-1, 24)]
    return {
        "portfolios": [
            {"portfolio_id": p, "base_currency": "USD", "cost_basis_method": methods[number % 2], "name": f"Flow {p}"}
            for number, p in enumerate(portfolio_ids)
        ],
        "instruments": [{"security_id": s, "currency": currency} for s, currency in SECURITIES.items()],
        "market-prices": [
            {"security_id": s, "price_date": day, "price": f"{100 + index}.5", "currency": currency}
            for s, currency in SECURITIES.items()
            for index, day in enumerate(days)
        ],
        "fx-rates": [
            {"from_currency": "EUR", "to_currency": "USD", "rate_date": day, "rate": f"1.{10 + index}"}
            for index, day in enumerate(days)
        ],
    }
