"""The worker loop: poll a batch, decode, handle, publish, commit the offsets. In that order, in this one place.

One thread, one batch. While a batch is in hand nothing is polled; where it has to wait (the database or the broker is
away) the consumer is paused, and polling it then only keeps the membership alive. The work that was done is not done
again: what failed to be published is published again, what failed to be committed is committed again.

A rebalance may take partitions away meanwhile. Whoever has them now gets their records again, so what is left of them
here is dropped, and their offsets are not committed.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Protocol

import structlog
from django.db import transaction as db_transaction

from portfolio.models import StoppedWorker
from portfolio.operations import record_dead_letters, stop_worker
from portfolio.streaming.batch import Batch, Reader
from portfolio.streaming.broker import (
    AssignmentCallback,
    Consumer,
    OffsetOutOfRange,
    Producer,
    Record,
    TopicMissing,
    TopicPartition,
)
from portfolio.streaming.handling import BadRecord, Handled, Handler, Letter, Publication, Received, outgoing
from portfolio.streaming.journal import Journal
from portfolio.streaming.pace import Outcome, Pace, Periodic, Until
from portfolio.streaming.patience import Patience, ToldToStop
from portfolio.streaming.verdicts import SET_ASIDE, code_of

__all__ = [
    "BadRecord",
    "Handled",
    "Handler",
    "Letter",
    "OpenConsumer",
    "Outcome",
    "Pace",
    "Periodic",
    "Publication",
    "Received",
    "Until",
    "Worker",
]


class OpenConsumer(Protocol):
    """Joins a consumer group: the class KafkaConsumer, or the method of a MemoryBroker."""

    def __call__(
        self,
        topics: Sequence[str],
        group_id: str,
        *,
        on_assigned: AssignmentCallback,
        on_revoked: AssignmentCallback,
    ) -> Consumer: ...


class _Ended(Exception):
    """The loop is to be left, with this outcome."""

    def __init__(self, exit_code: int, reason: str) -> None:
        super().__init__(reason)
        self.exit_code = exit_code


class Worker:
    """Consumes topics as a member of a group.

    With `transactional` the handler and the letters of a batch share one database transaction; otherwise the handler
    opens its own, and the letters follow in another.
    """

    def __init__(
        self,
        *,
        group: str,
        topics: Sequence[str],
        handle: Handler,
        open_consumer: OpenConsumer,
        producer: Producer,
        pace: Pace,
        transactional: bool = True,
        every: Periodic | None = None,
        until: Until | None = None,
        clock: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC),
    ) -> None:
        self.group = group
        self._topics = topics
        self._handle = handle
        self._open_consumer = open_consumer
        self._producer = producer
        self._pace = pace
        self._in_transaction = db_transaction.atomic if transactional else nullcontext
        self._every = every
        self._until = until or Until()
        self._clock = clock
        self._journal = Journal(group)
        self._patience = Patience(pace=pace, journal=self._journal)
        self._again = self._patience.again
        self._revoked: set[TopicPartition] = set()
        self._reader = Reader(limit=pace.undecodable_in_a_row_max)
        self._records = 0
        self._due_at = 0.0

    def stop(self) -> None:
        """Let `run` end after the batch in hand, or without it where that has to wait. May be called from a signal."""
        self._patience.is_stopping = True

    def run(self) -> Outcome:
        """Work until told to stop, or as long as `until` says."""
        try:
            self._again(self._require_not_stopped)
            with self._again(self._join) as consumer:
                self._patience.consumer = consumer
                try:
                    self._loop(consumer)
                finally:
                    self._patience.consumer = None
        except ToldToStop:
            return Outcome(0, "", self._records)
        except _Ended as ended:
            return Outcome(ended.exit_code, str(ended), self._records)
        except (OffsetOutOfRange, TopicMissing) as error:
            return Outcome(1, str(error), self._records)
        except Exception as error:  # noqa: BLE001 - logged with its traceback, and the process ends
            self._journal.crash()
            return Outcome(1, f"{type(error).__name__}: {error}".partition("\n")[0], self._records)
        return Outcome(0, "", self._records)

    # --- the loop -------------------------------------------------------------------------------------------------

    def _loop(self, consumer: Consumer) -> None:
        quiet_since = joined_at = time.monotonic()
        while not self._patience.is_stopping:
            self._journal.alive()
            self._work_of_the_hour()
            records_max = self._until.records_left(self._records, self._pace.batch_records_max)
            timeout_s = self._pace.poll_s(until=self._until, due_at=self._due_at if self._every else None)
            records = self._again(lambda: consumer.poll(records_max=records_max, timeout_s=timeout_s))  # noqa: B023
            # What was revoked during the poll is not among its records; from here on it is this batch that loses.
            self._revoked.clear()
            now = time.monotonic()
            if records:
                self._take(consumer, self._read(consumer, records))
                quiet_since = time.monotonic()
            elif self._until.is_quiet_enough(now - quiet_since):
                return
            elif self._until.once and self._again(consumer.at_end):
                self._due_at = 0.0
                self._work_of_the_hour()
                return
            elif self._until.once and not consumer.assignment() and now - joined_at > self._pace.join_timeout_s:
                raise _Ended(1, f"group {self.group} assigned nothing within {self._pace.join_timeout_s:g} s")
            self._journal.lag(consumer.lag())
            if self._until.is_enough(self._records):
                return

    def _read(self, consumer: Consumer, records: Sequence[Record]) -> Batch:
        topic_ids = self._again(lambda: {topic: consumer.topic_id(topic) for topic in self._topics})
        return self._reader.read(records, topic_ids)

    def _take(self, consumer: Consumer, batch: Batch) -> None:
        """Do the work, publish, commit."""
        started = time.monotonic()
        with structlog.contextvars.bound_contextvars(**batch.names()):
            handled = self._again(lambda: self._work(consumer, batch))
            self._again(lambda: self._publish(handled.publications))
            self._again(lambda: consumer.commit(batch.next_offsets(without=self._revoked)))
            self._records += batch.size
            self._journal.batch(records=batch.size, handled=handled, seconds=time.monotonic() - started)
        if batch.stop_reason:
            raise _Ended(3, f"{batch.stop_reason}; {self._way_on()}")

    def _work(self, consumer: Consumer, batch: Batch) -> Handled:
        """Handle what can be read and set aside what cannot, in one database transaction or two."""
        received, unreadable = batch.left(without=self._revoked)
        with self._in_transaction():
            handled = (self._handled(received) if received else Handled()) + Handled(letters=unreadable)
            if handled.letters or batch.stop_reason:
                with db_transaction.atomic():
                    self._set_aside(consumer, handled.letters, batch.stop_reason)
        return handled

    def _handled(self, received: Sequence[Received]) -> Handled:
        """What the handler makes of the records; those it cannot take are found by halving, and set aside."""
        try:
            with self._in_transaction():
                return self._handle(received)
        except SET_ASIDE as error:
            if len(received) == 1:
                return Handled(letters=[received[0].letter(code_of(error), str(error))])
            self._journal.halving(len(received), error)
        middle = len(received) // 2
        return self._handled(received[:middle]) + self._handled(received[middle:])

    def _set_aside(self, consumer: Consumer, letters: Sequence[Letter], stop_reason: str) -> None:
        now = self._clock()
        topic_ids = {topic: consumer.topic_id(topic) for topic in {letter.record.topic for letter in letters}}
        record_dead_letters(letters=letters, consumer_group=self.group, topic_ids=topic_ids, recorded_at=now)
        if stop_reason:
            stop_worker(group=self.group, reason=stop_reason, at=now)

    def _publish(self, publications: Sequence[Publication]) -> None:
        if publications:
            self._producer.publish([outgoing(publication) for publication in publications])

    def _work_of_the_hour(self) -> None:
        """The periodic work, where it is due."""
        if self._every is None or time.monotonic() < self._due_at:
            return
        handled = self._again(self._periodic_work)
        assert not handled.letters, "periodic work has no record to set aside"
        self._again(lambda: self._publish(handled.publications))
        self._due_at = time.monotonic() + self._every.interval_s

    def _periodic_work(self) -> Handled:
        assert self._every is not None
        with self._in_transaction():
            return self._every.work()

    # --- coming and going -----------------------------------------------------------------------------------------

    def _require_not_stopped(self) -> None:
        stopped = StoppedWorker.objects.filter(consumer_group=self.group).first()
        if stopped is not None:
            raise _Ended(3, f"stopped at {stopped.stopped_at:%Y-%m-%d %H:%M:%S}: {stopped.reason}; {self._way_on()}")

    def _way_on(self) -> str:
        return f"when its cause is gone: manage.py dead_letters --resume {self.group}"

    def _join(self) -> Consumer:
        return self._open_consumer(
            self._topics, self.group, on_assigned=self._journal.assigned, on_revoked=self._on_revoked
        )

    def _on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        self._revoked.update(partitions)
        self._journal.revoked(partitions)
