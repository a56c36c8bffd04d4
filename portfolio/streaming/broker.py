"""The broker's contract: what the worker loop needs of Kafka, and nothing else.

Three words of Kafka's that matter here. A *position* is where a consumer reads next; a *committed* offset is where its
group will start again; both name the next record to read, never the last one read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self


class BrokerUnavailable(ConnectionError):
    """The broker did not answer or did not acknowledge in time: try again later. What was sent may have arrived."""


class OffsetOutOfRange(RuntimeError):
    """The group's committed offset is gone from the topic: a person decides, nothing jumps silently."""


class TopicMissing(RuntimeError):
    """A topic is not there: `manage.py ensure_topics` makes it."""


class RecordTooLarge(ValueError):
    """A record is larger than its topic takes: sending it again would not help."""


@dataclass(frozen=True, slots=True, order=True)
class TopicPartition:
    """One partition of a topic."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class Record:
    """One record as the broker gave it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, str] = field(default_factory=dict)
    timestamp_ms: int = 0

    @property
    def topic_partition(self) -> TopicPartition:
        return TopicPartition(self.topic, self.partition)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record to publish."""

    topic: str
    key: str
    value: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where the broker acknowledged a record to be."""

    topic: str
    partition: int
    offset: int


class Consumer(Protocol):
    """A member of a consumer group. Offsets are committed by hand; no commit happens behind anyone's back.

    Rebalances are reported during `poll` through the callbacks given at construction: `on_assigned` and `on_revoked`,
    each with the partitions concerned.
    """

    def poll(self, *, records_max: int, timeout_s: float) -> Sequence[Record]:
        """Wait for the first record up to `timeout_s`, then take what is there at once, up to `records_max`.

        Raises BrokerUnavailable, OffsetOutOfRange.
        """

    def pause(self) -> None:
        """Hold everything assigned now or assigned while paused: `poll` then only keeps the membership alive."""

    def resume(self) -> None:
        """Let everything flow again; records that arrived while paused are given first, none is dropped."""

    def commit(self, next_offsets: Mapping[TopicPartition, int]) -> None:
        """Commit, and wait for it. What is no longer assigned is passed over. Raises BrokerUnavailable."""

    def assignment(self) -> frozenset[TopicPartition]:
        """What is assigned now."""

    def lag(self) -> Mapping[TopicPartition, int]:
        """How many records stand between this consumer's position and the end, as last told by the broker."""

    def at_end(self) -> bool:
        """Whether everything assigned is read up to where the topic ended when asked. Raises BrokerUnavailable."""

    def topic_id(self, topic: str) -> str:
        """The broker's own id of the topic, which one made anew under the same name does not share; "" if unknown."""

    def close(self) -> None:
        """Leave the group."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Producer(Protocol):
    """Publishes with acks=all and idempotence."""

    def publish(self, records: Iterable[Outgoing]) -> list[Receipt]:
        """Publish all and wait until the broker has acknowledged every one of them, in the order given.

        Raises BrokerUnavailable where any was not acknowledged, RecordTooLarge; some may have arrived all the same.
        """

    def close(self) -> None:
        """Send what is left and let go."""


AssignmentCallback = Callable[[Sequence[TopicPartition]], None]
