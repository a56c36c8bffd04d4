"""One contract, two brokers: what the worker loop relies on holds for Kafka in both group protocols, and for its twin."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import pytest

from portfolio.streaming.broker import (
    Consumer,
    OffsetOutOfRange,
    Outgoing,
    Producer,
    Record,
    TopicMissing,
    TopicPartition,
)
from portfolio.streaming.kafka import KafkaConsumer, KafkaProducer, create_topics
from portfolio.streaming.kafka.admin import delete_records
from portfolio.streaming.memory import MemoryBroker

PARTITIONS = 4
PATIENCE_S = 30.0


class Place:
    """A broker with one topic of four partitions, and what a test does to it."""

    def __init__(
        self,
        topic: str,
        open_consumer: Callable[..., Consumer],
        producer: Producer,
        forget: Callable[[TopicPartition, int], None],
    ) -> None:
        self.topic = topic
        self.group = f"group-{uuid.uuid4().hex[:8]}"
        self.producer = producer
        self.forget = forget
        self.revoked: list[TopicPartition] = []
        self._open_consumer = open_consumer
        self._opened: list[Consumer] = []

    def join(self, group: str | None = None) -> Consumer:
        consumer = self._open_consumer([self.topic], group or self.group, on_revoked=self.revoked.extend)
        self._opened.append(consumer)
        return consumer

    def publish(self, count: int, *, start: int = 0) -> None:
        self.producer.publish(
            Outgoing(self.topic, f"key-{number % 13}", str(number).encode(), {"request_id": f"r{number}"})
            for number in range(start, start + count)
        )

    def close(self) -> None:
        for consumer in self._opened:
            consumer.close()
        self.producer.close()


@pytest.fixture(params=["memory", "classic", "consumer"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    topic = f"topic-{uuid.uuid4().hex[:8]}"
    if request.param == "memory":
        broker = MemoryBroker({topic: PARTITIONS})
        here = Place(topic, broker.consumer, broker.producer(), lambda one, before: broker.forget(one, before=before))
    else:
        settings = request.getfixturevalue("settings")
        settings.KAFKA_BOOTSTRAP_SERVERS = request.getfixturevalue("kafka_bootstrap_servers")
        settings.KAFKA_GROUP_PROTOCOL = request.param
        settings.KAFKA_TOPIC_PREFIX = settings.KAFKA_GROUP_PREFIX = "contract."
        create_topics([topic], partitions=PARTITIONS, replication_factor=1, config={topic: {}})
        here = Place(topic, KafkaConsumer, KafkaProducer(), delete_records)
    yield here
    here.close()


def read(consumer: Consumer, count: int, *, records_max: int = 1000) -> list[Record]:
    """The next records, as many as asked for."""
    found: list[Record] = []
    deadline = time.monotonic() + PATIENCE_S
    while len(found) < count and time.monotonic() < deadline:
        found += consumer.poll(records_max=min(records_max, count - len(found)), timeout_s=0.1)
    assert len(found) == count, f"{len(found)} of {count} records came"
    return found


def read_to_end(*consumers: Consumer) -> list[list[Record]]:
    """What each of the members still finds, until all of them are at the end."""
    found: list[list[Record]] = [[] for _ in consumers]
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        news = [list(consumer.poll(records_max=100, timeout_s=0.05)) for consumer in consumers]
        for mine, new in zip(found, news, strict=True):
            mine.extend(new)
        if not any(news) and all(consumer.at_end() for consumer in consumers):
            return found
    raise AssertionError("the end was not reached")


def until_shared(*consumers: Consumer) -> None:
    """Poll until every member has its share."""
    deadline = time.monotonic() + PATIENCE_S
    share = PARTITIONS // len(consumers)
    while any(len(consumer.assignment()) != share for consumer in consumers):
        assert time.monotonic() < deadline, [consumer.assignment() for consumer in consumers]
        for consumer in consumers:
            assert not consumer.poll(records_max=100, timeout_s=0.05)


def next_offsets(records: Sequence[Record]) -> dict[TopicPartition, int]:
    return {record.topic_partition: record.offset + 1 for record in records}


def values(records: Sequence[Record]) -> list[int]:
    return [int(record.value or b"") for record in records]


def test_a_record_comes_back_as_it_was_sent(place: Place) -> None:
    (receipt,) = place.producer.publish([Outgoing(place.topic, "PORT001", b"{}", {"request_id": "r-1"})])
    (record,) = read(place.join(), 1)
    assert (record.topic, record.partition, record.offset) == (receipt.topic, receipt.partition, receipt.offset)
    assert (record.topic, record.key, record.value) == (place.topic, b"PORT001", b"{}")
    assert record.headers == {"request_id": "r-1"}
    assert abs(record.timestamp_ms / 1000 - time.time()) < 60


def test_receipts_are_in_the_order_of_the_records(place: Place) -> None:
    outgoing = [Outgoing(place.topic, f"key-{number % 7}", str(number).encode()) for number in range(500)]
    receipts = place.producer.publish(outgoing)
    by_place = {(record.partition, record.offset): record.value for record in read(place.join(), 500)}
    assert [by_place[receipt.partition, receipt.offset] for receipt in receipts] == [one.value for one in outgoing]


def test_nothing_to_publish_is_no_error(place: Place) -> None:
    assert place.producer.publish([]) == []


def test_records_of_one_key_keep_their_order(place: Place) -> None:
    place.publish(1000)
    records = read(place.join(), 1000, records_max=64)
    for key in {record.key for record in records}:
        mine = values([record for record in records if record.key == key])
        assert mine == sorted(mine)
    assert Counter(values(records)) == Counter(range(1000))


def test_a_batch_is_no_larger_than_asked_for(place: Place) -> None:
    place.publish(50)
    consumer = place.join()
    assert len(read(consumer, 1)) == 1
    assert 0 < len(read(consumer, 7, records_max=7)) <= 7


def test_a_poll_ends_in_time_where_nothing_comes(place: Place) -> None:
    consumer = place.join()
    read_to_end(consumer)
    started = time.monotonic()
    assert not consumer.poll(records_max=10, timeout_s=0.3)
    assert 0.25 < time.monotonic() - started < 1.0


def test_a_group_goes_on_where_it_committed(place: Place) -> None:
    place.publish(100)
    first = place.join()
    done = read(first, 40)
    first.commit(next_offsets(done))
    read(first, 10)
    first.close()
    (rest,) = read_to_end(place.join())
    assert sorted(values(done) + values(rest)) == list(range(100))


def test_what_was_not_committed_comes_again(place: Place) -> None:
    place.publish(20)
    first = place.join()
    read(first, 20)
    first.close()
    assert sorted(values(read(place.join(), 20))) == list(range(20))


def test_groups_do_not_disturb_one_another(place: Place) -> None:
    place.publish(10)
    one, other = place.join("one"), place.join("other")
    one.commit(next_offsets(read(one, 10)))
    assert sorted(values(read(other, 10))) == list(range(10))


def test_the_end_is_where_the_topic_ends_when_asked(place: Place) -> None:
    consumer = place.join()
    assert not consumer.at_end(), "nobody knows before the group has said what is whose"
    read_to_end(consumer)
    place.publish(1)
    assert not consumer.at_end()
    read(consumer, 1)
    assert consumer.at_end()


def test_a_group_that_has_read_everything_is_at_the_end_at_once(place: Place) -> None:
    place.publish(10)
    first = place.join()
    first.commit(next_offsets(read(first, 10)))
    first.close()
    second = place.join()
    assert read_to_end(second) == [[]]


def test_the_lag_is_what_is_still_to_be_read(place: Place) -> None:
    place.publish(30)
    consumer = place.join()
    read(consumer, 10)
    until_lag_is(consumer, 20)
    read(consumer, 20)
    until_lag_is(consumer, 0)


def until_lag_is(consumer: Consumer, records: int) -> None:
    """The broker tells of a partition's end with the first records of it."""
    deadline = time.monotonic() + PATIENCE_S
    while sum(consumer.lag().values()) != records:
        assert time.monotonic() < deadline, consumer.lag()
        time.sleep(0.02)


