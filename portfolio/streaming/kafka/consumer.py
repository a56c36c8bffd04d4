"""The consumer: a member of a group whose offsets are committed by hand.

Every record fetched goes through one queue (`Share`) until the caller takes it. Records that arrive
while paused (partitions taken over from another member may bring some) wait there; what is revoked leaves it.

Rebalances are cooperative, in the classic protocol as in KIP-848's: partitions come and go singly, and the callbacks
run inside `poll` and `commit`. A commit refused because of one is tried again for what is still assigned.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

from confluent_kafka import Consumer as Client
from confluent_kafka import KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as Place

from portfolio.streaming.broker import AssignmentCallback, Record, TopicPartition
from portfolio.streaming.kafka import errors
from portfolio.streaming.kafka.admin import end_offsets, require_topics, start_offsets, topic_id
from portfolio.streaming.kafka.client import ANSWER_TIMEOUT_S, log, member_config
from portfolio.streaming.kafka.names import partition_of, place_of, record_of, source_of, wire_topic
from portfolio.streaming.kafka.placing import assign, place_again
from portfolio.streaming.kafka.share import UNKNOWN, Share

REBALANCE_TIMEOUT_S = 30.0
HELD_RECORDS_MAX = 1000
"""How many records at a time are held that nobody asked for yet."""
COMMIT_POLL_S = 0.001
COMMIT_IS_SLOW_S = 0.1
"""From here on the consumer is paused until the commit is answered, so that no more is held meanwhile."""


class KafkaConsumer:
    """One member of a consumer group, used by one thread.

    Raises BrokerUnavailable at construction where the broker does not answer, TopicMissing where a topic is not there.
    """

    def __init__(
        self,
        topics: Sequence[str],
        group_id: str,
        *,
        on_assigned: AssignmentCallback | None = None,
        on_revoked: AssignmentCallback | None = None,
    ) -> None:
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked
        self._share = Share()
        self._is_paused = False
        self._topic_ids: dict[str, str] = {}
        self._committing: dict[TopicPartition, int] = {}
        self._answers: list[KafkaError | None] = []
        require_topics(topics)
        self._client = Client({**member_config(group_id), "on_commit": self._on_commit}, logger=log)
        self._client.subscribe(
            [wire_topic(topic) for topic in topics],
            on_assign=self._take_over,
            on_revoke=self._give_up,
            on_lost=self._give_up,
        )

    def poll(self, *, records_max: int, timeout_s: float) -> Sequence[Record]:
        """Wait for the first record up to `timeout_s`, then take what is there at once, up to `records_max`.

        Raises BrokerUnavailable, OffsetOutOfRange, TopicMissing.
        """
        deadline = time.monotonic() + timeout_s
        place_again(self._client, self._share)
        if self._is_paused:
            self._wait(deadline, until=lambda: False)
            return []
        if not self._share.held:
            self._wait(deadline, until=lambda: self._share.held > 0, records_max=records_max)
        elif self._share.held < records_max:
            self._fetch(records_max - self._share.held, 0)
        return self._share.give(records_max)

    def pause(self) -> None:
        """Hold everything assigned now or assigned while paused: `poll` then only keeps the membership alive."""
        self._is_paused = True
        self._client.pause([place_of(one) for one in self._share.partitions])

    def resume(self) -> None:
        """Let everything flow again; records that arrived while paused are given first, none is dropped."""
        self._is_paused = False
        self._client.resume([place_of(one) for one in self._share.partitions])

    def commit(self, next_offsets: Mapping[TopicPartition, int]) -> None:
        """Commit, and wait for it. What is no longer assigned is passed over. Raises BrokerUnavailable."""
        mine = self._share.partitions
        wanted = {one: offset for one, offset in next_offsets.items() if one in mine}
        deadline = time.monotonic() + REBALANCE_TIMEOUT_S
        while wanted:
            refusal = self._try_commit(wanted)
            if refusal is None:
                return
            if refusal.code() not in errors.REBALANCING:
                raise errors.trouble_of(refusal) or errors.unavailable(refusal)
            if time.monotonic() > deadline:
                log.warning("offsets are not committed, the rebalance goes on: %s", refusal.str())
                return
            self._fetch(HELD_RECORDS_MAX, 0.1)
            wanted = {one: offset for one, offset in wanted.items() if one in mine - self._share.lost}

    def assignment(self) -> frozenset[TopicPartition]:
        """What is assigned now."""
        return frozenset(self._share.partitions)

    def lag(self) -> Mapping[TopicPartition, int]:
        """How many records stand between this consumer's position and the end, as last told by the broker."""
        lags: dict[TopicPartition, int] = {}
        for one in self._share.partitions:
            low, high = self._client.get_watermark_offsets(place_of(one), cached=True)
            if high >= 0:
                lags[one] = max(0, high - max(low, self._share.position(one)))
        return lags

    def at_end(self) -> bool:
        """Whether everything assigned has been read up to where the topic ended when asked. Raises BrokerUnavailable.

        Not before the group has told this member what it is assigned.
        """
        if not self._share.is_known or self._share.held or self._share.unplaced:
            return False
        ends = end_offsets(self._share.partitions)
        behind = {one for one in ends if self._share.position(one) < ends[one]}
        if any(self._share.position(one) != UNKNOWN for one in behind):
            return False
        # Nothing was ever read of these; they are at their end where there is nothing in them.
        return start_offsets(behind) == {one: ends[one] for one in behind}

    def topic_id(self, topic: str) -> str:
        """The broker's own id of the topic; "" if it gives none. Raises BrokerUnavailable."""
        if topic not in self._topic_ids:
            self._topic_ids[topic] = topic_id(topic)
        return self._topic_ids[topic]

    def close(self) -> None:
        """Leave the group."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- rebalances -----------------------------------------------------------------------------------------------

    def _take_over(self, client: Client, places: list[Place]) -> None:
        taken = [partition_of(place) for place in places]
        self._share.take_over(taken)
        assign(client, self._share, places)
        (client.pause if self._is_paused else client.resume)(places)
        if self._on_assigned:
            self._on_assigned(taken)

    def _give_up(self, _client: Client, places: list[Place]) -> None:
        given_up = sorted(partition_of(place) for place in places)
        self._share.give_up(given_up)
        if self._on_revoked:
            self._on_revoked(given_up)

    # --- fetching -------------------------------------------------------------------------------------------------

    def _wait(self, deadline: float, *, until: Callable[[], bool], records_max: int = HELD_RECORDS_MAX) -> None:
        while True:
            self._fetch(records_max, max(0.0, deadline - time.monotonic()))
            place_again(self._client, self._share)
            if until() or time.monotonic() >= deadline:
                return

    def _fetch(self, records_max: int, timeout_s: float) -> None:
        """Hold what comes: wait for one message, then take what else is there."""
        self._share.lost.clear()
        first = self._client.poll(timeout_s)
        if first is None:
            return
        messages = [first, *self._client.consume(records_max - 1, 0)] if records_max > 1 else [first]
        records: list[Record] = []
        trouble: Exception | None = None
        for message in messages:
            error = message.error()
            if error is None:
                records.append(record_of(message))
            else:
                trouble = self._settle(error, message) or trouble
        self._share.hold(records)
        if trouble is not None:
            raise trouble

    def _settle(self, error: KafkaError, message: Message) -> Exception | None:
        """Do what an event asks for; an exception where that is the caller's business."""
        if error.code() == errors.PARTITION_EOF:
            self._share.end_seen(source_of(message), message.offset() or 0)
        elif error.code() == errors.NOT_PLACED:
            self._share.unplaced |= {source_of(message)} & self._share.partitions
        elif (trouble := errors.trouble_of(error)) is not None:
            return trouble
        else:
            log.warning("kafka consumer: %s (%s)", error.str(), error.name())
        return None

    # --- committing -----------------------------------------------------------------------------------------------

    def _try_commit(self, next_offsets: Mapping[TopicPartition, int]) -> KafkaError | None:
        """Why the offsets were not committed; none where they were.

        librdkafka's own waiting for a commit has no end where the broker is there and does not answer. So the answer
        is waited for here, by polling; the records that a poll may bring are held.
        """
        self._committing = dict(next_offsets)
        self._answers.clear()
        try:
            self._client.commit(offsets=[place_of(one, at) for one, at in next_offsets.items()], asynchronous=True)
        except KafkaException as error:
            return errors.error_of(error)
        started, was_paused = time.monotonic(), self._is_paused
        try:
            while not self._answers:
                waited_s = time.monotonic() - started
                if waited_s > ANSWER_TIMEOUT_S:
                    return KafkaError(errors.TIMED_OUT)
                if waited_s > COMMIT_IS_SLOW_S and not self._is_paused:
                    self.pause()
                self._fetch(HELD_RECORDS_MAX, COMMIT_POLL_S)
        finally:
            if self._is_paused and not was_paused:
                self.resume()
        return self._answers[0]

    def _on_commit(self, error: KafkaError | None, places: list[Place]) -> None:
        # The answer to an attempt that was given up may still come; it is of other offsets.
        if {partition_of(place): place.offset for place in places} == self._committing:
            self._answers.append(error or next((place.error for place in places if place.error is not None), None))
