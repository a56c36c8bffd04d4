"""The orchestrator as a consumer: records in, messages to publish out, each with the record that caused it."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from django.conf import settings
from django.db import transaction as db_transaction

from orchestrator.operations import advance
from orchestrator.quiet import QuietMoments, dispatch_values
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


class Orchestrator:
    """One process's relay, and what it does between records: its walk over the portfolios, a step each time, and the
    values whose quiet moment is over.
    """

    def __init__(self) -> None:
        self._after = ""
        self._swept_at: datetime.datetime | None = None
        self._quiet = QuietMoments()

    def relay(self, received: Sequence[Received], *, now: datetime.datetime) -> Handled:
        """Take in a batch, and remember whose positions it has told to be done."""
        handled = relay(received, now=now)
        dones = [one.message for one in received if isinstance(one.message, PositionCalculationDone)]
        self._quiet.begin([done.portfolio_id for done in dones if done.error is None], now=now)
        return handled

    def step(self, *, now: datetime.datetime) -> Handled:
        """What there is to do; where the transaction is not committed, the same comes again.

        To be called more often than every SWEEP_INTERVAL_S (see `step_interval_s`): a sweep is only made as often.
        """
        stood_still = self._quiet.over(now=now)
        calculations = dispatch_values(portfolio_ids=stood_still, now=now) if stood_still else []
        after, swept_at = self._after, self._swept_at
        # Where the clock was put back, it is time as well.
        if swept_at is None or not 0 <= (now - swept_at).total_seconds() < settings.SWEEP_INTERVAL_S:
            swept = sweep(after=after, now=now)
            calculations += swept.calculations
            after, swept_at = swept.next_after, now

        def done() -> None:
            self._after, self._swept_at = after, swept_at
            self._quiet.forget(stood_still, now=now)

        db_transaction.on_commit(done)
        return Handled([Publication(asked) for asked in calculations])


def step_interval_s() -> float:
    """Seconds between two steps: quiet moments are over at most a quarter of one too late."""
    sweep_s, quiet_s = float(settings.SWEEP_INTERVAL_S), float(settings.VALUATIONS_QUIET_S)
    return min(sweep_s, quiet_s / 4) if quiet_s else sweep_s
