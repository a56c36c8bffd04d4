"""How every Kafka client here is configured, and where librdkafka's own lines go."""

from __future__ import annotations

import logging
from typing import Any

from confluent_kafka import KafkaError
from django.conf import settings

from portfolio.streaming.kafka.names import wire_group

log = logging.getLogger("portfolio.streaming.kafka")

ANSWER_TIMEOUT_S = 10.0
SESSION_TIMEOUT_MS = 10_000
HEARTBEAT_INTERVAL_MS = 1_000
FETCH_WAIT_MS = 100
METADATA_INTERVAL_MS = 60_000


def client_config(**needed: Any) -> dict[str, Any]:
    """A client's configuration; `needed` (dots written as underscores) wins over KAFKA_CLIENT_CONFIG."""
    return {
        "client.id": "portfolio",
        "socket.nagle.disable": True,
        "reconnect.backoff.max.ms": 1000,
        "log.connection.close": False,
        **settings.KAFKA_CLIENT_CONFIG,
        "bootstrap.servers": settings.KAFKA_BOOTSTRAP_SERVERS,
        "error_cb": _report,
        **{name.replace("_", "."): value for name, value in needed.items()},
    }


def member_config(group_id: str) -> dict[str, Any]:
    """The configuration of a member of a group: no commit and no jump happens behind anyone's back."""
    config = client_config(
        group_id=wire_group(group_id),
        group_protocol=settings.KAFKA_GROUP_PROTOCOL,
        enable_auto_commit=False,
        enable_auto_offset_store=False,
        auto_offset_reset="error",
        enable_partition_eof=True,
        fetch_wait_max_ms=FETCH_WAIT_MS,
        topic_metadata_refresh_interval_ms=METADATA_INTERVAL_MS,
    )
    if settings.KAFKA_GROUP_PROTOCOL == "classic":
        # In KIP-848's protocol these are the broker's to say.
        config["partition.assignment.strategy"] = "cooperative-sticky"
        config["session.timeout.ms"] = SESSION_TIMEOUT_MS
        config["heartbeat.interval.ms"] = HEARTBEAT_INTERVAL_MS
    if settings.KAFKA_GROUP_INSTANCE_ID:
        config["group.instance.id"] = settings.KAFKA_GROUP_INSTANCE_ID
    return config


def _report(error: KafkaError) -> None:
    """Connections that break and heal by themselves; what cannot heal is raised by the call it concerns."""
    log.warning("kafka client: %s (%s)", error.str(), error.name())
