"""The servers of the devstack, started and killed for real: nothing committed or acknowledged may be lost."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from portfolio.devstack import DevStack, DevStackError, addresses
from portfolio.devstack.processes import processes_in

SERVERS = {"postgres": "postgres", "kafka": "java"}
TOPIC = "raw_transactions"
CLIENT_TIMEOUT_S = 20.0
LEFT_BEHIND_TIMEOUT_S = 30.0
OWNER = """
import sys, time
from pathlib import Path
from portfolio.devstack import DevStack
with DevStack(Path(sys.argv[1])):
    print("ready", flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevStack]:
    with DevStack(tmp_path_factory.mktemp("stack") / "devstack") as running:
        write(running, "before everything")
        yield running


def write(stack: DevStack, text: str) -> None:
    """Commit the text to the database and have the broker acknowledge it."""
    with psycopg.connect(stack.database_url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS notes (text text)")
        connection.execute("INSERT INTO notes VALUES (%s)", [text])
    admin = AdminClient({"bootstrap.servers": stack.kafka_bootstrap_servers})
    if TOPIC not in admin.list_topics(timeout=CLIENT_TIMEOUT_S).topics:
        admin.create_topics([NewTopic(TOPIC, 1)])[TOPIC].result(CLIENT_TIMEOUT_S)
    errors: list[object] = []
    producer = Producer({"bootstrap.servers": stack.kafka_bootstrap_servers, "acks": "all"})
    producer.produce(TOPIC, text.encode(), on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(CLIENT_TIMEOUT_S) == 0
    assert errors == [None]


def rows(stack: DevStack) -> list[str]:
    with psycopg.connect(stack.database_url) as connection:
        return [text for (text,) in connection.execute("SELECT text FROM notes ORDER BY ctid")]


def records(stack: DevStack) -> list[str]:
    consumer = Consumer({"bootstrap.servers": stack.kafka_bootstrap_servers, "group.id": "test"})
    try:
        partition = TopicPartition(TOPIC, 0, 0)
        _, end = consumer.get_watermark_offsets(partition, timeout=CLIENT_TIMEOUT_S)
        consumer.assign([partition])
        return [(message.value() or b"").decode() for message in consumer.consume(end, CLIENT_TIMEOUT_S)]
    finally:
        consumer.close()


def left_behind(data_dir: Path) -> list[int]:
    return [process.pid for folder, name in SERVERS.items() for process in processes_in(data_dir / folder, name)]


def kill(stack: DevStack, folder: str) -> None:
    """kill -9 the server itself; PostgreSQL's children are left to notice it."""
    server = next(
        process for process in processes_in(stack.data_dir / folder, SERVERS[folder]) if process.ppid() == os.getpid()
    )
    server.kill()
    server.wait(LEFT_BEHIND_TIMEOUT_S)


@contextmanager
def owned_by_another_process(data_dir: Path) -> Iterator[None]:
    """The servers run while inside, and their owner is killed by -9 at the end."""
    with subprocess.Popen([sys.executable, "-c", OWNER, str(data_dir)], stdout=subprocess.PIPE) as owner:
        try:
            assert owner.stdout is not None
            assert owner.stdout.readline() == b"ready\n"
            yield
        finally:
            owner.kill()


def settings(stack: DevStack, *names: str) -> list[str]:
    with psycopg.connect(stack.database_url) as connection:
        return [str(connection.execute(f"SHOW {name}").fetchone()[0]) for name in names]  # type: ignore[index]


def test_the_database_is_made_for_the_project(stack: DevStack) -> None:
    assert settings(stack, "server_version_num")[0].startswith("18")
    assert settings(stack, "fsync", "data_checksums", "jit", "timezone", "server_encoding", "max_wal_size") == [
        "on",
        "on",
        "off",
        "UTC",
        "UTF8",
        "4GB",
    ]
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE test_portfolio")
        connection.execute("DROP DATABASE test_portfolio")
        by_code_point = connection.execute("SELECT array_agg(t ORDER BY t) FROM unnest('{b,A,a,B}'::text[]) t")
        assert by_code_point.fetchone() == (["A", "B", "a", "b"],)


def test_no_one_gets_in_without_the_password(stack: DevStack) -> None:
    wrong = stack.database_url.replace("portfolio:", "portfolio:x")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)
    superuser = stack.database_url.replace("//portfolio:", "//postgres:")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(superuser)


def test_psql_is_there_for_dbshell(stack: DevStack) -> None:
    psql = [str(stack.postgres_bin / "psql"), stack.database_url, "-Atc", "SELECT 6 * 7"]
    assert subprocess.run(psql, capture_output=True, text=True, check=True).stdout == "42\n"


def test_a_misspelt_topic_is_not_made(stack: DevStack) -> None:
    admin = AdminClient({"bootstrap.servers": stack.kafka_bootstrap_servers})
    assert admin.list_topics("raw_transaction", timeout=CLIENT_TIMEOUT_S).topics["raw_transaction"].error is not None


def test_consumer_groups_of_both_protocols_work(stack: DevStack) -> None:
    for protocol in ("classic", "consumer"):
        consumer = Consumer(
            {
                "bootstrap.servers": stack.kafka_bootstrap_servers,
                "group.id": f"test-{protocol}",
                "group.protocol": protocol,
                "auto.offset.reset": "earliest",
            }
        )
        consumer.subscribe([TOPIC])
        messages = consumer.consume(1, CLIENT_TIMEOUT_S)
        consumer.close()
        assert [message.value() for message in messages] == [b"before everything"]


def test_a_second_terminal_finds_the_addresses(stack: DevStack) -> None:
    assert addresses(stack.data_dir) == {
        "DATABASE_URL": stack.database_url,
        "KAFKA_BOOTSTRAP_SERVERS": stack.kafka_bootstrap_servers,
    }
    assert stat.S_IMODE((stack.data_dir / "stack.env").stat().st_mode) == 0o600


def test_a_folder_has_one_owner(stack: DevStack) -> None:
    with pytest.raises(DevStackError, match=f"in use by process {os.getpid()}"):
        DevStack(stack.data_dir).start()


@pytest.mark.parametrize(("folder", "name"), [("postgres", "PostgreSQL"), ("kafka", "Apache Kafka")])
def test_a_killed_server_comes_back_with_all_it_had(stack: DevStack, folder: str, name: str) -> None:
    before = (stack.database_url, stack.kafka_bootstrap_servers)
    write(stack, f"before {name} was killed")
    kept = rows(stack), records(stack)
    assert stack.revive() == []

    kill(stack, folder)

    assert stack.revive() == [name]
    assert (stack.database_url, stack.kafka_bootstrap_servers) == before
    assert (rows(stack), records(stack)) == kept
    write(stack, f"after {name} was killed")


def test_two_stacks_run_side_by_side(stack: DevStack, tmp_path: Path) -> None:
    with DevStack(tmp_path / "other") as other:
        write(other, "elsewhere")
        assert rows(other) == records(other) == ["elsewhere"]
        assert "elsewhere" not in rows(stack)
        assert "elsewhere" not in records(stack)


def test_a_killed_owner_leaves_nothing_behind_and_loses_nothing(tmp_path: Path) -> None:
    data_dir = tmp_path / "owned by a process that dies, in a folder with a näme of more than 107 characters".ljust(
        110, "_"
    )
    with owned_by_another_process(data_dir):
        found = addresses(data_dir)
        stack = DevStack(
            data_dir, database_url=found["DATABASE_URL"], kafka_bootstrap_servers=found["KAFKA_BOOTSTRAP_SERVERS"]
        )
        write(stack, "before the owner was killed")

    assert addresses(data_dir) == {}
    if sys.platform == "linux":
        deadline = time.monotonic() + LEFT_BEHIND_TIMEOUT_S
        while left_behind(data_dir) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert left_behind(data_dir) == []
    with DevStack(data_dir) as again:
        assert rows(again) == records(again) == ["before the owner was killed"]


def test_a_new_owner_ends_what_the_old_one_left(tmp_path: Path) -> None:
    with owned_by_another_process(tmp_path):
        assert left_behind(tmp_path)
    with DevStack(tmp_path) as again:  # at once: the old servers may still be on their way out
        write(again, "in new hands")
        assert rows(again) == records(again) == ["in new hands"]
    assert left_behind(tmp_path) == []


def test_the_command_line_runs_without_django(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "portfolio.devstack", "run", "--data-dir", str(tmp_path / "demo")]
    lines = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.strip())
            if line.startswith("Ctrl-C"):
                process.terminate()
    assert process.returncode == 0
    assert {line.split("=")[0] for line in lines if "=" in line} >= {"DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS"}
    assert left_behind(tmp_path / "demo") == []


def test_stopping_twice_and_starting_again_is_fine(tmp_path: Path) -> None:
    stack = DevStack(tmp_path, kafka_bootstrap_servers="broker.example:9092")
    with stack:
        first = stack.database_url
    stack.stop()
    assert not (tmp_path / "stack.env").exists()
    with stack:
        assert stack.database_url == first
        assert settings(stack, "fsync") == ["on"]
