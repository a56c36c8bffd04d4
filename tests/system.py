"""The whole system as it runs in production, for tests: the API server and the workers, each a process of its own.

They run under `portfolio.supervisor` on the tests' servers, with a database, topics and groups of their own. The test's
own Django is led to the same, so that it can read by the ORM while the processes work.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test import override_settings

from portfolio.authentication import forget_tokens
from portfolio.client import Client
from portfolio.devstack.processes import PORTS, port_is_free
from portfolio.management.commands.run_workers import worker_programs
from portfolio.supervisor import Program, Supervisor

API = "api"
READY_TIMEOUT_S = 60.0
START_TIMEOUT_S = 20.0
LOOK_INTERVAL_S = 0.05
MANAGE = (sys.executable, str(settings.BASE_DIR / "manage.py"))


class System:
    """Running processes. `env` is what they, and commands beside them, need in their environment."""

    def __init__(self, *, env: Mapping[str, str], processes: Mapping[str, int], user: Mapping[str, str]) -> None:
        self.env = dict(env)
        self.user = user
        self.port = next(port for port in random.sample(PORTS, 100) if port_is_free(port))
        self.client = Client(f"http://127.0.0.1:{self.port}", user["token"])
        self.lines: list[str] = []
        programs = [_api(self.port, self.env), *worker_programs(processes=processes, env=self.env)]
        self._supervisor = Supervisor(programs, on_line=self._hear, coloured=False)
        self._is_ending = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervisor")

    def start(self) -> None:
        self._thread.start()
        self.client.wait_until_ready(timeout_s=READY_TIMEOUT_S)

    def stop(self) -> None:
        self._is_ending.set()
        self._thread.join()

    @property
    def names(self) -> list[str]:
        """Of all programs, the API server first."""
        return [child.program.name for child in self._supervisor._children]

    @property
    def down(self) -> tuple[str, ...]:
        """Those that stay down."""
        return self._supervisor.down

    def pid(self, name: str) -> int:
        """The program's process, which leads a process group; waits where it is just being started again."""

        child = self._child(name)
        process = eventually(lambda: child.process, timeout_s=START_TIMEOUT_S, what=f"{name} to be started")
        return int(process.pid)

    def send(self, name: str, number: signal.Signals) -> int:
        """Send a signal to the program, its children included; gives its pid."""
        pid = self.pid(name)
        os.killpg(pid, number)
        return pid

    def kill(self, name: str) -> None:
        """SIGKILL to the program and its children; returns when the supervisor knows."""
        child = self._child(name)
        process = eventually(lambda: child.process, timeout_s=START_TIMEOUT_S, what=f"{name} to be started")
        os.killpg(process.pid, signal.SIGKILL)
        eventually(lambda: child.process is not process, timeout_s=START_TIMEOUT_S, what=f"{name} to be gone")

    def start_again(self, name: str) -> None:
        """Let a program that stays down start again, as a person would."""
        child = self._child(name)
        child.is_down, child.due_at = False, 0.0
        self.pid(name)

    def said(self, *parts: str) -> bool:
        """Whether some line has all of these parts."""
        return any(all(part in line for part in parts) for line in list(self.lines))

    def settled(self, portfolio_ids: list[str], *, timeout_s: float) -> dict[str, Any]:
        """The positions of the portfolios, closed ones too, as soon as nothing is pending for any of them."""

        def answers() -> dict[str, Any] | None:
            found = {}
            for portfolio_id in portfolio_ids:
                found[portfolio_id] = self.positions(portfolio_id)
                if found[portfolio_id]["pending"]:
                    return None
            return found

        found: dict[str, Any] = eventually(answers, timeout_s=timeout_s, what="calculations")
        return found

    def positions(self, portfolio_id: str, **query: str) -> Any:
        return self.client.get(f"/api/v1/portfolios/{portfolio_id}/positions/", closed="true", **query)

    def _child(self, name: str) -> Any:
        return next(child for child in self._supervisor._children if child.program.name == name)

    def _watch(self) -> None:
        while not self._is_ending.is_set():
            self._supervisor.watch()
            time.sleep(LOOK_INTERVAL_S)
        self._supervisor.stop()

    def _hear(self, line: str) -> None:
        self.lines.append(line)
        print(line, flush=True)


@contextmanager
def running_system(*, processes: Mapping[str, int] | None = None, **env: str) -> Iterator[System]:
    """A system with a database, topics and groups of its own, which this process's settings name meanwhile.

    The test must be allowed to use a database, by pytest-django's `django_db_blocker`.
    """
    name = f"system_{os.getpid()}_{uuid.uuid4().hex[:8]}"
    names = {"KAFKA_TOPIC_PREFIX": f"{name}.", "KAFKA_GROUP_PREFIX": f"{name}."}
    with _database(name) as address, override_settings(**names):
        forget_tokens()
        call_command("ensure_topics", stdout=StringIO(), stderr=StringIO())
        printed = StringIO()
        call_command("make_user", f"admin-{uuid.uuid4().hex[:6]}", superuser=True, stdout=printed)
        system = System(
            env={"DATABASE_URL": address, "LOG_LEVEL": "INFO", **names, **env},
            processes=processes or {},
            user=json.loads(printed.getvalue()),
        )
        try:
            system.start()
            yield system
        finally:
            system.stop()


@contextmanager
def _database(name: str) -> Iterator[str]:
    """A fresh database, of which nothing is left behind; its address."""
    before = connection.settings_dict["NAME"]
    with connection._nodb_cursor() as cursor:
        cursor.execute(f'CREATE DATABASE "{name}"')
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        call_command("migrate", verbosity=0)
        yield urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before
        with connection._nodb_cursor() as cursor:
            cursor.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def eventually(condition: Callable[[], Any], *, timeout_s: float, what: str, pause_s: float = 0.1) -> Any:
    """What the condition gives as soon as that is something."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {timeout_s:g} s for {what}"
        time.sleep(pause_s)
    return found


def _api(port: int, env: Mapping[str, str]) -> Program:
    granian = str(Path(sys.executable).with_name("granian"))
    options = f"--interface wsgi --host 127.0.0.1 --port {port} --no-access-log --log-level warning".split()
    return Program(API, (granian, *options, "portfolio.wsgi:application"), {**env, "LOG_LEVEL": "WARNING"})
