"""The Kafka clients where no broker answers, their configuration and names."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from portfolio.streaming.broker import BrokerUnavailable, Outgoing, Record, RecordTooLarge, TopicPartition
from portfolio.streaming.kafka import KafkaConsumer, KafkaProducer, broker_is_ready, cluster_topics
from portfolio.streaming.kafka.client import client_config, member_config
from portfolio.streaming.kafka.names import place_of, plain_topic, wire_group, wire_topic
from portfolio.streaming.kafka.share import UNKNOWN, Share

ONE, OTHER = TopicPartition("t", 0), TopicPartition("t", 1)


@pytest.fixture
def nobody(settings: Any) -> None:
    """An address where nobody listens."""
    settings.KAFKA_BOOTSTRAP_SERVERS = "127.0.0.1:1"


@pytest.mark.usefixtures("nobody")
def test_without_a_broker_a_publish_ends_in_time() -> None:
    with KafkaProducer(timeout_s=0.5) as producer:
        started = time.monotonic()
        with pytest.raises(BrokerUnavailable, match="did not acknowledge"):
            producer.publish([Outgoing("t", "k", b"1")] * 100)
        assert 0.3 < time.monotonic() - started < 2.5


@pytest.mark.usefixtures("nobody")
def test_many_threads_learn_it_each_for_itself() -> None:
    failures: list[BrokerUnavailable] = []

    def publish() -> None:
        try:
            producer.publish([Outgoing("t", "k", b"1")])
        except BrokerUnavailable as error:
            failures.append(error)

    with KafkaProducer(timeout_s=0.5) as producer:
        threads = [threading.Thread(target=publish) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=5)
    assert len(failures) == 16


@pytest.mark.usefixtures("nobody")
def test_a_record_no_topic_takes_is_refused_at_once(settings: Any) -> None:
    settings.RECORD_BYTES_MAX = 1_000_000
    with KafkaProducer(timeout_s=0.5) as producer, pytest.raises(RecordTooLarge):
        producer.publish([Outgoing("t", "k", b"x" * 5_000_000)])


@pytest.mark.usefixtures("nobody")
def test_without_a_broker_nothing_is_ready() -> None:
    assert not broker_is_ready(timeout_s=0.2)
    with pytest.raises(BrokerUnavailable):
        cluster_topics(timeout_s=0.2)


@pytest.mark.usefixtures("nobody")
def test_without_a_broker_nobody_joins() -> None:
    with pytest.raises(BrokerUnavailable):
        KafkaConsumer(["t"], "g")


def test_names_get_their_prefixes_in_the_cluster_only(settings: Any) -> None:
    settings.KAFKA_TOPIC_PREFIX, settings.KAFKA_GROUP_PREFIX = "eu.", "team-"
    assert wire_topic("raw_transactions") == "eu.raw_transactions"
    assert plain_topic("eu.raw_transactions") == "raw_transactions"
    assert wire_group("consume_transactions") == "team-consume_transactions"
    assert place_of(ONE, 5).topic == "eu.t"


def test_settings_for_security_pass_and_those_of_the_promises_stay(settings: Any) -> None:
    settings.KAFKA_CLIENT_CONFIG = {"security.protocol": "SASL_SSL", "enable.auto.commit": True}
    settings.KAFKA_GROUP_INSTANCE_ID = "worker-1"
    config = member_config("g")
    assert config["security.protocol"] == "SASL_SSL"
    assert config["enable.auto.commit"] is False
    assert config["auto.offset.reset"] == "error"
    assert config["group.instance.id"] == "worker-1"
    assert client_config(acks="all")["acks"] == "all"


def test_each_group_protocol_gets_its_own_settings(settings: Any) -> None:
    settings.KAFKA_GROUP_PROTOCOL = "classic"
    assert member_config("g")["partition.assignment.strategy"] == "cooperative-sticky"
    settings.KAFKA_GROUP_PROTOCOL = "consumer"
    assert "session.timeout.ms" not in member_config("g")


def test_what_is_given_up_leaves_what_is_held() -> None:
    share = Share()
    share.take_over([ONE, OTHER])
    share.hold([Record("t", 0, 5, b"k", b"v"), Record("t", 1, 8, b"k", b"v")])
    share.give_up([OTHER])
    assert [record.partition for record in share.give(10)] == [0]
    assert share.position(ONE) == 6
    assert share.position(OTHER) == UNKNOWN


def test_what_was_lost_while_it_was_fetched_is_not_held() -> None:
    share = Share()
    share.take_over([ONE])
    share.give_up([ONE])
    share.hold([Record("t", 0, 5, b"k", b"v")])
    assert share.held == 0


def test_the_end_may_lie_behind_the_last_record() -> None:
    share = Share()
    share.take_over([ONE])
    share.place(ONE, -2)
    assert share.position(ONE) == UNKNOWN
    share.end_seen(ONE, 7)
    assert share.position(ONE) == 7
