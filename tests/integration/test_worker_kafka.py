"""Workers over the real broker and the real database: servers that go away, signals, exit codes, the operator's commands."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from io import StringIO
from typing import Any
from urllib.request import urlopen

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, transaction

from portfolio.models import DeadLetter, StoppedWorker
from portfolio.operations import stop_worker
from portfolio.streaming.broker import Outgoing
from portfolio.streaming.commands import ConsumerCommand
from portfolio.streaming.kafka import KafkaProducer, cluster_topics, topic_settings
from portfolio.streaming.messages import TOPICS, PositionCalculation, RawTransaction, TransactionsRecorded, encode
from portfolio.streaming.topics import TopicsRefused, ensure_topics
from portfolio.streaming.worker import Handled, Publication, Received
from tests.working import NOW, deposit, keep, kept

pytestmark = pytest.mark.django_db(transaction=True)

TOPIC = RawTransaction.TOPIC


one_protocol = pytest.mark.parametrize("topics", ["classic"], indirect=True)


@pytest.fixture(params=["classic", "consumer"])
def topics(request: pytest.FixtureRequest, settings: Any, kafka_bootstrap_servers: str) -> None:
    """Topics of this test alone."""
    settings.KAFKA_BOOTSTRAP_SERVERS = kafka_bootstrap_servers
    settings.KAFKA_GROUP_PROTOCOL = request.param
    settings.KAFKA_TOPIC_PREFIX = settings.KAFKA_GROUP_PREFIX = f"worker-{uuid.uuid4().hex[:8]}."
    settings.TOPIC_REPLICATION_FACTOR = settings.TOPIC_MIN_INSYNC_REPLICAS = 1
    settings.TOPIC_PARTITIONS = 2
    settings.RETRY_PAUSE_S = 0.05
    ensure_topics(wait_s=30)


def publish(*portfolio_ids: str) -> None:
    messages = [deposit(portfolio_id) for portfolio_id in portfolio_ids]
    send(*(Outgoing(TOPIC, message.key, encode(message), {"request_id": "r-1"}) for message in messages))


def send(*records: Outgoing) -> None:
    with KafkaProducer() as producer:
        producer.publish(records)


class Keeper(ConsumerCommand):
    """The keeper of `tests.working`, as a command."""

    group = "keeper"
    topics = (TOPIC,)

    def handle_batch(self, received: Sequence[Received]) -> Handled:
        return keep(received)


def once(command: ConsumerCommand) -> None:
    call_command(command, once=True)


def shown(topic: str, **options: Any) -> str:
    out = StringIO()
    call_command("show_topic", topic, stdout=out, stderr=StringIO(), **options)
    return out.getvalue()


@pytest.mark.usefixtures("topics")
def test_what_is_published_is_kept_announced_and_not_read_again() -> None:
    publish(*(f"P{number:02}" for number in range(40)))
    once(Keeper())
    assert kept() == [f"P{number:02}" for number in range(40)]
    announced = shown(TransactionsRecorded.TOPIC, max_messages=100)
    assert announced.count("request_id: r-1") == 40

    class Again(Keeper):
        def handle_batch(self, received: Sequence[Received]) -> Handled:
            raise AssertionError(f"{len(received)} records came again")

    once(Again())


@pytest.mark.usefixtures("topics")
def test_a_database_that_cuts_the_connection_costs_nothing() -> None:
    publish("P1", "P2")
    cuts = 2

    class Cut(Keeper):
        def handle_batch(self, received: Sequence[Received]) -> Handled:
            nonlocal cuts
            handled = keep(received)
            if cuts:
                cuts -= 1
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
            return handled

    once(Cut())
    assert cuts == 0
    assert kept() == ["P1", "P2"]
    assert shown(TransactionsRecorded.TOPIC).count("request_id") == 2


@pytest.mark.usefixtures("topics")
def test_a_fault_of_the_program_commits_nothing_and_the_next_start_does_it_all() -> None:
    publish("P1", "P2", "P3")

    class Broken(Keeper):
        def handle_batch(self, received: Sequence[Received]) -> Handled:
            keep(received)
            raise ZeroDivisionError("a fault of the program")

    with pytest.raises(CommandError, match="keeper: ZeroDivisionError") as raised:
        once(Broken())
    assert raised.value.returncode == 1
    assert kept() == []
    once(Keeper())
    assert kept() == ["P1", "P2", "P3"]


@pytest.mark.usefixtures("topics")
def test_a_bad_deployment_stops_and_an_operator_lets_it_go_on(settings: Any) -> None:
    settings.UNDECODABLE_IN_A_ROW_MAX = 3
    send(*(Outgoing(TOPIC, "P1", b"from a newer deployment") for _ in range(5)))
    with pytest.raises(CommandError, match="4 records in a row") as raised:
        once(Keeper())
    assert raised.value.returncode == 3
    assert DeadLetter.objects.count() == 4
    with pytest.raises(CommandError, match=r"manage\.py dead_letters --resume keeper") as raised:
        once(Keeper())
    assert raised.value.returncode == 3
    call_command("dead_letters", resume="keeper", stdout=StringIO())
    assert not StoppedWorker.objects.exists()
    once(Keeper())
    assert DeadLetter.objects.count() == 5
    with pytest.raises(CommandError, match="had not stopped"):
        call_command("dead_letters", resume="keeper", stdout=StringIO())


@one_protocol
@pytest.mark.usefixtures("topics")
def test_letters_are_listed_retried_and_discarded() -> None:
    good = deposit("P1")
    send(Outgoing(TOPIC, "WRONG", encode(good)), Outgoing(TOPIC, "P2", b"bold nonsense"))
    once(Keeper())
    nonsense, wrong_key = DeadLetter.objects.order_by("code")
    assert (wrong_key.code, wrong_key.portfolio_id) == ("WRONG_KEY", "P1")
    assert (nonsense.code, nonsense.portfolio_id) == ("MALFORMED", "P2")
    assert wrong_key.topic_id

    out = StringIO()
    call_command("dead_letters", stdout=out, stderr=StringIO())
    assert "2 of 2 letters" in out.getvalue()
    call_command("dead_letters", retry=[wrong_key.pk], stdout=StringIO())
    call_command("dead_letters", discard=[nonsense.pk], stdout=StringIO())
    once(Keeper())
    assert kept() == ["P1"], "it was published again under the key it should have had"
    assert set(DeadLetter.objects.values_list("status", flat=True)) == {"RETRIED", "DISCARDED"}
    for what in ({"retry": [wrong_key.pk]}, {"discard": [nonsense.pk]}, {"retry": [0]}):
        with pytest.raises(CommandError):
            call_command("dead_letters", stdout=StringIO(), **what)


@one_protocol
@pytest.mark.usefixtures("topics")
def test_a_calculators_own_transactions_are_its_own() -> None:
    message = PositionCalculation(portfolio_id="P1", requested_seq=1)
    send(Outgoing(message.TOPIC, message.key, encode(message)))
    seen: list[bool] = []

    class Calculator(ConsumerCommand):
        group = "calculator"
        topics = (PositionCalculation.TOPIC,)
        transactional = False
        batch_records_max = 10

        def handle_batch(self, received: Sequence[Received]) -> Handled:
            seen.append(connection.in_atomic_block)
            return Handled([Publication(one.message, one.record) for one in received][:0])

    once(Calculator())
    assert seen == [False]


@one_protocol
@pytest.mark.usefixtures("topics")
def test_records_are_shown_as_a_person_reads_them() -> None:
    send(Outgoing(TOPIC, "P1", b"\x1b[31mred\xff"), Outgoing(TOPIC, "P1", b"second"), Outgoing(TOPIC, "P1", b"third"))
    text = shown(TOPIC, max_messages=2)
    assert "\x1b" not in text
    assert "\\x1b[31mred\\xff" in text
    assert "key P1" in text
    assert "third" not in text
    newest = shown(TOPIC, max_messages=1, newest=True)
    assert "third" in newest
    assert "second" not in newest
    with pytest.raises(CommandError, match="ensure_topics"):
        shown("no_such_topic")


@one_protocol
@pytest.mark.usefixtures("topics")
def test_topics_are_made_once_and_never_changed(settings: Any) -> None:
    assert cluster_topics().partitions.keys() >= set(TOPICS)
    raw, derived = topic_settings([TOPIC, TransactionsRecorded.TOPIC]).values()
    assert raw["retention.ms"] == "-1"
    assert derived["retention.ms"] == str(settings.DERIVED_TOPIC_RETENTION_HOURS * 3_600_000)
    assert int(derived["max.message.bytes"]) == 4 * settings.RECORD_BYTES_MAX

    settings.TOPIC_PARTITIONS = 4
    settings.DERIVED_TOPIC_RETENTION_HOURS += 1
    out, err = StringIO(), StringIO()
    call_command("ensure_topics", stdout=out, stderr=err)
    assert "all topics are there" in out.getvalue()
    assert f"{TOPIC} has 2 partitions" in err.getvalue()
    assert f"{TransactionsRecorded.TOPIC} has retention.ms" in err.getvalue()
    assert cluster_topics().partitions[TOPIC] == 2


@one_protocol
@pytest.mark.usefixtures("topics")
def test_more_replicas_than_brokers_are_refused_with_a_sentence(settings: Any) -> None:
    settings.TOPIC_REPLICATION_FACTOR = 50
    with pytest.raises(TopicsRefused, match="TOPIC_REPLICATION_FACTOR is 50, and the cluster has 1 broker:"):
        ensure_topics(wait_s=5)
    settings.TOPIC_REPLICATION_FACTOR, settings.TOPIC_MIN_INSYNC_REPLICAS = 1, 2
    with pytest.raises(TopicsRefused, match="nothing could ever be written"):
        ensure_topics(wait_s=5)


# --- as processes -------------------------------------------------------------------------------------------------


def started(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    """`manage.py`, with the settings and the database of this test."""
    database = connection.settings_dict
    env = {
        **os.environ,
        "DATABASE_URL": "postgresql://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**database),
        "KAFKA_BOOTSTRAP_SERVERS": django_settings.KAFKA_BOOTSTRAP_SERVERS,
        "KAFKA_GROUP_PROTOCOL": django_settings.KAFKA_GROUP_PROTOCOL,
        "KAFKA_TOPIC_PREFIX": django_settings.KAFKA_TOPIC_PREFIX,
        "KAFKA_GROUP_PREFIX": django_settings.KAFKA_GROUP_PREFIX,
        "LOG_LEVEL": "INFO",
        "METRICS_PORT": "0",
        **environment,
    }
    command = [sys.executable, str(django_settings.BASE_DIR / "manage.py"), *arguments]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.usefixtures("topics")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_worker_cleanly(number: signal.Signals) -> None:
    process = started("consume_transactions")
    assert process.stderr is not None
    for line in process.stderr:
        if "assigned" in line:
            break
    sent_at = time.monotonic()
    process.send_signal(number)
    _, errors = process.communicate(timeout=15)
    assert process.returncode == 0, errors
    assert time.monotonic() - sent_at < django_settings.SHUTDOWN_TIMEOUT_S
    assert "Traceback" not in errors


@one_protocol
@pytest.mark.usefixtures("topics")
def test_a_stopped_group_ends_with_exit_code_3_and_one_line() -> None:
    stop_worker(group="consume_transactions", reason="a bad deployment", at=NOW)
    process = started("consume_transactions", "--once")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "a bad deployment" in errors.splitlines()[-1]
    assert "--resume consume_transactions" in errors.splitlines()[-1]


@one_protocol
@pytest.mark.usefixtures("topics")
def test_a_worker_without_topics_ends_with_exit_code_1_and_one_line(settings: Any) -> None:
    settings.KAFKA_TOPIC_PREFIX = "nobody-made-these."
    process = started("consume_transactions", "--once")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "ensure_topics" in errors.splitlines()[-1]


@one_protocol
@pytest.mark.usefixtures("topics")
def test_a_worker_that_is_stuck_abandons_its_batch_in_time_and_it_comes_again() -> None:
    publish("P1")
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE portfolio_changes IN ACCESS EXCLUSIVE MODE")
        process = started("consume_transactions")
        wait_until_somebody_waits_for_a_lock()
        sent_at = time.monotonic()
        process.terminate()
        _, errors = process.communicate(timeout=15)
        assert time.monotonic() - sent_at < django_settings.SHUTDOWN_TIMEOUT_S
    assert process.returncode == 0, errors
    process = started("consume_transactions", "--once")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert kept() == ["P1"]


def wait_until_somebody_waits_for_a_lock() -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone() != (0,):
                return
        time.sleep(0.1)
    raise AssertionError("nobody waits")


@one_protocol
@pytest.mark.usefixtures("topics")
def test_metrics_are_served_while_a_worker_runs() -> None:
    publish("P1")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = started("consume_transactions", METRICS_PORT=str(port))
    text = ""
    deadline = time.monotonic() + 30
    while 'portfolio_records_handled_total{group="consume_transactions"} 1.0' not in text:
        assert time.monotonic() < deadline, text
        with suppress(OSError), urlopen(f"http://127.0.0.1:{port}/metrics", timeout=2) as answer:
            text = answer.read().decode()
        time.sleep(0.1)
    process.terminate()
    process.communicate(timeout=15)
    assert 'portfolio_consumer_lag_records{group="consume_transactions",partition=' in text
