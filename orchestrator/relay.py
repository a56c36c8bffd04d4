"""The orchestrator as a consumer: records in, messages to publish out, each with the record that caused it."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from django.db import transaction as db_transaction

from orchestrator.operations import advance
from orchestrator.sweep import sweep
from portfolio.streaming.broker import Record
from portfolio.streaming.messages import (
    MarketDataRecorded,
    PositionCalculationDone,
    TransactionsRecorded,
    ValuationCalculationDone,
)
from portfolio.streaming.worker import Handled, Publication, Received

TOPICS = (
    TransactionsRecorded.TOPIC,
    MarketDataRecorded.TOPIC,
    PositionCalculationDone.TOPIC,
    ValuationCalculationDone.TOPIC,
)


def relay(received: Sequence[Received], *, now: datetime.datetime) -> Handled:
    """Take in a batch. What a portfolio's own record did not cause was caused by the last one about the market."""
    own: dict[str, Record] = {}
    market: Record | None = None
    for one in received:
        if isinstance(one.message, MarketDataRecorded) and one.message.kind != "PORTFOLIO":
            market = one.record
        else:
            own[one.message.key] = one.record
    calculations = advance(messages=[one.message for one in received], now=now)
    return Handled([Publication(asked, own.get(asked.portfolio_id, market)) for asked in calculations])


class Sweeper:
    """One process's walk over the portfolios, a step each time."""

    def __init__(self) -> None:
        self._after = ""

    def step(self, *, now: datetime.datetime) -> Handled:
        """Sweep once; where the transaction is not committed, the same portfolios come again."""
        swept = sweep(after=self._after, now=now)
        db_transaction.on_commit(lambda: self._go_on(swept.next_after))
        return Handled([Publication(asked) for asked in swept.calculations])

    def _go_on(self, after: str) -> None:
        self._after = after
