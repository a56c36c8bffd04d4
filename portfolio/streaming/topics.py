"""The topics as the settings want them, and their making.

Raw topics hold what cannot be made again and keep it without limit; the others are made from the ledger at any time and
keep their records for DERIVED_TOPIC_RETENTION_HOURS. A topic that exists is never changed here: more partitions would
send a key's later records past its earlier ones, and other settings are the operator's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.conf import settings

from portfolio.streaming.broker import BrokerUnavailable
from portfolio.streaming.kafka import ClusterTopics, cluster_topics, create_topics, topic_settings
from portfolio.streaming.kafka.producer import RECORD_BYTES_FACTOR
from portfolio.streaming.messages import RAW_TOPICS, TOPICS

RAW_RECORD_BYTES_FACTOR = 2
BATCH_BYTES = 1_048_588
"""A client's batch of small records has up to this size, whatever a record may have."""
START_PAUSE_S = 0.5


class TopicsRefused(ValueError):
    """The settings ask for what this cluster cannot give; the message is a sentence for the operator."""


@dataclass(frozen=True, slots=True)
class TopicsEnsured:
    """What was created, and one line for each difference of what was there already."""

    created: tuple[str, ...]
    differences: tuple[str, ...]


def ensure_topics(*, wait_s: float, on_wait: Callable[[str], None] = lambda _reason: None) -> TopicsEnsured:
    """Create the topics that are missing, and compare the others.

    Waits up to `wait_s` seconds for a broker that is still starting, telling `on_wait` once why. Raises TopicsRefused,
    BrokerUnavailable.
    """
    cluster = _cluster_when_it_answers(wait_s=wait_s, on_wait=on_wait)
    _require_brokers(cluster.brokers)
    missing = [topic for topic in TOPICS if topic not in cluster.partitions]
    wanted = {topic: wanted_settings(topic) for topic in TOPICS}
    create_topics(
        missing,
        partitions=settings.TOPIC_PARTITIONS,
        replication_factor=settings.TOPIC_REPLICATION_FACTOR,
        config=wanted,
    )
    there = [topic for topic in TOPICS if topic not in missing]
    found = topic_settings(there)
    differences = [_fewer_partitions(topic, cluster.partitions[topic]) for topic in there]
    differences += [line for topic in there for line in _differences(topic, wanted[topic], found[topic])]
    return TopicsEnsured(tuple(missing), tuple(filter(None, differences)))


def wanted_settings(topic: str) -> dict[str, str]:
    """A topic's configuration: how long it keeps records, how large they may be, how many replicas acknowledge."""
    is_raw = topic in RAW_TOPICS
    factor = RAW_RECORD_BYTES_FACTOR if is_raw else RECORD_BYTES_FACTOR
    return {
        "cleanup.policy": "delete",
        "retention.ms": "-1" if is_raw else str(settings.DERIVED_TOPIC_RETENTION_HOURS * 3_600_000),
        "retention.bytes": "-1",
        "max.message.bytes": str(max(BATCH_BYTES, factor * settings.RECORD_BYTES_MAX)),
        "min.insync.replicas": str(settings.TOPIC_MIN_INSYNC_REPLICAS),
    }


def _cluster_when_it_answers(*, wait_s: float, on_wait: Callable[[str], None]) -> ClusterTopics:
    deadline = time.monotonic() + wait_s
    has_told = False
    while True:
        left_s = deadline - time.monotonic()
        try:
            return cluster_topics(timeout_s=max(1.0, min(10.0, left_s)))
        except BrokerUnavailable as error:
            if left_s <= 0:
                raise
            if not has_told:
                on_wait(str(error))
                has_told = True
            time.sleep(START_PAUSE_S)


def _require_brokers(brokers: int) -> None:
    replicas, in_sync = settings.TOPIC_REPLICATION_FACTOR, settings.TOPIC_MIN_INSYNC_REPLICAS
    if replicas > brokers:
        raise TopicsRefused(
            f"TOPIC_REPLICATION_FACTOR is {replicas}, and the cluster has {brokers} broker{'s' * (brokers != 1)}: "
            f"set it to {brokers} or less (and TOPIC_MIN_INSYNC_REPLICAS no higher), or add brokers"
        )
    if in_sync > replicas:
        raise TopicsRefused(
            f"TOPIC_MIN_INSYNC_REPLICAS is {in_sync} and TOPIC_REPLICATION_FACTOR {replicas}: "
            "nothing could ever be written"
        )


def _fewer_partitions(topic: str, partitions: int) -> str:
    if partitions >= settings.TOPIC_PARTITIONS:
        return ""
    return (
        f"{topic} has {partitions} partitions, TOPIC_PARTITIONS asks for {settings.TOPIC_PARTITIONS}: "
        "let the consumers drain it before adding any"
    )


def _differences(topic: str, wanted: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    return [
        f"{topic} has {name}={found.get(name)}, the settings ask for {value}; it is left as it is"
        for name, value in wanted.items()
        if found.get(name) != value
    ]
