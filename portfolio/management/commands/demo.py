"""`manage.py demo`: the whole system on this machine, with sample data, and what it makes of them.

The command starts PostgreSQL and Kafka where none is configured, then the API server and every worker under one
supervisor. From there on it is a user like any other: it knows the system only through HTTP.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import threading
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console

from portfolio import walkthrough
from portfolio.client import Client
from portfolio.devstack import DevStack, DevStackError
from portfolio.management.commands.run_workers import worker_programs
from portfolio.supervisor import Program, Supervisor

PORT = 8000
PORTS_TRIED_MAX = 50
TABLE_WIDTH = 118
READY_TIMEOUT_S = 60.0
API_PROCESSES = 2
API_THREADS = 4
MANAGE = (sys.executable, str(settings.BASE_DIR / "manage.py"))


class Command(BaseCommand):
    """Run everything and show it."""

    help = "Runs the whole system here with sample data, prints the positions and stays up until Ctrl-C."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="end after the positions are printed")
        parser.add_argument("--port", type=int, default=PORT, help="where the API listens, or the next free port")

    def handle(self, *_args: Any, **options: Any) -> None:
        console = Console()
        console.width = max(console.width, TABLE_WIDTH)
        stack = DevStack(
            settings.DEMO_DIR,
            database_url=settings.OWN_DATABASE_URL,
            kafka_bootstrap_servers=settings.OWN_KAFKA_BOOTSTRAP_SERVERS,
            progress=_say,
        )
        try:
            with stack, TemporaryDirectory(prefix="metrics-") as metrics_dir:
                self._run(stack, {"PROMETHEUS_MULTIPROC_DIR": metrics_dir}, console, options)
        except (DevStackError, OSError, subprocess.CalledProcessError) as error:
            raise CommandError(str(error)) from error

    def _run(self, stack: DevStack, metrics: dict[str, str], console: Console, options: dict[str, Any]) -> None:
        env = _environment(stack)
        port = _free_port(options["port"])
        for step in (("migrate", "--verbosity", "0"), ("ensure_topics",)):
            _say(f"manage.py {' '.join(step)}")
            subprocess.run([*MANAGE, *step], env=os.environ | env, check=True)
        user = json.loads(
            subprocess.check_output([*MANAGE, "make_user", "admin", "--superuser"], env=os.environ | env, text=True)
        )
        client = Client(f"http://127.0.0.1:{port}", user["token"])

        def revive() -> None:
            for name in stack.revive():
                _say(f"{name} had died and is up again")

        # One directory for all: /metrics of the API then tells of the workers too.
        supervisor = Supervisor([_api(port, env | metrics), *worker_programs(env=env | metrics)], tick=revive)
        story = _Story(client, console, user, supervisor, once=options["once"])
        story.start()
        supervisor.run_forever()
        story.join()
        if story.failure:
            raise CommandError(story.failure)
        if not story.told:
            raise CommandError("stopped before the positions were printed")


class _Story(threading.Thread):
    """Sends the sample and shows what comes of it, while the main thread supervises."""

    def __init__(
        self, client: Client, console: Console, user: dict[str, Any], supervisor: Supervisor, *, once: bool
    ) -> None:
        super().__init__(name="story", daemon=True)
        self._client, self._console, self._user = client, console, user
        self._supervisor, self._once = supervisor, once
        self.told = False
        self.failure = ""

    def run(self) -> None:
        try:
            self._tell()
            self.told = True
        except Exception as error:  # noqa: BLE001 - whatever it was, the demo has failed and says so
            self.failure = f"the demo failed: {error}"
        if self._once or self.failure:
            self._supervisor.request_stop()

    def _tell(self) -> None:
        self._client.wait_until_ready(timeout_s=READY_TIMEOUT_S)
        sample = walkthrough.Sample.read()
        walkthrough.send(sample, self._client, _say)
        walkthrough.wait(sample, self._client, _say)
        differences = walkthrough.show(sample, self._client, self._console)
        if differences:
            raise RuntimeError("; ".join(differences))
        walkthrough.report(sample, self._client, self._console)
        print(_farewell(self._client.address, self._user, once=self._once), flush=True)


def _environment(stack: DevStack) -> dict[str, str]:
    """What the programs need beside this process's environment; kept in a file for other terminals."""
    path: Path = settings.DEMO_DIR / "demo.env"
    kept = dict(line.split("=", 1) for line in path.read_text().splitlines()) if path.exists() else {}
    kept.setdefault("SECRET_KEY", os.environ.get("SECRET_KEY") or secrets.token_urlsafe(50))
    kept["LOG_FORMAT"] = "console"
    if not settings.OWN_KAFKA_BOOTSTRAP_SERVERS:
        kept |= {"TOPIC_REPLICATION_FACTOR": "1", "TOPIC_MIN_INSYNC_REPLICAS": "1"}
    path.touch(mode=0o600)
    path.write_text("".join(f"{name}={value}\n" for name, value in kept.items()))
    return kept | {
        "DATABASE_URL": stack.database_url,
        "KAFKA_BOOTSTRAP_SERVERS": stack.kafka_bootstrap_servers,
        "PATH": f"{os.environ.get('PATH', '')}{os.pathsep}{stack.postgres_bin}",
    }


def _api(port: int, env: dict[str, str]) -> Program:
    granian = str(Path(sys.executable).with_name("granian"))
    listens = ("--interface", "wsgi", "--no-ws", "--host", "127.0.0.1", "--port", str(port), "--log-level", "warning")
    processes = ("--workers", str(API_PROCESSES), "--blocking-threads", str(API_THREADS), "--respawn-failed-workers")
    argv = (granian, *listens, *processes, "portfolio.wsgi:application")
    return Program("api", argv, {"LOG_LEVEL": "WARNING", **env})


def _free_port(wanted: int) -> int:
    """The port asked for, or the next one that is free. Raises CommandError."""
    for port in range(wanted, wanted + PORTS_TRIED_MAX):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            if port != wanted:
                _say(f"PORT {wanted} IS TAKEN: the API listens on {port}")
            return port
    raise CommandError(f"no port from {wanted} to {wanted + PORTS_TRIED_MAX - 1} is free: name another with --port")


def _farewell(address: str, user: dict[str, Any], *, once: bool) -> str:
    password = user["password"] or "as it was printed the first time (manage.py changepassword admin makes a new one)"
    lines = [
        "",
        f"Swagger UI      {address}/docs",
        f"Browsable API   {address}/api/v1/",
        f"Admin           {address}/admin/   user {user['username']}, password {password}",
        f"API token       {user['token']}",
        "",
    ]
    if once:
        return "\n".join([*lines, "That was all, once; `make demo` without ONCE stays up on the same data."])
    return "\n".join(
        [
            *lines,
            "While this runs, in another terminal:",
            "  the topic     .venv/bin/python manage.py show_topic raw_transactions --max-messages 5",
            "  the table     .venv/bin/python manage.py dbshell",
            "",
            "Ctrl-C stops everything; the next `make demo` goes on from here.",
        ]
    )


def _say(line: str) -> None:
    print(f"demo | {line}", flush=True)
