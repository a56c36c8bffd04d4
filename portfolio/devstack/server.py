"""What PostgreSQL and Kafka have in common: make, start, wait until ready, stop.

A server is ready when it has written a line that says so; both write one when they take requests, and
no client library is needed to read it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from portfolio.devstack import launch
from portfolio.devstack.processes import DevStackError, end_processes_in, kept_port

Progress = Callable[[str], None]

PREPARE_TIMEOUT_S = 120.0
READY_TIMEOUT_S = 120.0
READY_POLL_S = 0.02
STOP_TIMEOUT_S = 30.0
LOG_MAX_BYTES = 20_000_000
# Settings of other servers and other Javas, which would reach ours.
FOREIGN_VARIABLES = ("PG", "JAVA_", "JDK_", "_JAVA", "KAFKA_")
ALARMS = ("Address already in use", "FATAL", "PANIC", "ERROR", "Exception")


class Server(ABC):
    """One server in a folder of its own; its methods are called from one thread at a time.

    That thread must live as long as the server: the kernel takes the end of the thread that started a
    process for the death of the owner.
    """

    name: str  # as a sentence says it
    folder: str
    process_name: str
    variable: str  # the setting that makes this server unnecessary
    ready_line: bytes
    stop_signal: signal.Signals
    user: str = ""  # whom to become where we are root; empty: nobody else

    def __init__(self, data_dir: Path, progress: Progress) -> None:
        self.data_dir = data_dir
        self.home = data_dir / self.folder
        self.log = data_dir / "logs" / f"{self.folder}.log"
        self.progress = progress
        self.given_up = threading.Event()
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def prepare(self) -> None:
        """Make what is missing on disk; called before each start, with the port known."""

    @abstractmethod
    def command(self) -> list[str]:
        """The server's command line. It names the home, by which `end_processes_in` knows the server."""

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """End what an earlier owner left in the folder, then start. Raises DevStackError."""
        started = time.monotonic()
        end_processes_in(self.home, self.process_name, self.stop_signal, patience_s=STOP_TIMEOUT_S)
        self.port = self.port or kept_port(self.data_dir / f"{self.folder}.port")
        self.log.parent.mkdir(exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_MAX_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        self.prepare()
        begin = self.log.stat().st_size if self.log.exists() else 0
        self._process = self._launch(self.command(), self.home, self.stop_signal)
        self._wait_until_ready(self._process, begin)
        self.progress(f"{self.name} is ready ({time.monotonic() - started:.1f} s)")

    def stop(self) -> bool:
        """End the server, by force after STOP_TIMEOUT_S. Returns whether it ended cleanly."""
        if self._process is None:
            return False
        if self.alive:
            self._process.send_signal(self.stop_signal)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_TIMEOUT_S)
        stopped_cleanly = self._process.poll() in (0, 128 + self.stop_signal)
        end_processes_in(self.home, self.process_name, self.stop_signal, patience_s=0.0)
        self._process.wait()
        self._process = None
        return stopped_cleanly

    def run(self, command: Sequence[str], folder: Path, *, text: str = "") -> None:
        """Run a tool of the server's to its end, its output in the log. Raises DevStackError."""
        begin = self.log.stat().st_size if self.log.exists() else 0
        with self._launch(command, folder, signal.SIGKILL, stdin=subprocess.PIPE) as process:
            try:
                process.communicate(text.encode(), PREPARE_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
        if process.returncode != 0:
            raise self._failure(f"{Path(command[0]).name} failed", begin)

    def _launch(
        self, command: Sequence[str], folder: Path, death_signal: int, stdin: int = subprocess.DEVNULL
    ) -> subprocess.Popen[bytes]:
        user = self.user if os.geteuid() == 0 else ""
        shim = [sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), str(int(death_signal)), user]
        own = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN_VARIABLES)}
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [*shim, *command],
                cwd=folder,
                env=own,
                stdin=stdin,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _wait_until_ready(self, process: subprocess.Popen[bytes], begin: int) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while self.ready_line not in self._log_since(begin):
            if process.poll() is not None:
                raise self._failure("did not start", begin)
            if time.monotonic() > deadline:
                raise self._failure(f"was not ready in {READY_TIMEOUT_S:.0f} s", begin)
            if self.given_up.wait(READY_POLL_S):
                raise DevStackError(f"the start of {self.name} was given up")

    def _log_since(self, begin: int) -> bytes:
        with self.log.open("rb") as log:
            log.seek(begin)
            return log.read()

    def _failure(self, what: str, begin: int) -> DevStackError:
        lines = self._log_since(begin).decode(errors="replace").split("\n")
        said = [line.strip() for line in lines if line.strip()] or ["nothing"]
        alarming = [line for line in said if any(alarm in line for alarm in ALARMS)]
        reason = (alarming or said[-1:])[0]
        return DevStackError(
            f'{self.name} {what} and said "{reason}": see {self.log}, or set {self.variable} to a server of your own'
        )
