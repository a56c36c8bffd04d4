"""`manage.py run_orchestrator`: passes the baton from what is recorded to the calculators, and back."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

from orchestrator.relay import TOPICS, Orchestrator
from portfolio.streaming.commands import ConsumerCommand
from portfolio.streaming.worker import Handled, Periodic, Received


class Command(ConsumerCommand):
    """Request, dispatch and close calculations, and sweep up what is owed."""

    help = "Has portfolios calculated when their transactions or market data change, and sweeps up what is owed."
    group = "orchestrator"
    topics = TOPICS
    # A done may bring hundreds of interests, and all of a batch are written in one transaction.
    batch_records_max = 2000

    _orchestrator: Orchestrator

    def handle(self, *args: Any, **options: Any) -> None:
        self._orchestrator = Orchestrator(once=options["once"])
        super().handle(*args, **options)

    def handle_batch(self, received: Sequence[Received]) -> Handled:
        return self._orchestrator.relay(received, now=datetime.datetime.now(datetime.UTC))

    def periodic(self) -> Periodic:
        orchestrator = self._orchestrator
        return Periodic(
            orchestrator.step_interval_s(), lambda: orchestrator.step(now=datetime.datetime.now(datetime.UTC))
        )
