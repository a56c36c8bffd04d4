"""What a worker tells of itself: log lines for people, metrics for Prometheus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import structlog

from portfolio.streaming import metrics
from portfolio.streaming.broker import TopicPartition
from portfolio.streaming.handling import Handled, Letter

log = structlog.get_logger("portfolio.streaming.worker")


class Journal:
    """Of one consumer group's member."""

    def __init__(self, group: str) -> None:
        self._group = group
        self._log = log.bind(group=group)

    def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """The member has these now, too."""
        self._log.info("assigned", partitions=_named(partitions))

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """The partitions are another member's."""
        metrics.forget_lag(self._group, partitions)
        self._log.info("revoked", partitions=_named(partitions))

    def batch(self, *, records: int, handled: Handled, seconds: float) -> None:
        """A batch is done and committed. Every record set aside has a line of its own."""
        metrics.RECORDS.labels(self._group).inc(records)
        metrics.BATCH_RECORDS.labels(self._group).observe(records)
        metrics.BATCH_SECONDS.labels(self._group).observe(seconds)
        for letter in handled.letters:
            self._set_aside(letter)
        self._log.info(
            "batch",
            records=records,
            publications=len(handled.publications),
            letters=len(handled.letters),
            seconds=round(seconds, 4),
        )

    def alive(self) -> None:
        """The loop has come round once more, or waits for something that is away."""
        metrics.HEARTBEAT.labels(self._group).set_to_current_time()

    def lag(self, lag: Mapping[TopicPartition, int]) -> None:
        """How far the member is behind."""
        metrics.report_lag(self._group, lag)

    def halving(self, records: int, error: Exception) -> None:
        """Somewhere in a batch is a record that cannot be taken."""
        self._log.info("halving a batch to find the bad record", records=records, reason=_line(error))

    def retry(self, error: Exception, wait_s: float) -> None:
        """Something failed that is likely to succeed later."""
        metrics.RETRIES.labels(self._group, type(error).__name__).inc()
        self._log.warning("trying again", error=type(error).__name__, reason=_line(error), wait_s=round(wait_s, 3))

    def ended(self, sessions: int) -> None:
        """Database sessions of a predecessor that stood still were ended; none where the lock was somebody else's."""
        self._log.warning("ended the database sessions of a predecessor that stands still", sessions=sessions)

    def crash(self) -> None:
        """An error that no rule is for; the traceback is the current exception's."""
        self._log.exception("worker ends on an error it does not know")

    def _set_aside(self, letter: Letter) -> None:
        record = letter.record
        metrics.DEAD_LETTERS.labels(self._group, letter.code).inc()
        self._log.warning(
            "record set aside",
            code=letter.code,
            reason=letter.reason,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            portfolio_id=letter.portfolio_id,
            request_id=record.headers.get("request_id", ""),
        )


def _named(partitions: Sequence[TopicPartition]) -> str:
    """Each topic with the numbers of its partitions."""
    numbers: dict[str, list[str]] = {}
    for one in sorted(partitions):
        numbers.setdefault(one.topic, []).append(str(one.partition))
    return ", ".join(f"{topic} {' '.join(of_topic)}" for topic, of_topic in numbers.items())


def _line(error: Exception) -> str:
    return str(error).partition("\n")[0]
