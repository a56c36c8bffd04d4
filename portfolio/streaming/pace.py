"""How fast a worker goes, when it ends, and what it says at the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings

from portfolio.streaming.handling import Handled

ONCE_POLL_TIMEOUT_S = 0.1


@dataclass(frozen=True, slots=True)
class Until:
    """When a worker ends by itself: everything there is was read; so many records were; nothing came for so long."""

    once: bool = False
    records_max: int | None = None
    idle_s: float | None = None

    def records_left(self, done: int, batch_max: int) -> int:
        """How many the next batch may have."""
        return batch_max if self.records_max is None else max(1, min(batch_max, self.records_max - done))

    def is_enough(self, done: int) -> bool:
        """Whether as many records were handled as were wanted."""
        return self.records_max is not None and done >= self.records_max

    def is_quiet_enough(self, quiet_s: float) -> bool:
        """Whether nothing has come for long enough."""
        return self.idle_s is not None and quiet_s >= self.idle_s


@dataclass(frozen=True, slots=True)
class Pace:
    """How much is taken at once, how long things wait, and how many unreadable records in a row are too many."""

    batch_records_max: int = 5000
    poll_timeout_s: float = 0.5
    retry_pause_s: float = 0.5
    retry_pause_max_s: float = 15.0
    contention_factor: float = 0.1
    """Another transaction was in the way: a pause shorter by this."""
    undecodable_in_a_row_max: int = 100
    join_timeout_s: float = 60.0
    """With `--once`: how long a group may take to say what is assigned. A dead member's session has to end first."""

    @classmethod
    def from_settings(cls, *, batch_records_max: int | None = None) -> Pace:
        """As the settings have it."""
        return cls(
            batch_records_max=batch_records_max or settings.BATCH_RECORDS_MAX,
            poll_timeout_s=settings.POLL_TIMEOUT_S,
            retry_pause_s=settings.RETRY_PAUSE_S,
            retry_pause_max_s=settings.RETRY_PAUSE_MAX_S,
            undecodable_in_a_row_max=settings.UNDECODABLE_IN_A_ROW_MAX,
        )

    def poll_s(self, *, until: Until, due_at: float | None) -> float:
        """How long the next poll may wait, where periodic work is due at a moment of the monotonic clock."""
        timeout_s = ONCE_POLL_TIMEOUT_S if until.once else self.poll_timeout_s
        if until.idle_s is not None:
            timeout_s = min(timeout_s, until.idle_s)
        return timeout_s if due_at is None else max(0.0, min(timeout_s, due_at - time.monotonic()))


@dataclass(frozen=True, slots=True)
class Periodic:
    """Work that is due in intervals, whether or not a record comes."""

    interval_s: float
    work: Callable[[], Handled]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a worker ended: 0 done, 1 it cannot go on and may be started again, 3 it stopped itself for a person."""

    exit_code: int
    reason: str
    records: int
