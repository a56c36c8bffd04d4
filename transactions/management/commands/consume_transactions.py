"""`manage.py consume_transactions`: keeps what comes in on raw_transactions in the ledger."""

from __future__ import annotations

from collections.abc import Sequence

from portfolio.streaming.commands import ConsumerCommand
from portfolio.streaming.handling import Handled, Received
from portfolio.streaming.messages import RawTransaction
from transactions.operations import record_transactions


class Command(ConsumerCommand):
    """Consume raw transactions and keep each exactly once."""

    help = "Keeps the transactions that arrive on the topic raw_transactions in the table transactions."
    group = "consume_transactions"
    topics = (RawTransaction.TOPIC,)

    def handle_batch(self, received: Sequence[Received]) -> Handled:
        return record_transactions(received)
