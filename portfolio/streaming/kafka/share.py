"""A member's share of its topics: which partitions, how far each is read, and the records fetched but not yet given."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection

from portfolio.streaming.broker import Record, TopicPartition

UNKNOWN = -1
"""Of a position: nothing was read yet, and the partition is read from its beginning."""


class Share:
    """Changed by the callbacks of a rebalance and by what is fetched; asked by the consumer."""

    def __init__(self) -> None:
        self.partitions: set[TopicPartition] = set()
        self.unplaced: set[TopicPartition] = set()
        """Assigned, and librdkafka does not know where to start."""
        self.lost: set[TopicPartition] = set()
        """Given up since this was last emptied."""
        self.is_known = False
        """Whether the group has said what it is, be it nothing."""
        self._held: deque[Record] = deque()
        self._positions: dict[TopicPartition, int] = {}
        self._ends: dict[TopicPartition, int] = {}

    def take_over(self, partitions: Collection[TopicPartition]) -> None:
        """The partitions are this member's now, too."""
        self.is_known = True
        self.partitions.update(partitions)

    def give_up(self, partitions: Collection[TopicPartition]) -> None:
        """The partitions are another member's, and so are their records."""
        self.partitions.difference_update(partitions)
        self.unplaced.difference_update(partitions)
        self.lost.update(partitions)
        for one in partitions:
            self._positions.pop(one, None)
            self._ends.pop(one, None)
        self._keep_own()

    def place(self, one: TopicPartition, offset: int) -> None:
        """The next record of the partition is this; below 0 the first it has."""
        self._positions[one] = max(UNKNOWN, offset)

    def end_seen(self, one: TopicPartition, offset: int) -> None:
        """There was nothing more up to this offset.

        Markers of others' transactions take offsets and are no records: the end may lie behind the last record.
        """
        self._ends[one] = offset

    def hold(self, records: Collection[Record]) -> None:
        """Keep records until they are asked for. What was lost while they were fetched is left out."""
        self._held.extend(records)
        if self.lost:
            self._keep_own()

    @property
    def held(self) -> int:
        """How many records wait."""
        return len(self._held)

    def give(self, records_max: int) -> list[Record]:
        """The records that have waited longest."""
        given = [self._held.popleft() for _ in range(min(records_max, len(self._held)))]
        next_offsets = {(record.topic, record.partition): record.offset + 1 for record in given}
        self._positions.update((TopicPartition(*where), offset) for where, offset in next_offsets.items())
        return given

    def position(self, one: TopicPartition) -> int:
        """The offset that was read up to; UNKNOWN where nothing was read and nothing committed."""
        return max(self._positions.get(one, UNKNOWN), self._ends.get(one, UNKNOWN))

    def _keep_own(self) -> None:
        self._held = deque(record for record in self._held if record.topic_partition in self.partitions)
