"""The broker's contract over Apache Kafka: the only package that imports confluent_kafka.

Callers speak of topics and groups by their plain names. Here they get the prefixes KAFKA_TOPIC_PREFIX and
KAFKA_GROUP_PREFIX, so that several installations can share one cluster.
"""

from portfolio.streaming.kafka.admin import (
    ClusterTopics,
    broker_is_ready,
    cluster_topics,
    create_topics,
    read_topic,
    require_topics,
    topic_settings,
)
from portfolio.streaming.kafka.consumer import KafkaConsumer
from portfolio.streaming.kafka.producer import KafkaProducer, shared_producer

__all__ = [
    "ClusterTopics",
    "KafkaConsumer",
    "KafkaProducer",
    "broker_is_ready",
    "cluster_topics",
    "create_topics",
    "read_topic",
    "require_topics",
    "shared_producer",
    "topic_settings",
]