def test_nothing_comes_while_paused_and_nothing_is_dropped(place: Place) -> None:
    place.publish(50)
    consumer = place.join()
    before = read(consumer, 20)
    consumer.pause()
    place.publish(50, start=50)
    for _ in range(5):
        assert not consumer.poll(records_max=100, timeout_s=0.1)
    assert not consumer.at_end()
    consumer.resume()
    after = read(consumer, 80)
    assert sorted(values(before + after)) == list(range(100))


def test_partitions_taken_over_while_paused_wait_too(place: Place) -> None:
    """A member leaves while another waits for its database: what that one inherits must neither come nor get lost."""
    one, other = place.join(), place.join()
    until_shared(one, other)
    one.pause()
    place.publish(60)
    other.close()
    deadline = time.monotonic() + PATIENCE_S
    while len(one.assignment()) < PARTITIONS:
        assert time.monotonic() < deadline
        assert not one.poll(records_max=100, timeout_s=0.1)
    for _ in range(5):
        assert not one.poll(records_max=100, timeout_s=0.1)
    one.resume()
    assert sorted(values(read(one, 60))) == list(range(60))


def test_a_paused_member_stays_in_its_group(place: Place) -> None:
    one, other = place.join(), place.join()
    until_shared(one, other)
    mine = one.assignment()
    one.pause()
    for _ in range(20):
        one.poll(records_max=100, timeout_s=0.1)
        other.poll(records_max=100, timeout_s=0.05)
    assert one.assignment() == mine
    assert not one.assignment() & other.assignment()


