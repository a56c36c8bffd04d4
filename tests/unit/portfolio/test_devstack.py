"""The devstack without a server: what is decided, checked and refused before one starts."""

from __future__ import annotations

import importlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from portfolio.devstack import DevStack, DevStackError, addresses, jars, postgres
from portfolio.devstack.processes import LOOPBACK, PORTS, end_processes_in, kept_port, processes_in, take_lock

SLEEPER = "import sys, time; print('up', flush=True); time.sleep(60)"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "portfolio-devstack"


@contextmanager
def asleep_in(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    folder.mkdir()
    with subprocess.Popen([sys.executable, "-c", SLEEPER], cwd=folder, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def pretend_to_download(monkeypatch: pytest.MonkeyPatch, answer: Callable[[Path], None]) -> None:
    """Stand in for the one call that goes over the network."""
    resolver = importlib.import_module("jgo.maven").PythonResolver

    def download(_: object, artifact: object) -> Path:
        path: Path = artifact.cached_path  # type: ignore[attr-defined]
        path.parent.mkdir(parents=True, exist_ok=True)
        answer(path)
        return path

    monkeypatch.setattr(resolver, "download", download)


def test_servers_of_your_own_are_passed_through_and_nothing_is_started(tmp_path: Path) -> None:
    yours = DevStack(
        tmp_path, database_url="postgresql://db.example/portfolio", kafka_bootstrap_servers="broker.example:9092"
    )
    with yours as stack:
        assert stack.database_url == "postgresql://db.example/portfolio"
        assert stack.kafka_bootstrap_servers == "broker.example:9092"
        assert addresses(tmp_path)["DATABASE_URL"] == stack.database_url
        assert stack.revive() == []
        assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", "stack.env"]
    assert addresses(tmp_path) == {}


def test_addresses_left_by_a_dead_owner_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("process 1\n")
    (tmp_path / "stack.env").write_text("DATABASE_URL=postgresql://gone\n")
    assert addresses(tmp_path) == {}


def test_a_port_is_kept_while_it_is_free(tmp_path: Path) -> None:
    path = tmp_path / "port"
    port = kept_port(path)
    assert port in PORTS
    assert kept_port(path) == port
    with socket.socket() as taken:
        taken.bind((LOOPBACK, port))
        taken.listen()
        other = kept_port(path)
    assert other != port
    assert kept_port(path) == other


def test_a_lock_names_its_holder(tmp_path: Path) -> None:
    with take_lock(tmp_path / "lock"), pytest.raises(DevStackError, match=f"in use by process {os.getpid()}"):
        take_lock(tmp_path / "lock", wait_s=0)
    take_lock(tmp_path / "lock", wait_s=0).close()


def test_only_processes_of_the_folder_and_the_name_are_ended(tmp_path: Path) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    with asleep_in(here) as ours, asleep_in(elsewhere) as foreign:
        name = psutil.Process(ours.pid).name()
        assert [process.pid for process in processes_in(here, name)] == [ours.pid]

        end_processes_in(here, "another name", signal.SIGTERM, patience_s=1)
        assert ours.poll() is None
        end_processes_in(here, name, signal.SIGTERM, patience_s=1)
        assert processes_in(here, name) == []
        assert foreign.poll() is None


def test_the_lock_file_holds_every_jar_by_its_hash_and_no_address() -> None:
    maven = importlib.import_module("portfolio.devstack.maven")
    text = jars.LOCK.read_text()
    assert text.count("[[dependencies]]") == text.count("sha256") > 40
    assert "://" not in text
    assert "classifier" not in text
    assert all(len(jar.sha256) == 64 for jar in jars.locked())
    for root in maven.ROOTS:
        group, artifact, version = root.split(":")
        assert f'groupId = "{group}"\nartifactId = "{artifact}"\nversion = "{version}"' in text


def test_a_jar_with_other_content_is_refused_and_not_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def something_else(path: Path) -> None:
        path.write_bytes(b"something else")

    pretend_to_download(monkeypatch, something_else)
    with pytest.raises(DevStackError, match=r"is not the file that jgo\.lock\.toml names .* delete it"):
        jars.class_path(print, threading.Event())
    assert list(cache.rglob("*.jar")) == []


def test_a_jar_changed_in_the_cache_is_refused(cache: Path) -> None:
    for jar in jars.locked():
        jar.within(cache / "repository").parent.mkdir(parents=True, exist_ok=True)
        jar.within(cache / "repository").write_bytes(b"changed")
    with pytest.raises(DevStackError, match=r"kafka_2\.13-4\.3\.1\.jar is not the file"):
        jars.class_path(print, threading.Event())


@pytest.mark.usefixtures("cache")
def test_no_network_is_one_sentence_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(_: Path) -> None:
        raise ConnectionError("no route")

    pretend_to_download(monkeypatch, unreachable)
    lines: list[str] = []
    with pytest.raises(DevStackError, match="set KAFKA_BOOTSTRAP_SERVERS to a broker of your own"):
        jars.class_path(lines.append, threading.Event())
    assert lines == ["fetching Apache Kafka 4.3.1 (46 files, once)…"]


def test_a_missing_wheel_is_one_sentence_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "WHEEL", "no_such_wheel")
    with pytest.raises(DevStackError, match=r"install the extra \[devstack\], or set DATABASE_URL"):
        postgres.binaries()


def test_a_small_machine_gives_postgresql_less_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    for memory_mb, buffers_mb in [(1024, 128), (64 * 1024, 512)]:
        pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": memory_mb * 256}
        monkeypatch.setattr(os, "sysconf", pages.__getitem__)
        assert postgres.shared_buffers_mb() == buffers_mb
