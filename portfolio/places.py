"""Where on a topic something was said, and what counts for more: a higher version, or of equal ones the later record.

Offsets tell the order within one partition, and everything about one name is on one partition. Where two places cannot
be compared (the topic was made anew, or has got more partitions; a row was written without a record) the one that
arrives later counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from portfolio.streaming.handling import Received

PLACE = ("topic_id", "partition", '"offset"')
"""The columns of a place, as SQL names them."""


class Standing(Protocol):
    """A row that says what stands."""

    @property
    def version(self) -> int: ...
    @property
    def topic_id(self) -> str: ...
    @property
    def partition(self) -> int | None: ...
    @property
    def offset(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Place:
    """A record's place."""

    topic_id: str
    partition: int
    offset: int

    @classmethod
    def of(cls, received: Received) -> Place:
        """Where a record stands."""
        return cls(received.topic_id, received.record.partition, received.record.offset)

    def counts(self, version: int, standing: Standing) -> bool:
        """Whether what is said here in this version counts for more than what stands."""
        if version != standing.version:
            return version > standing.version
        if standing.offset is None or (self.topic_id, self.partition) != (standing.topic_id, standing.partition):
            return True
        return self.offset > standing.offset

    def columns(self) -> tuple[str, int, int]:
        """The place as a row's columns: topic_id, partition, offset."""
        return self.topic_id, self.partition, self.offset

    def move(self, row: Any) -> None:
        """Note in a row that what it says was said here, too."""
        row.topic_id, row.partition, row.offset = self.topic_id, self.partition, self.offset
