"""The broker's contract over lists, for tests: what a caller can observe is what Kafka shows, without a server.

Partitions are handed from member to member as cooperatively as Kafka does it: when the members of a group change, each
learns at its next `poll` what it has to give up, and only then do others get it.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from threading import Condition
from types import TracebackType
from typing import Self

from portfolio.streaming.broker import (
    AssignmentCallback,
    BrokerUnavailable,
    OffsetOutOfRange,
    Outgoing,
    Receipt,
    Record,
    TopicMissing,
    TopicPartition,
)


class MemoryBroker:
    """Topics, their records, and the groups that read them. `is_available` may be set to False for a while."""

    def __init__(self, topics: Mapping[str, int]) -> None:
        self.records: dict[TopicPartition, list[Record]] = {
            TopicPartition(topic, partition): [] for topic, count in topics.items() for partition in range(count)
        }
        self.starts: dict[TopicPartition, int] = dict.fromkeys(self.records, 0)
        self.committed: dict[tuple[str, TopicPartition], int] = {}
        self.members: dict[str, list[MemoryConsumer]] = {}
        self.is_available = True
        self.changed = Condition()

    def consumer(
        self,
        topics: Sequence[str],
        group_id: str,
        *,
        on_assigned: AssignmentCallback | None = None,
        on_revoked: AssignmentCallback | None = None,
    ) -> MemoryConsumer:
        """A new member of the group. Raises BrokerUnavailable, TopicMissing."""
        self.require_available()
        for topic in topics:
            self.partitions(topic)
        member = MemoryConsumer(self, topics, group_id, on_assigned, on_revoked)
        self.members.setdefault(group_id, []).append(member)
        return member

    def producer(self) -> MemoryProducer:
        """A producer to these topics."""
        return MemoryProducer(self)

    def partitions(self, topic: str) -> list[TopicPartition]:
        """The partitions of a topic. Raises TopicMissing."""
        found = [one for one in self.records if one.topic == topic]
        if not found:
            raise TopicMissing(f"the cluster has no topic {topic}: run manage.py ensure_topics")
        return found

    def append(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        *,
        headers: Mapping[str, str] | None = None,
        partition: int | None = None,
    ) -> Receipt:
        """Put a record at the end of the partition of its key, or of the one given."""
        found = self.partitions(topic)
        one = found[zlib.crc32(key or b"") % len(found) if partition is None else partition]
        with self.changed:
            offset = self.end(one)
            moment_ms = time.time_ns() // 1_000_000
            self.records[one].append(
                Record(topic, one.partition, offset, key, value, dict(headers or {}), timestamp_ms=moment_ms)
            )
            self.changed.notify_all()
        return Receipt(topic, one.partition, offset)

    def end(self, one: TopicPartition) -> int:
        """The offset that the next record of the partition will have."""
        return self.starts[one] + len(self.records[one])

    def forget(self, one: TopicPartition, *, before: int) -> None:
        """Drop the records before an offset, as a topic's retention does."""
        gone = before - self.starts[one]
        self.records[one] = self.records[one][gone:]
        self.starts[one] = before

    def require_available(self) -> None:
        """Raises BrokerUnavailable while the broker is set to be away."""
        if not self.is_available:
            raise BrokerUnavailable("the broker is away")

    def share_of(self, member: MemoryConsumer) -> set[TopicPartition]:
        """What a member is to have, now that the group has these members."""
        members = self.members[member.group_id]
        place = members.index(member)
        found = [one for topic in member.topics for one in self.partitions(topic)]
        return {one for number, one in enumerate(found) if number % len(members) == place}


class MemoryConsumer:
    """A member of a group of a MemoryBroker."""

    def __init__(
        self,
        broker: MemoryBroker,
        topics: Sequence[str],
        group_id: str,
        on_assigned: AssignmentCallback | None,
        on_revoked: AssignmentCallback | None,
    ) -> None:
        self.topics = topics
        self.group_id = group_id
        self._broker = broker
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked
        self._positions: dict[TopicPartition, int] = {}
        self._has_joined = self._is_paused = self._is_closed = False
        self.taken_away: set[TopicPartition] = set()
        """What a test takes from this member, whatever the group says."""

    def poll(self, *, records_max: int, timeout_s: float) -> Sequence[Record]:
        """Wait for the first record up to `timeout_s`, then take what is there. Raises OffsetOutOfRange."""
        deadline = time.monotonic() + timeout_s
        while True:
            self._rebalance()
            found = [] if self._is_paused else self._take(records_max)
            left_s = deadline - time.monotonic()
            if found or left_s <= 0:
                return found
            with self._broker.changed:
                self._broker.changed.wait(min(left_s, 0.02))

    def pause(self) -> None:
        self._is_paused = True

    def resume(self) -> None:
        self._is_paused = False

    def commit(self, next_offsets: Mapping[TopicPartition, int]) -> None:
        """Commit what is still assigned. Raises BrokerUnavailable."""
        self._broker.require_available()
        self._rebalance()
        for one, offset in next_offsets.items():
            if one in self._positions:
                self._broker.committed[self.group_id, one] = offset

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(self._positions)

    def lag(self) -> Mapping[TopicPartition, int]:
        return {one: self._broker.end(one) - position for one, position in self._positions.items()}

    def at_end(self) -> bool:
        """Whether everything assigned has been read. Raises BrokerUnavailable."""
        self._broker.require_available()
        return self._has_joined and not any(self.lag().values())

    def topic_id(self, topic: str) -> str:
        return f"id-of-{topic}"

    def close(self) -> None:
        """Leave the group."""
        if not self._is_closed:
            self._is_closed = True
            self._broker.members[self.group_id].remove(self)
            self._give_up(set(self._positions))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _rebalance(self) -> None:
        """Give up what is another's now; take over what is this member's and free."""
        wanted = self._broker.share_of(self) - self.taken_away
        self._give_up(set(self._positions) - wanted)
        others = {
            one for other in self._broker.members[self.group_id] if other is not self for one in other.assignment()
        }
        taken = sorted(wanted - set(self._positions) - others)
        for one in taken:
            self._positions[one] = self._broker.committed.get((self.group_id, one), self._broker.starts[one])
        if (taken or not self._has_joined) and self._on_assigned:
            self._on_assigned(taken)
        self._has_joined = True

    def _give_up(self, partitions: set[TopicPartition]) -> None:
        for one in partitions:
            del self._positions[one]
        if partitions and self._on_revoked:
            self._on_revoked(sorted(partitions))

    def _take(self, records_max: int) -> list[Record]:
        found: list[Record] = []
        for one, position in self._positions.items() if self._broker.is_available else ():
            start = self._broker.starts[one]
            if not start <= position <= self._broker.end(one):
                raise OffsetOutOfRange(f"{one.topic}[{one.partition}]: record {position} is not in the topic")
            first = position - start
            found += self._broker.records[one][first : first + records_max - len(found)]
        for record in found:
            self._positions[record.topic_partition] = record.offset + 1
        return found


class MemoryProducer:
    """Publishes to a MemoryBroker."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker

    def publish(self, records: Iterable[Outgoing]) -> list[Receipt]:
        """Publish all, in the order given. Raises BrokerUnavailable."""
        self._broker.require_available()
        return [
            self._broker.append(record.topic, record.key.encode(), record.value, headers=record.headers)
            for record in records
        ]

    def close(self) -> None:
        """There is nothing to let go of."""
