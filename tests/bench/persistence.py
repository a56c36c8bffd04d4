"""Kafka to committed rows, by the real consumer, against a plain COPY of the same rows into an identical table.

The COPY gets its batches in PostgreSQL's own binary format, ready-made: it costs the client nothing, so the ratio is to
what the database itself can do. Batches are as large as the consumer's, with one commit each.
"""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from statistics import median

import psycopg
from confluent_kafka import Consumer

from portfolio.streaming.broker import Outgoing
from portfolio.streaming.messages import RawTransaction, SubmittedTransaction, encode
from portfolio.validation import read
from tests.bench.figures import Findings, Sizes, a_second
from tests.bench.records import portfolio_ids, trades
from tests.bench.system import MANAGE, System

PORTFOLIOS = 1_000
PUBLISHED_AT_ONCE = 10_000
LOOK_INTERVAL_S = 0.02
POLLED_AT_ONCE = 5_000
PLAIN_TABLE = "plain_transactions"


@dataclass(frozen=True, slots=True)
class Consumed:
    """Rows a second: from the first commit to the last, and over the whole life of the process."""

    committing: float
    whole: float


def measure(system: System, sizes: Sizes) -> Findings:
    """Consume everything and COPY everything, in turns."""
    from django.conf import settings

    count = sizes.persistence_records
    system.fresh("persistence")
    _publish(count)
    consumed: list[Consumed] = []
    copied: list[float] = []
    polled: list[float] = []
    batches: list[bytes] = []
    for number in range(sizes.persistence_rounds):
        system.empty(["transactions", "portfolio_changes"])
        consumed.append(_consume(system, count, group_prefix=f"round{number}."))
        with psycopg.connect(system.env["DATABASE_URL"], autocommit=True) as database:
            batches = batches or _as_batches(database, count, settings.BATCH_RECORDS_MAX)
            copied.append(_copy(database, batches, count))
        polled.append(_poll(system, count, group=f"poller{number}"))
    copy = median(copied)
    findings = Findings(f"Kafka to committed rows: {count:,} transactions of {PORTFOLIOS:,} portfolios")
    findings.add("plain COPY of the same rows", a_second(*copied), "1")
    for name, rates in (
        ("consume_transactions, first to last commit", [one.committing for one in consumed]),
        ("consume_transactions, whole process", [one.whole for one in consumed]),
    ):
        ratio = median(rate / at_most for rate, at_most in zip(rates, copied, strict=True))
        findings.add(name, a_second(*rates), f"{ratio:.2f} of COPY")
    findings.add("a consumer that only polls", a_second(*polled), f"{median(polled) / copy:.1f} of COPY")
    return findings


def _publish(count: int) -> None:
    from portfolio.streaming.kafka import KafkaProducer

    portfolios = portfolio_ids(PORTFOLIOS)
    with KafkaProducer(linger_ms=5, timeout_s=60.0) as producer:
        outgoing: list[Outgoing] = []
        for number, trade in enumerate(trades(portfolios, count), start=1):
            submitted = read(SubmittedTransaction, trade.json())
            value = encode(RawTransaction(transaction=submitted, submitted_by="bench"))
            outgoing.append(Outgoing(RawTransaction.TOPIC, trade.portfolio_id, value, {"request_id": "bench"}))
            if len(outgoing) == PUBLISHED_AT_ONCE or number == count:
                producer.publish(outgoing)
                outgoing = []


def _consume(system: System, count: int, *, group_prefix: str) -> Consumed:
    env = os.environ | system.env | {"KAFKA_GROUP_PREFIX": group_prefix}
    started_at = time.perf_counter()
    first_rows = rows = 0
    first_at = last_at = started_at
    with subprocess.Popen([*MANAGE, "consume_transactions", "--once"], env=env) as process:
        while process.poll() is None:
            seen = system.ask("SELECT max(id) FROM transactions") or 0
            if seen != rows:
                rows, last_at = seen, time.perf_counter()
                first_rows, first_at = (first_rows, first_at) if first_rows else (rows, last_at)
            time.sleep(LOOK_INTERVAL_S)
        ended_at = time.perf_counter()
    if process.returncode:
        raise RuntimeError(f"consume_transactions ended with exit code {process.returncode}")
    kept = system.ask("SELECT count(*) FROM transactions")
    assert kept == count, f"{kept} rows of {count}"
    return Consumed((count - first_rows) / (last_at - first_at), count / (ended_at - started_at))


def _as_batches(database: psycopg.Connection[tuple[object, ...]], count: int, batch_records: int) -> list[bytes]:
    """The ledger's rows in the order they were kept, in the format that COPY reads fastest."""
    database.execute(f"DROP TABLE IF EXISTS {PLAIN_TABLE}")
    database.execute(f"CREATE TABLE {PLAIN_TABLE} (LIKE transactions INCLUDING ALL)")
    batches = []
    for start in range(0, count, batch_records):
        chosen = f"SELECT * FROM transactions WHERE id > {start} ORDER BY id LIMIT {batch_records}"
        with database.cursor().copy(f"COPY ({chosen}) TO STDOUT (FORMAT BINARY)") as copy:
            batches.append(b"".join(copy))
    return batches


def _copy(database: psycopg.Connection[tuple[object, ...]], batches: list[bytes], count: int) -> float:
    """Rows a second."""
    database.execute(f"TRUNCATE {PLAIN_TABLE}")
    started_at = time.perf_counter()
    for batch in batches:
        with database.cursor().copy(f"COPY {PLAIN_TABLE} FROM STDIN (FORMAT BINARY)") as copy:
            copy.write(batch)
    rate = count / (time.perf_counter() - started_at)
    answer = database.execute(f"SELECT count(*) FROM {PLAIN_TABLE}").fetchone()
    assert answer == (count,), answer
    return rate


def _poll(system: System, count: int, *, group: str) -> float:
    """Records a second, from the first batch to the last."""
    consumer = Consumer(
        {
            "bootstrap.servers": system.env["KAFKA_BOOTSTRAP_SERVERS"],
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([f"{system.env['KAFKA_TOPIC_PREFIX']}{RawTransaction.TOPIC}"])
    first = len(consumer.consume(1, 30.0))
    started_at = time.perf_counter()
    seen = first
    while seen < count:
        batch = consumer.consume(POLLED_AT_ONCE, 1.0)
        assert batch or time.perf_counter() - started_at < 60.0, f"{seen} records of {count}"
        seen += sum(message.error() is None for message in batch)
    rate = (seen - first) / (time.perf_counter() - started_at)
    consumer.close()
    return rate
