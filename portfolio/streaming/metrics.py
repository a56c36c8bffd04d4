"""What a worker measures, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import Counter, Gauge, Histogram, start_http_server

from portfolio.streaming.broker import TopicPartition

RECORDS = Counter("portfolio_records_handled_total", "Records whose offsets were committed", ["group"])
DEAD_LETTERS = Counter("portfolio_dead_letters_total", "Records set aside", ["group", "code"])
BATCH_RECORDS = Histogram(
    "portfolio_batch_records", "Records in a batch", ["group"], buckets=(1, 2, 5, 10, 50, 100, 500, 1000, 2500, 5000)
)
BATCH_SECONDS = Histogram(
    "portfolio_batch_seconds",
    "From the poll that gave the batch to the commit of its offsets",
    ["group"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
RETRIES = Counter("portfolio_retries_total", "Attempts that failed and were repeated", ["group", "error"])
HEARTBEAT = Gauge(
    "portfolio_heartbeat_timestamp_seconds",
    "When the worker last went round its loop, idle or not",
    ["group"],
    multiprocess_mode="mostrecent",
)
LAG = Gauge(
    "portfolio_consumer_lag_records",
    "Records still to be read",
    ["group", "topic", "partition"],
    # Of several processes the one that spoke last has the partition.
    multiprocess_mode="mostrecent",
)


def report_lag(group: str, lag: Mapping[TopicPartition, int]) -> None:
    """Show how far a member is behind."""
    for one, records in lag.items():
        LAG.labels(group, one.topic, str(one.partition)).set(records)


def forget_lag(group: str, partitions: Iterable[TopicPartition]) -> None:
    """The partitions are another member's to report now."""
    for one in partitions:
        LAG.labels(group, one.topic, str(one.partition)).set(0)


def serve_metrics(port: int) -> None:
    """Answer Prometheus on the port; 0 serves nothing. Raises OSError where the port is taken."""
    if port:
        start_http_server(port)
