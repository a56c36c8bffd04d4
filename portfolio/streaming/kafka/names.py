"""Between the names and values of librdkafka and those of the broker's contract."""

from __future__ import annotations

from confluent_kafka import Message
from confluent_kafka import TopicPartition as Place
from django.conf import settings

from portfolio.streaming.broker import Record, TopicPartition


def wire_topic(topic: str) -> str:
    """The topic's name in the cluster."""
    return f"{settings.KAFKA_TOPIC_PREFIX}{topic}"


def plain_topic(wire: str) -> str:
    """The name by which everybody else knows the topic."""
    return wire.removeprefix(settings.KAFKA_TOPIC_PREFIX)


def wire_group(group_id: str) -> str:
    """The group's name in the cluster."""
    return f"{settings.KAFKA_GROUP_PREFIX}{group_id}"


def place_of(one: TopicPartition, offset: int | None = None) -> Place:
    """The partition in librdkafka's words, with an offset where one is given."""
    if offset is None:
        return Place(wire_topic(one.topic), one.partition)
    return Place(wire_topic(one.topic), one.partition, offset)


def partition_of(place: Place) -> TopicPartition:
    """The partition that a place of librdkafka is."""
    return TopicPartition(plain_topic(place.topic), place.partition)


def source_of(message: Message) -> TopicPartition:
    """The partition that a message or an event comes from."""
    topic, partition = message.topic(), message.partition()
    assert topic is not None, "it comes from a topic"
    assert partition is not None, "it comes from a partition"
    return TopicPartition(plain_topic(topic), partition)


def record_of(message: Message) -> Record:
    """The record a client read, under its topic's plain name."""
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    assert topic is not None, "a record has a topic"
    assert partition is not None, "a record has a partition"
    assert offset is not None, "a record has an offset"
    return Record(
        topic=plain_topic(topic),
        partition=partition,
        offset=offset,
        key=message.key(),
        value=message.value(),
        headers={name: _text(value) for name, value in dict(message.headers() or ()).items()},
        timestamp_ms=message.timestamp()[1],
    )


def _text(value: str | bytes | None) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value or ""