def test_two_members_share_and_each_record_is_one_members(place: Place) -> None:
    one, other = place.join(), place.join()
    until_shared(one, other)
    place.publish(200)
    mine, theirs = read_to_end(one, other)
    assert mine
    assert theirs
    assert sorted(values(mine + theirs)) == list(range(200))
    assert not {record.partition for record in mine} & {record.partition for record in theirs}


def test_whoever_stays_takes_over_from_what_was_committed(place: Place) -> None:
    one, other = place.join(), place.join()
    until_shared(one, other)
    place.publish(200)
    mine, _ = read_to_end(one, other)
    one.commit(next_offsets(mine))
    other.close()
    place.publish(20, start=200)
    deadline = time.monotonic() + PATIENCE_S
    while len(one.assignment()) < PARTITIONS:
        assert time.monotonic() < deadline
        mine += one.poll(records_max=100, timeout_s=0.1)
    (rest,) = read_to_end(one)
    # The other had committed nothing: its records come again, to whoever has its partitions now.
    assert sorted(values(mine + rest)) == list(range(220))


def test_what_was_revoked_is_reported_and_its_commit_passed_over(place: Place) -> None:
    one = place.join()
    place.publish(100)
    batch = read(one, 100)
    other = place.join()
    while not other.assignment():
        one.poll(records_max=100, timeout_s=0.05)
        other.poll(records_max=0, timeout_s=0.05)
    assert set(place.revoked) == set(other.assignment())
    one.commit(next_offsets(batch))
    one.close()
    other.close()
    (again,) = read_to_end(place.join())
    assert {record.topic_partition for record in again} == set(next_offsets(batch)) & set(
        place.revoked[: PARTITIONS // 2]
    )


def test_a_commit_in_the_middle_of_a_rebalance_loses_nothing(place: Place) -> None:
    one = place.join()
    place.publish(400)
    done: list[int] = []
    committed: dict[TopicPartition, int] = {}
    other: Consumer | None = None
    while len(done) < 300:
        batch = one.poll(records_max=10, timeout_s=0.1)
        if len(done) >= 100 and other is None:
            other = place.join()
        if other is not None:
            done += values(other.poll(records_max=10, timeout_s=0.01))
        one.commit(next_offsets(batch))
        committed |= next_offsets(batch)
        done += values(batch)
    assert other is not None
    mine, theirs = read_to_end(one, other)
    assert set(done + values(mine + theirs)) == set(range(400))


def test_a_committed_offset_that_is_gone_is_an_error_for_a_person(place: Place) -> None:
    outgoing = [Outgoing(place.topic, "PORT001", b"1")] * 20
    where = place.producer.publish(outgoing)[0]
    first = place.join()
    first.commit(next_offsets(read(first, 5)))
    first.close()
    place.forget(TopicPartition(place.topic, where.partition), 10)
    second = place.join()
    with pytest.raises(OffsetOutOfRange):
        read(second, 1)


def test_a_topic_whose_first_records_are_gone_is_read_from_its_first_record(place: Place) -> None:
    where = place.producer.publish([Outgoing(place.topic, "PORT001", str(n).encode()) for n in range(20)])[0]
    place.forget(TopicPartition(place.topic, where.partition), 10)
    assert values(read(place.join(), 10)) == list(range(10, 20))


def test_a_missing_topic_is_named(place: Place) -> None:
    place.topic = "no-such-topic"
    with pytest.raises(TopicMissing, match="no-such-topic"):
        place.join()


def test_a_topic_has_an_id_of_the_brokers(place: Place) -> None:
    consumer = place.join()
    assert consumer.topic_id(place.topic)
    assert consumer.topic_id(place.topic) == consumer.topic_id(place.topic)
