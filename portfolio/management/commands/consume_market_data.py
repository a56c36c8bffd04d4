"""`manage.py consume_market_data`: keeps what comes in on raw_market_data."""

from __future__ import annotations

from collections.abc import Sequence

from portfolio.market_data import record_market_data
from portfolio.streaming.commands import ConsumerCommand
from portfolio.streaming.handling import Handled, Received
from portfolio.streaming.messages import RawPrice


class Command(ConsumerCommand):
    """Consume portfolios, instruments, prices and rates."""

    help = "Keeps the portfolios, instruments, prices and rates that arrive on the topic raw_market_data."
    group = "consume_market_data"
    topics = (RawPrice.TOPIC,)

    def handle_batch(self, received: Sequence[Received]) -> Handled:
        return record_market_data(received)
