"""The producer: every record acknowledged by all in-sync replicas, or an error within PUBLISH_TIMEOUT_S.

Many threads may publish at once through one client. librdkafka reports deliveries to whoever polls it; one thread does
nothing else, and each call waits on a lock of its own until its last record is settled.

A record that is not acknowledged expires in librdkafka's queue after the same timeout, so a call ends only when each of
its records has either arrived or will never be sent.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Iterable, Sequence
from functools import partial
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaError, KafkaException, Message
from confluent_kafka import Producer as Client
from django.conf import settings

from portfolio.streaming.broker import BrokerUnavailable, Outgoing, Receipt
from portfolio.streaming.kafka.client import client_config, log
from portfolio.streaming.kafka.errors import error_of, not_acknowledged
from portfolio.streaming.kafka.names import wire_topic

RECORD_BYTES_FACTOR = 4
"""How many times RECORD_BYTES_MAX a record made downstream may have."""
GRACE_S = 2.0
QUEUE_FULL_PAUSE_S = 0.005


class KafkaProducer:
    """Publishes with acks=all and idempotence, from any number of threads.

    `linger_ms` is how long a record waits for others to travel with: 0 for single posts, some for batches.
    """

    def __init__(self, *, linger_ms: int = 0, timeout_s: float | None = None) -> None:
        self._timeout_s = settings.PUBLISH_TIMEOUT_S if timeout_s is None else timeout_s
        self._linger_ms = linger_ms
        self._renewing = threading.Lock()
        self._client = self._start()

    def publish(self, records: Iterable[Outgoing]) -> list[Receipt]:
        """Publish all and wait until the broker has acknowledged every one of them, in the order given.

        Raises BrokerUnavailable, RecordTooLarge.
        """
        sent = list(records)
        if not sent:
            return []
        client = self._client
        delivery = _Delivery(sent)
        deadline = time.monotonic() + self._timeout_s
        for index, record in enumerate(sent):
            refusal = self._enqueue(client, record, partial(delivery.settle, index), deadline)
            if refusal is not None:
                delivery.only(index)
                delivery.wait(self._timeout_s + GRACE_S)
                if isinstance(refusal, KafkaException) and error_of(refusal).fatal():
                    self._renew(client)
                raise not_acknowledged(error_of(refusal)) if isinstance(refusal, KafkaException) else refusal
        if not delivery.wait(self._timeout_s + GRACE_S):
            self._renew(client)
            raise BrokerUnavailable("the broker's acknowledgement is overdue; the client was replaced")
        if delivery.error is not None:
            if delivery.error.fatal():
                self._renew(client)
            raise not_acknowledged(delivery.error)
        return delivery.receipts()

    def close(self) -> None:
        """Send what is left, within the timeout, and let go."""
        self._client.flush(self._timeout_s)
        self._stop(self._client)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> Client:
        client = Client(
            client_config(
                acks="all",
                enable_idempotence=True,
                linger_ms=self._linger_ms,
                compression_type="lz4",
                delivery_timeout_ms=int(self._timeout_s * 1000),
                message_max_bytes=max(1_000_000, RECORD_BYTES_FACTOR * settings.RECORD_BYTES_MAX),
                # Java clients place keys by this hash: whoever else writes a portfolio's records hits its partition.
                partitioner="murmur2_random",
            ),
            logger=log,
        )
        self._stopping = threading.Event()
        threading.Thread(
            target=_serve, args=(client, self._stopping), name="kafka-producer-deliveries", daemon=True
        ).start()
        return client

    def _stop(self, client: Client) -> None:
        """Nothing of the client's queue is sent any more; its deliveries are reported as failed."""
        client.purge()
        client.poll(0)
        self._stopping.set()

    def _renew(self, client: Client) -> None:
        """After an error that a client does not recover from."""
        with self._renewing:
            if self._client is client:
                log.warning("kafka producer is replaced by a fresh one")
                self._stop(client)
                self._client = self._start()

    @staticmethod
    def _enqueue(
        client: Client, record: Outgoing, settle: partial[None], deadline: float
    ) -> KafkaException | BrokerUnavailable | None:
        """Hand the record to librdkafka; what it says instead of taking it."""
        while True:
            try:
                client.produce(
                    wire_topic(record.topic),
                    value=record.value,
                    key=record.key,
                    headers=list(record.headers.items()),
                    on_delivery=settle,
                )
            except BufferError:
                if time.monotonic() > deadline:
                    return BrokerUnavailable("the queue to the broker is full")
                time.sleep(QUEUE_FULL_PAUSE_S)
            except KafkaException as error:
                return error
            else:
                return None


class _Delivery:
    """The outcomes of one call's records. Settled by one thread, awaited by another."""

    __slots__ = ("_count", "_done", "_expected", "_records", "_where", "error")

    def __init__(self, records: Sequence[Outgoing]) -> None:
        self._records = records
        self._where = [(-1, -1)] * len(records)
        self._expected = len(records)
        self._count = 0
        self._done = threading.Lock()
        self._done.acquire()
        self.error: KafkaError | None = None

    def settle(self, index: int, error: KafkaError | None, message: Message) -> None:
        if error is None:
            partition, offset = message.partition(), message.offset()
            assert partition is not None, "an acknowledged record has a place"
            assert offset is not None, "an acknowledged record has a place"
            self._where[index] = (partition, offset)
        elif self.error is None:
            self.error = error
        self._count += 1
        if self._count == self._expected:
            self._done.release()

    def only(self, count: int) -> None:
        """No more than these were sent."""
        self._expected = count

    def wait(self, timeout_s: float) -> bool:
        """Whether all were settled in time."""
        return self._count == self._expected or self._done.acquire(timeout=timeout_s)

    def receipts(self) -> list[Receipt]:
        return [Receipt(record.topic, *where) for record, where in zip(self._records, self._where, strict=True)]


def _serve(client: Client, stopping: threading.Event) -> None:
    """Report deliveries until told to stop."""
    while not stopping.is_set():
        try:
            client.poll(0.1)
        except Exception:  # noqa: BLE001 - without this thread no publish would ever end
            log.exception("reporting a delivery failed")


_shared: dict[tuple[int, str], KafkaProducer] = {}
_sharing = threading.Lock()


def shared_producer() -> KafkaProducer:
    """The process's own producer for single posts (linger 0), made at first use."""
    known_by = os.getpid(), settings.KAFKA_BOOTSTRAP_SERVERS
    with _sharing:
        if known_by not in _shared:
            _shared.clear()
            _shared[known_by] = KafkaProducer()
            atexit.register(_shared[known_by].close)
        return _shared[known_by]
