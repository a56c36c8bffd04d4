"""`manage.py calculate_positions`: calculates the positions of the portfolios that the orchestrator sends."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from django.conf import settings

from portfolio.streaming.commands import ConsumerCommand
from portfolio.streaming.handling import Handled, Publication, Received
from portfolio.streaming.messages import PositionCalculation
from positions.calculating.links import wake_followers
from positions.operations import calculate_positions


class Command(ConsumerCommand):
    """Consume requests to calculate positions."""

    help = "Calculates the positions of the portfolios named on the topic position_calculations."
    group = "calculate_positions"
    topics = (PositionCalculation.TOPIC,)
    transactional = False
    batch_records_max = settings.CALCULATION_BATCH_MAX

    def handle_batch(self, received: Sequence[Received]) -> Handled:
        requests: dict[str, PositionCalculation] = {}
        causes = {}
        for one in received:
            message = one.message
            assert isinstance(message, PositionCalculation)
            requests[message.portfolio_id] = message
            causes[message.portfolio_id] = one.record
        now = datetime.datetime.now(datetime.UTC)
        dones = calculate_positions(requests, now=now)
        publications = [Publication(done, causes[done.portfolio_id]) for done in dones]
        publications += [Publication(news, received[-1].record) for news in wake_followers(requests, now=now)]
        return Handled(publications=publications, letters=[])
