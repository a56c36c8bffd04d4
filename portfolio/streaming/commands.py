"""What the commands of all consumers share: options, consumer, producer and worker from the settings, the exit code.

A subclass names its group and topics and gives `handle_batch`:

    class Command(ConsumerCommand):
        group = "consume_transactions"
        topics = ("raw_transactions",)

        def handle_batch(self, received):
            return record_transactions(received)
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from abc import ABC, abstractmethod
from argparse import ArgumentTypeError
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, ClassVar

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from portfolio.streaming.kafka import KafkaConsumer, KafkaProducer
from portfolio.streaming.metrics import serve_metrics
from portfolio.streaming.standstill import limit_waiting
from portfolio.streaming.worker import Handled, Pace, Periodic, Received, Until, Worker

LINGER_MS = 1
"""How long a worker's messages wait for others to travel with: a batch of 5,000 goes as fast as with 5 ms."""
ALLOCATIONS_A_COLLECTION = 200_000
MARGIN_S = 1.0
"""How much sooner than SHUTDOWN_TIMEOUT_S a stuck worker lets go."""


class ConsumerCommand(ABC, BaseCommand):
    """A management command that consumes topics until it is told to stop."""

    group: ClassVar[str]
    topics: ClassVar[Sequence[str]]
    transactional: ClassVar[bool] = True
    """Whether `handle_batch` runs inside the batch's database transaction; False where it opens its own."""
    batch_records_max: ClassVar[int | None] = None
    """The records of a batch at most; BATCH_RECORDS_MAX where none is said."""

    @abstractmethod
    def handle_batch(self, received: Sequence[Received]) -> Handled:
        """Do the work of a batch, and give back what is to be published and set aside."""

    def periodic(self) -> Periodic | None:
        """Work that is due in intervals; none by default."""
        return None

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="handle what is there, then end")
        parser.add_argument("--max-messages", type=_count, metavar="N", help="end after so many records")
        parser.add_argument(
            "--idle-timeout", type=_seconds, metavar="SECONDS", help="end when nothing came for so long"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            serve_metrics(settings.METRICS_PORT)
        except OSError as error:
            raise CommandError(f"METRICS_PORT {settings.METRICS_PORT}: {error.strerror}") from error
        limit_waiting(group=self.group)
        producer = KafkaProducer(linger_ms=LINGER_MS)
        worker = Worker(
            group=self.group,
            topics=self.topics,
            handle=self.handle_batch,
            open_consumer=KafkaConsumer,
            producer=producer,
            pace=Pace.from_settings(batch_records_max=self.batch_records_max),
            transactional=self.transactional,
            every=self.periodic(),
            until=Until(options["once"], options["max_messages"], options["idle_timeout"]),
        )
        _collect_garbage_seldom()
        with _stopped_by_signals(worker), producer:
            outcome = worker.run()
        if outcome.exit_code:
            raise CommandError(f"{self.group}: {outcome.reason}", returncode=outcome.exit_code)


def _collect_garbage_seldom() -> None:
    """A batch is some 100,000 objects that all go with it: looking for cycles among them again and again, and in all
    that was imported, took a fifth of a worker's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(ALLOCATIONS_A_COLLECTION)


@contextmanager
def _stopped_by_signals(worker: Worker) -> Iterator[None]:
    """SIGTERM and SIGINT stop the worker. What does not stop in time is abandoned: nothing of it is committed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    timer = threading.Timer(settings.SHUTDOWN_TIMEOUT_S - MARGIN_S, _abandon, [worker.group])
    timer.daemon = True

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        worker.stop()
        if not timer.is_alive():
            timer.start()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        timer.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)


def _abandon(group: str) -> None:
    sys.stderr.write(f"{group}: the batch in hand did not end in time and is abandoned; it will come again\n")
    sys.stderr.flush()
    os._exit(0)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise ArgumentTypeError(f"{text!r} is not a number of seconds")
    return seconds
