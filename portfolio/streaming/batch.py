"""A batch in hand: its records read, its offsets, and what is left of it when partitions are taken away."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from portfolio.streaming.broker import Record, TopicPartition
from portfolio.streaming.handling import Letter, Received, read

REQUESTS_NAMED_MAX = 5
"""Of a batch of more requests no line says which they were."""

NO_IDS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Batch:
    """Records as they were read, in order; `stop_reason` where the worker has to stop after them."""

    received: Sequence[Received]
    unreadable: Sequence[Letter]
    ends: Mapping[TopicPartition, int]
    stop_reason: str = ""

    @property
    def size(self) -> int:
        return len(self.received) + len(self.unreadable)

    def left(self, *, without: Collection[TopicPartition]) -> tuple[Sequence[Received], Sequence[Letter]]:
        """What is still this member's to do."""
        if not without:
            return self.received, self.unreadable
        return (
            [one for one in self.received if one.record.topic_partition not in without],
            [one for one in self.unreadable if one.record.topic_partition not in without],
        )

    def next_offsets(self, *, without: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """The offsets to commit."""
        return {one: offset for one, offset in self.ends.items() if one not in without}

    def names(self) -> dict[str, str]:
        """What log lines about the batch carry: the ids of the requests its records came with, where these are few."""
        records = [one.record for one in self.received] + [one.record for one in self.unreadable]
        ids = dict.fromkeys(record.headers["request_id"] for record in records if "request_id" in record.headers)
        return {"request_id": " ".join(ids)} if 0 < len(ids) <= REQUESTS_NAMED_MAX else {}


class Reader:
    """Reads records, and counts those in a row that cannot be read: across batches, ended by one that can.

    Beyond `limit` of them the rest of the batch is left where it is: a deployment that cannot read what is there must
    not drain a topic into the inbox.
    """

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._in_a_row = 0

    def read(self, records: Sequence[Record], topic_ids: Mapping[str, str] = NO_IDS) -> Batch:
        """The records as a batch, as far as they are taken. `topic_ids` are the broker's own, by topic."""
        received: list[Received] = []
        unreadable: list[Letter] = []
        next_offsets: dict[tuple[str, int], int] = {}
        stop_reason = ""
        for record in records:
            one = read(record, topic_ids.get(record.topic, ""))
            next_offsets[record.topic, record.partition] = record.offset + 1
            if isinstance(one, Received):
                received.append(one)
                self._in_a_row = 0
                continue
            unreadable.append(one)
            self._in_a_row += 1
            if self._in_a_row > self._limit:
                stop_reason = f"{self._in_a_row} records in a row cannot be read, the last one because: {one.reason}"
                break
        ends = {TopicPartition(*place): offset for place, offset in next_offsets.items()}
        return Batch(received, unreadable, ends, stop_reason)
