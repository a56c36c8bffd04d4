"""What the benches run on: servers of the run's own, the system's programs, and an empty database for each bench."""

from __future__ import annotations

import io
import os
import secrets
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from portfolio.devstack import DevStack
from portfolio.supervisor import Program, Supervisor

BASE_DIR = Path(__file__).resolve().parent.parent.parent
MANAGE = (sys.executable, str(BASE_DIR / "manage.py"))
LINES_KEPT = 60
LOOK_INTERVAL_S = 0.1


@dataclass(frozen=True, slots=True)
class Use:
    """Memory at most, in bytes, and processor time. What processes share (PostgreSQL's buffers) counts once."""

    private: int = 0
    shared: int = 0
    cpu_s: float = 0.0

    @property
    def memory(self) -> int:
        return self.private + self.shared


class System:
    """The servers of one run, and how the programs reach them. Made before Django reads its settings."""

    def __init__(self, stack: DevStack) -> None:
        self.metrics_dir = stack.data_dir / "metrics"
        self.metrics_dir.mkdir()
        self.lines: deque[str] = deque(maxlen=LINES_KEPT)
        """The last that the programs have said."""
        self.env = {
            "DATABASE_URL": stack.database_url,
            "KAFKA_BOOTSTRAP_SERVERS": stack.kafka_bootstrap_servers,
            "TOPIC_REPLICATION_FACTOR": "1",
            "TOPIC_MIN_INSYNC_REPLICAS": "1",
            "SECRET_KEY": secrets.token_urlsafe(50),
            "LOG_LEVEL": "WARNING",
        }
        os.environ.update(self.env, DJANGO_SETTINGS_MODULE="portfolio.settings")

    def fresh(self, name: str) -> None:
        """Start from nothing: empty tables, and topics and groups that nobody has seen."""
        from django.apps import apps
        from django.conf import settings
        from django.core.management import call_command

        self.empty([m._meta.db_table for app in _APPS for m in apps.get_app_config(app).get_models()])
        self.env |= {"KAFKA_TOPIC_PREFIX": f"{name}.", "KAFKA_GROUP_PREFIX": f"{name}."}
        settings.KAFKA_TOPIC_PREFIX = settings.KAFKA_GROUP_PREFIX = f"{name}."
        call_command("ensure_topics", stdout=io.StringIO())

    def empty(self, tables: Sequence[str]) -> None:
        """Empty these tables."""
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY")

    def ask(self, question: str, *parameters: Any) -> Any:
        """The first value of the first row of the answer; None where there is none."""
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(question, parameters)
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else None

    def api(self, port: int, *, application: str = "portfolio.wsgi:application", **env: str) -> Program:
        """The server as the image runs it, without a line a request."""
        granian = str(Path(sys.executable).with_name("granian"))
        options = "--interface wsgi --no-ws --workers 2 --blocking-threads 16 --log-level warning --no-access-log"
        metrics_dir = self.metrics_dir / str(port)
        metrics_dir.mkdir(exist_ok=True)
        return Program(
            f"api.{port}",
            (granian, *options.split(), "--host", "127.0.0.1", "--port", str(port), application),
            {**self.env, "PROMETHEUS_MULTIPROC_DIR": str(metrics_dir), **env},
        )

    @contextmanager
    def running(self, *programs: Program) -> Iterator[None]:
        """Within, the programs run; one that falls is started again, and its last words are kept in `lines`."""
        supervisor = Supervisor(programs, on_line=self.lines.append)
        ending = threading.Event()

        def supervise() -> None:
            try:
                while not ending.wait(LOOK_INTERVAL_S):
                    supervisor.watch()
            finally:
                supervisor.stop()

        thread = threading.Thread(target=supervise)
        thread.start()
        try:
            yield
        finally:
            ending.set()
            thread.join()


_APPS = ("portfolio", "ingestion", "transactions", "positions", "orchestrator")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def await_that(holds: Any, *, what: str, timeout_s: float, interval_s: float = 0.05) -> None:
    """Wait until it holds. Raises TimeoutError."""
    until = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > until:
            raise TimeoutError(f"after {timeout_s:.0f} s still not: {what}")
        time.sleep(interval_s)


def use_of_programs() -> dict[str, Use]:
    """What each program has used so far, by name, its processes summed up."""
    used: dict[str, Use] = {}
    for process in psutil.Process().children(recursive=True):
        try:
            name = _name_of(process)
            status = Path(f"/proc/{process.pid}/status").read_text()
            cpu = process.cpu_times()
        except (psutil.Error, OSError):
            continue
        sizes = dict(line.split(":", 1) for line in status.splitlines())
        if name and "VmHWM" in sizes:
            held, shared = (int(sizes[field].split()[0]) * 1024 for field in ("VmHWM", "RssShmem"))
            other = used.get(name, Use())
            used[name] = Use(
                other.private + held - shared, max(other.shared, shared), other.cpu_s + cpu.user + cpu.system
            )
    return used


def _name_of(process: psutil.Process) -> str:
    """The name a reader knows the process by; "" for those that only start or guard others."""
    command = process.cmdline()
    if process.name() == "postgres":
        return "PostgreSQL"
    if process.name() == "java":
        return "Kafka"
    if any(part.endswith("granian") for part in command[:2]):
        return "API"
    if len(command) > 2 and command[1].endswith("manage.py"):
        return command[2]
    return ""
