"""Questions about the cluster and its topics, and their making."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from confluent_kafka import Consumer as Client
from confluent_kafka import KafkaException, TopicCollection, Uuid
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, OffsetSpec, ResourceType  # type: ignore[attr-defined]
from django.conf import settings

from portfolio.streaming.broker import BrokerUnavailable, Record, TopicMissing, TopicPartition
from portfolio.streaming.kafka.client import ANSWER_TIMEOUT_S, client_config, log
from portfolio.streaming.kafka.errors import NO_LEADER, PARTITION_EOF, TOPIC_EXISTS, error_of, unavailable
from portfolio.streaming.kafka.names import partition_of, place_of, plain_topic, record_of, wire_topic

READY_TIMEOUT_S = 2.0
LEADER_PAUSE_S = 0.1
_BOUNDED = {"operation_timeout": ANSWER_TIMEOUT_S, "request_timeout": ANSWER_TIMEOUT_S}


@dataclass(frozen=True, slots=True)
class ClusterTopics:
    """How many brokers there are, and each topic's number of partitions."""

    brokers: int
    partitions: Mapping[str, int]


def cluster_topics(*, timeout_s: float = ANSWER_TIMEOUT_S) -> ClusterTopics:
    """The cluster as it is. Raises BrokerUnavailable."""
    try:
        cluster = _admin().list_topics(timeout=timeout_s)
    except KafkaException as error:
        raise unavailable(error) from error
    return ClusterTopics(
        brokers=len(cluster.brokers),
        partitions={plain_topic(name): len(topic.partitions) for name, topic in cluster.topics.items()},
    )


def broker_is_ready(topics: Collection[str] = (), *, timeout_s: float = READY_TIMEOUT_S) -> bool:
    """Whether the broker answers in time and has the topics."""
    try:
        return cluster_topics(timeout_s=timeout_s).partitions.keys() >= set(topics)
    except ConnectionError:
        return False


def require_topics(topics: Collection[str]) -> ClusterTopics:
    """The cluster, where it has the topics. Raises TopicMissing, BrokerUnavailable.

    A group waits for a missing topic without a word; so somebody has to ask.
    """
    cluster = cluster_topics()
    missing = [wire_topic(topic) for topic in topics if topic not in cluster.partitions]
    if missing:
        raise TopicMissing(f"the cluster has no topic {', '.join(missing)}: run manage.py ensure_topics")
    return cluster


def create_topics(
    topics: Iterable[str], *, partitions: int, replication_factor: int, config: Mapping[str, Mapping[str, str]]
) -> None:
    """Create the topics, each with its own configuration; one that is there already stays as it is.

    Raises BrokerUnavailable.
    """
    wanted = [
        NewTopic(wire_topic(topic), partitions, replication_factor, config=dict(config[topic])) for topic in topics
    ]
    if not wanted:
        return
    for future in _admin().create_topics(wanted, **_BOUNDED).values():
        try:
            future.result()
        except KafkaException as error:
            if error_of(error).code() != TOPIC_EXISTS:
                raise unavailable(error) from error
    # The controller has them; the brokers hear of them a moment later, and whoever asked before would not find them.
    deadline = time.monotonic() + ANSWER_TIMEOUT_S
    while not cluster_topics().partitions.keys() >= {plain_topic(topic.topic) for topic in wanted}:
        if time.monotonic() > deadline:
            raise BrokerUnavailable("the topics are made, and the broker does not show them yet")
        time.sleep(LEADER_PAUSE_S)


def topic_settings(topics: Collection[str]) -> dict[str, dict[str, str]]:
    """The configuration in force of each topic. Raises BrokerUnavailable."""
    resources = [ConfigResource(ResourceType.TOPIC, wire_topic(topic)) for topic in topics]
    found: dict[str, dict[str, str]] = {}
    for resource, future in (
        _admin().describe_configs(resources, request_timeout=ANSWER_TIMEOUT_S).items() if resources else ()
    ):
        try:
            found[plain_topic(resource.name)] = {name: str(entry.value) for name, entry in future.result().items()}
        except KafkaException as error:
            raise unavailable(error) from error
    return found


