"""A batch in hand: what is left of it, what it commits, and when too much of it cannot be read."""

from __future__ import annotations

from portfolio.streaming.batch import REQUESTS_NAMED_MAX, Reader
from portfolio.streaming.broker import Record, TopicPartition
from portfolio.streaming.messages import RawTransaction, encode
from tests.working import deposit

TOPIC = RawTransaction.TOPIC


def good(offset: int, partition: int = 0, **rest: object) -> Record:
    return Record(TOPIC, partition, offset, b"P", encode(deposit("P")), **rest)  # type: ignore[arg-type]


def bad(offset: int, partition: int = 0) -> Record:
    return Record(TOPIC, partition, offset, b"P", b"nonsense")


def test_the_next_offset_of_each_partition_is_committed() -> None:
    batch = Reader(limit=5).read([good(3), bad(4), good(9, partition=1)])
    assert batch.next_offsets(without=()) == {TopicPartition(TOPIC, 0): 5, TopicPartition(TOPIC, 1): 10}
    assert batch.size == 3


def test_what_was_revoked_is_neither_done_nor_committed() -> None:
    batch = Reader(limit=5).read([good(3), bad(4), good(9, partition=1)])
    received, unreadable = batch.left(without={TopicPartition(TOPIC, 0)})
    assert [one.record.offset for one in received] == [9]
    assert unreadable == []
    assert batch.next_offsets(without={TopicPartition(TOPIC, 0)}) == {TopicPartition(TOPIC, 1): 10}


def test_beyond_the_limit_the_rest_is_left_where_it_is() -> None:
    batch = Reader(limit=2).read([bad(0), bad(1), bad(2), bad(3), good(4)])
    assert batch.size == 3
    assert batch.next_offsets(without=()) == {TopicPartition(TOPIC, 0): 3}
    assert "3 records in a row" in batch.stop_reason


def test_the_count_goes_on_across_batches_and_ends_with_a_good_record() -> None:
    reader = Reader(limit=2)
    assert not reader.read([bad(0), bad(1)]).stop_reason
    assert not reader.read([good(2), bad(3), bad(4)]).stop_reason
    assert reader.read([bad(5)]).stop_reason


def test_the_requests_of_a_batch_are_named_where_they_are_few() -> None:
    headers = {"request_id": "r-1"}
    assert Reader(limit=1).read([good(0, headers=headers)]).names() == {"request_id": "r-1"}
    assert Reader(limit=1).read([good(0)]).names() == {}
    assert Reader(limit=1).read([good(0, headers=headers), good(1, headers=headers)]).names() == {"request_id": "r-1"}
    crowd = [good(number, headers={"request_id": f"r-{number}"}) for number in range(REQUESTS_NAMED_MAX + 1)]
    assert Reader(limit=1).read(crowd[:2]).names() == {"request_id": "r-0 r-1"}
    assert Reader(limit=1).read(crowd).names() == {}
