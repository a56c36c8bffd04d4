"""The orchestrator as a consumer: records in, messages to publish out, each with the record that caused it."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from django.conf import settings
from django.db import transaction as db_transaction

from orchestrator.operations import advance
from orchestrator.quiet import QuietMoments, dispatch_values
from orchestrator.sweep import PORTFOLIOS_MAX, sweep
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


STEP_S_MIN = 0.05
"""Seconds between two steps at least, however short a quiet moment is."""


class Orchestrator:
    """One process's relay, and what it does between records: its walk over the portfolios, a step each time, and the
    values whose quiet moment is over.

    One that runs `once` waits for nothing: what it drains is quiet, and each of its steps sweeps, the last one too.
    """

    def __init__(self, *, once: bool = False) -> None:
        self._once = once
        self._quiet_s = 0.0 if once else float(settings.VALUATIONS_QUIET_S)
        self._quiet = QuietMoments(quiet_s=self._quiet_s)
        self._after = ""
        self._swept_at: datetime.datetime | None = None

    def relay(self, received: Sequence[Received], *, now: datetime.datetime) -> Handled:
        """Take in a batch, and remember whose positions it has told to be done.

        What a portfolio's own record did not cause was caused by the last one about the market.
        """
        own: dict[str, Record] = {}
        market: Record | None = None
        for one in received:
            if isinstance(one.message, MarketDataRecorded) and one.message.kind != "PORTFOLIO":
                market = one.record
            else:
                own[one.message.key] = one.record
        messages = [one.message for one in received]
        calculations = advance(messages=messages, quiet_s=self._quiet_s, now=now)
        dones = [message for message in messages if isinstance(message, PositionCalculationDone)]
        self._quiet.begin([done.portfolio_id for done in dones if done.error is None], now=now)
        return Handled([Publication(asked, own.get(asked.portfolio_id, market)) for asked in calculations])

    def step(self, *, now: datetime.datetime) -> Handled:
        """What there is to do; where the transaction is not committed, the same comes again.

        To be called every `step_interval_s`, which may be more often than a sweep is made: every SWEEP_INTERVAL_S.
        """
        stood_still = self._quiet.over(portfolios_max=PORTFOLIOS_MAX, now=now)
        calculations = dispatch_values(portfolio_ids=stood_still, quiet_s=self._quiet_s, now=now) if stood_still else []
        after, swept_at = self._after, self._swept_at
        if self._once or self._is_time_to_sweep(now):
            swept = sweep(after=after, quiet_s=self._quiet_s, now=now)
            calculations += swept.calculations
            after, swept_at = swept.next_after, now

        def done() -> None:
            self._after, self._swept_at = after, swept_at
            self._quiet.forget(stood_still, now=now)

        db_transaction.on_commit(done)
        return Handled([Publication(asked) for asked in calculations])

    def step_interval_s(self) -> float:
        """Seconds between two steps: quiet moments are over at most a quarter of one too late."""
        sweep_s = float(settings.SWEEP_INTERVAL_S)
        return max(STEP_S_MIN, min(sweep_s, self._quiet_s / 4) if self._quiet_s else sweep_s)

    def _is_time_to_sweep(self, now: datetime.datetime) -> bool:
        """Where the clock was put back, it is time as well."""
        if self._swept_at is None:
            return True
        return not 0 <= (now - self._swept_at).total_seconds() < settings.SWEEP_INTERVAL_S
