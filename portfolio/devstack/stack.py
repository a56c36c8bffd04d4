"""PostgreSQL and Kafka together: one data folder, one owner, two addresses."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from portfolio.devstack import postgres
from portfolio.devstack.kafka import Kafka
from portfolio.devstack.postgres import Postgres
from portfolio.devstack.processes import DevStackError, is_locked, take_lock
from portfolio.devstack.server import Progress, Server

LOCK_FILE = "lock"
ADDRESS_FILE = "stack.env"


def _silent(line: str) -> None:
    """Progress for nobody."""


class DevStack:
    """PostgreSQL and Apache Kafka in `data_dir`, each unless an address of one of your own is given.

        with DevStack(Path(".devstack/demo"), progress=print) as stack:
            stack.database_url             postgresql://portfolio:...@127.0.0.1:.../portfolio
            stack.kafka_bootstrap_servers  127.0.0.1:...

    Whatever an earlier owner left running in the folder is ended first, so a crash needs no cleaning up.
    `progress` gets a short line whenever something takes time, from more than one thread.

    Each server has a thread of its own that does all its work: the two start and stop side by side, and
    the thread that launched a server lives as long as the stack (see Server).
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        database_url: str | None = None,
        kafka_bootstrap_servers: str | None = None,
        progress: Progress = _silent,
    ) -> None:
        self.data_dir = data_dir.resolve()
        self._database_url = database_url
        self._kafka_bootstrap_servers = kafka_bootstrap_servers
        self._postgres = Postgres(self.data_dir, progress)
        self._kafka = Kafka(self.data_dir, progress)
        self._servers: list[Server] = []
        self._servers += [] if database_url else [self._postgres]
        self._servers += [] if kafka_bootstrap_servers else [self._kafka]
        self._threads: dict[Server, ThreadPoolExecutor] = {}
        self._lock_file: IO[str] | None = None
        self._one_at_a_time = threading.Lock()

    @property
    def database_url(self) -> str:
        return self._database_url or self._postgres.url

    @property
    def kafka_bootstrap_servers(self) -> str:
        return self._kafka_bootstrap_servers or self._kafka.bootstrap_servers

    @property
    def postgres_bin(self) -> Path:
        """The folder with psql and pg_dump, for the PATH of `manage.py dbshell`."""
        return postgres.binaries()

    def start(self) -> None:
        """Start what is to be started and return when it takes requests.

        Raises DevStackError, and leaves nothing running, when something needed cannot be had.
        """
        try:
            with self._one_at_a_time:
                self.data_dir.mkdir(parents=True, exist_ok=True)
                self._lock_file = self._lock_file or take_lock(self.data_dir / LOCK_FILE)
                for server in self._servers:
                    self._threads.setdefault(server, ThreadPoolExecutor(1, f"devstack-{server.folder}"))
                self._start([server for server in self._servers if not server.alive])
                self._write_addresses()
        except OSError as error:
            self.stop()
            raise DevStackError(f"{self.data_dir} cannot hold the servers ({error}): choose another folder") from error
        except BaseException:
            self.stop()
            raise

    def revive(self) -> list[str]:
        """Start again, at the same address, whichever server has died. Returns the names of those.

        Raises DevStackError when one does not come back; the other is left as it is.
        """
        with self._one_at_a_time:
            dead = [server for server in self._servers if server in self._threads and not server.alive]
            self._start(dead)
            return [server.name for server in dead]

    def stop(self) -> None:
        """End both servers, cleanly where they can, and let go of the folder. May be called again."""
        for server in self._servers:
            server.given_up.set()
        with self._one_at_a_time:
            if self._lock_file is None:
                return
            (self.data_dir / ADDRESS_FILE).unlink(missing_ok=True)
            try:
                self._each(list(self._threads), lambda server: server.stop())
            finally:
                for thread in self._threads.values():
                    thread.shutdown()
                self._threads.clear()
                self._lock_file.close()
                self._lock_file = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self, servers: list[Server]) -> None:
        for server in servers:
            server.given_up.clear()
        self._each(servers, lambda server: server.start())

    def _each(self, servers: list[Server], work: Callable[[Server], object]) -> None:
        """Do the work for every server in its own thread. The first to fail makes the others give up."""
        running: list[Future[object]] = [self._threads[server].submit(work, server) for server in servers]
        done, pending = wait(running, return_when=FIRST_EXCEPTION)
        if pending:
            for server in servers:
                server.given_up.set()
            wait(pending)
        for future in done:
            future.result()

    def _write_addresses(self) -> None:
        path = self.data_dir / ADDRESS_FILE
        path.touch(mode=0o600)
        path.write_text(f"DATABASE_URL={self.database_url}\nKAFKA_BOOTSTRAP_SERVERS={self.kafka_bootstrap_servers}\n")


def addresses(data_dir: Path) -> dict[str, str]:
    """DATABASE_URL and KAFKA_BOOTSTRAP_SERVERS of the stack that runs in `data_dir`; empty where none does.

    A file that a killed owner left behind does not count: its lock went with it.
    """
    path = data_dir / ADDRESS_FILE
    if not path.exists() or not is_locked(data_dir / LOCK_FILE):
        return {}
    return dict(line.split("=", 1) for line in path.read_text().splitlines())
