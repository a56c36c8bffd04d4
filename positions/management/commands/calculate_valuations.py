"""`manage.py calculate_valuations`: values the days of the portfolios that the orchestrator sends."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from django.conf import settings

from portfolio.streaming.commands import ConsumerCommand
from portfolio.streaming.handling import Handled, Publication, Received
from portfolio.streaming.messages import ValuationCalculation
from positions.valuations import calculate_valuations


class Command(ConsumerCommand):
    """Consume requests to value days."""

    help = "Values the days of the portfolios named on the topic valuation_calculations."
    group = "calculate_valuations"
    topics = (ValuationCalculation.TOPIC,)
    transactional = False
    batch_records_max = settings.CALCULATION_BATCH_MAX

    def handle_batch(self, received: Sequence[Received]) -> Handled:
        requests: dict[str, ValuationCalculation] = {}
        causes = {}
        for one in received:
            message = one.message
            assert isinstance(message, ValuationCalculation)
            requests[message.portfolio_id] = message
            causes[message.portfolio_id] = one.record
        dones = calculate_valuations(requests, now=datetime.datetime.now(datetime.UTC))
        return Handled([Publication(done, causes[done.portfolio_id]) for done in dones])