def topic_id(topic: str) -> str:
    """The broker's own id of the topic; "" where it gives none. Raises BrokerUnavailable."""
    described = _admin().describe_topics(TopicCollection([wire_topic(topic)]), request_timeout=ANSWER_TIMEOUT_S)
    try:
        given = described[wire_topic(topic)].result().topic_id
    except KafkaException as error:
        raise unavailable(error) from error
    return "" if given is None or given == Uuid(0, 0) else str(given)


def start_offsets(partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
    """The first offset each partition still has. Raises BrokerUnavailable."""
    return _offsets(partitions, OffsetSpec.earliest())  # type: ignore[no-untyped-call]


def end_offsets(partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
    """The offset each partition's next record will have. Raises BrokerUnavailable."""
    return _offsets(partitions, OffsetSpec.latest())  # type: ignore[no-untyped-call]


def delete_records(one: TopicPartition, before: int) -> None:
    """Drop a partition's records before an offset, for good. Raises BrokerUnavailable."""
    for future in _admin().delete_records([place_of(one, before)], **_BOUNDED).values():
        try:
            future.result()
        except KafkaException as error:
            raise unavailable(error) from error


def _offsets(partitions: Iterable[TopicPartition], which: OffsetSpec) -> dict[TopicPartition, int]:
    asked = {place_of(one): which for one in partitions}
    deadline = time.monotonic() + ANSWER_TIMEOUT_S
    while True:
        answers = _admin().list_offsets(asked, request_timeout=ANSWER_TIMEOUT_S) if asked else {}
        try:
            offsets = {partition_of(place): future.result().offset for place, future in answers.items()}
        except KafkaException as error:
            # Of a topic made this moment, not every broker knows its partitions' leaders yet.
            if error_of(error).code() not in NO_LEADER or time.monotonic() > deadline:
                raise unavailable(error) from error
            time.sleep(LEADER_PAUSE_S)
            continue
        # An answer that did not come in time is no error to librdkafka, but an offset below 0.
        if any(offset < 0 for offset in offsets.values()):
            raise BrokerUnavailable("the broker did not say in time where the topic begins and ends")
        return offsets


def read_topic(
    topic: str, *, records_max: int, newest: bool = False, timeout_s: float = ANSWER_TIMEOUT_S
) -> Iterator[Record]:
    """The oldest records of a topic, or its newest, as they stand now; no group is involved.

    Raises TopicMissing, BrokerUnavailable.
    """
    count = require_topics([topic]).partitions[topic]
    partitions = [TopicPartition(topic, number) for number in range(count)]
    ends = end_offsets(partitions)
    starts = start_offsets(partitions)
    if newest:
        starts = {one: max(start, ends[one] - records_max) for one, start in starts.items()}
    unread = {one for one in partitions if starts[one] < ends[one]}
    config = client_config(group_id="show_topic", enable_auto_commit=False, enable_partition_eof=True)
    client = Client(config, logger=log)
    records: list[Record] = []
    try:
        client.assign([place_of(one, starts[one]) for one in sorted(unread)])
        deadline = time.monotonic() + timeout_s
        while unread and time.monotonic() < deadline and (newest or len(records) < records_max):
            message = client.poll(0.2)
            if message is None:
                continue
            error = message.error()
            if error is not None and error.code() != PARTITION_EOF:
                raise unavailable(error)
            one = TopicPartition(topic, message.partition() or 0)
            if error is None:
                records.append(record_of(message))
            if error is not None or (message.offset() or 0) + 1 >= ends[one]:
                unread.discard(one)
    finally:
        client.close()
    if newest:
        records.sort(key=lambda record: (record.timestamp_ms, record.partition, record.offset))
        records = records[-records_max:]
    yield from records


_admins: dict[tuple[int, str], AdminClient] = {}
_making = threading.Lock()


def _admin() -> AdminClient:
    """The process's own; it keeps its connections."""
    known_by = os.getpid(), settings.KAFKA_BOOTSTRAP_SERVERS
    with _making:
        if known_by not in _admins:
            _admins.clear()
            _admins[known_by] = AdminClient(client_config(), logger=log)
        return _admins[known_by]
