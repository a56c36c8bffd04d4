"""A worker over the broker in memory, with a handler that keeps what it gets in the real database."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from django.db import connection

from portfolio.models import PortfolioChange
from portfolio.streaming.memory import MemoryBroker, MemoryConsumer
from portfolio.streaming.messages import (
    TOPICS,
    RawTransaction,
    RecordedTransaction,
    SubmittedTransaction,
    TransactionsRecorded,
    encode,
)
from portfolio.streaming.worker import BadRecord, Handled, Outcome, Pace, Publication, Received, Until, Worker

NOW = datetime.datetime(2025, 1, 15, 12, tzinfo=datetime.UTC)
QUICK = Pace(poll_timeout_s=0.02, retry_pause_s=0.02, retry_pause_max_s=0.1, undecodable_in_a_row_max=5)
GROUP = "keeper"


def deposit(portfolio_id: str, note: str | None = None) -> RawTransaction:
    return RawTransaction(
        transaction=SubmittedTransaction(
            portfolio_id=portfolio_id,
            transaction_id="T1",
            transaction_date="2025-01-15",
            transaction_type="DEPOSIT",
            gross_transaction_amount=Decimal(100),
            currency="EUR",
            note=note,
        )
    )


def keep(received: Sequence[Received]) -> Handled:
    """One row a record; a record's note says what goes wrong with it. Announces each."""
    publications = []
    for one in received:
        message = one.message
        assert isinstance(message, RawTransaction)
        transaction = message.transaction
        if transaction.note == "refused":
            raise BadRecord("the handler does not like it", code="DISLIKED")
        PortfolioChange.objects.update_or_create(
            portfolio_id=transaction.portfolio_id * (30 if transaction.note == "too long" else 1),
            defaults={"rebuild_seq": 1 if transaction.note == "contradiction" else 0, "recorded_at": NOW},
        )
        publications.append(
            Publication(
                TransactionsRecorded(
                    portfolio_id=transaction.portfolio_id,
                    change_seq=1,
                    recorded_at=NOW,
                    transactions=(RecordedTransaction(transaction_id="T1", version=1),),
                ),
                one.record,
            )
        )
    return Handled(publications)


def kept() -> list[str]:
    return sorted(PortfolioChange.objects.values_list("portfolio_id", flat=True))


def lose_connection() -> None:
    """End the backend of this very connection; what the server answers is raised."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")


def fail_with(sqlstate: str) -> None:
    """Let the server raise an error of this class."""
    with connection.cursor() as cursor:
        cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{sqlstate}'; END $$")


class Bench:
    """A broker in memory with one partition a topic, unless told otherwise, and workers on it."""

    def __init__(self, partitions: int = 1) -> None:
        self.broker = MemoryBroker(dict.fromkeys(TOPICS, partitions))
        self.consumers: list[MemoryConsumer] = []

    def submit(self, portfolio_id: str, note: str | None = None, **place: Any) -> None:
        message = deposit(portfolio_id, note)
        self.broker.append(message.TOPIC, message.key.encode(), encode(message), **place)

    def submit_raw(self, value: bytes | None, key: bytes | None = b"PORT", **place: Any) -> None:
        self.broker.append(RawTransaction.TOPIC, key, value, **place)

    def worker(self, handle: Callable[[Sequence[Received]], Handled] = keep, **options: Any) -> Worker:
        return Worker(
            **{
                "group": GROUP,
                "topics": [RawTransaction.TOPIC],
                "handle": handle,
                "open_consumer": self._open,
                "producer": self.broker.producer(),
                "pace": QUICK,
                "until": Until(once=True),
                "clock": lambda: NOW,
                **options,
            }
        )

    def run(self, handle: Callable[[Sequence[Received]], Handled] = keep, **options: Any) -> Outcome:
        return self.worker(handle, **options).run()

    def announced(self) -> list[str]:
        """The keys of what was published, in order."""
        return [
            (record.key or b"").decode()
            for one in self.broker.partitions(TransactionsRecorded.TOPIC)
            for record in self.broker.records[one]
        ]

    def committed(self) -> int:
        """How many records the group has behind it."""
        return sum(offset for (group, _), offset in self.broker.committed.items() if group == GROUP)

    def _open(self, *arguments: Any, **options: Any) -> MemoryConsumer:
        self.consumers.append(self.broker.consumer(*arguments, **options))
        return self.consumers[-1]
