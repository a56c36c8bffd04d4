"""Ports, locks, and finding the processes of a folder.

A server's processes are recognised by where they stand: each server has a folder of its own as working
directory, PostgreSQL's children too. That says more than a file with a process id, which may be stale,
belong to somebody else by now, or know nothing of the children that outlived their parent.
"""

from __future__ import annotations

import fcntl
import os
import random
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

import psutil

LOOPBACK = "127.0.0.1"
# Below the range from which kernels take the ports of outgoing connections: a kept port is then still
# free at the next start, and a client that knocks at a dead server cannot be connected to itself.
PORTS = range(20_000, 32_000)
PORT_ATTEMPTS = 100
KILL_TIMEOUT_S = 10.0
LOCK_WAIT_S = 1.0
POLL_S = 0.05


class DevStackError(Exception):
    """Something needed cannot be had. The message is one sentence: what is wrong and what to do."""


def port_is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def kept_port(path: Path) -> int:
    """The port written in `path` if it is still free, else another, written there.

    Raises DevStackError where none of PORT_ATTEMPTS ports is free.
    """
    kept = [int(path.read_text())] if path.exists() else []
    for port in [*kept, *random.sample(PORTS, PORT_ATTEMPTS)]:
        if port_is_free(port):
            path.write_text(f"{port}\n")
            return port
    raise DevStackError(f"no free port was found on {LOOPBACK} between {PORTS.start} and {PORTS.stop}")


def take_lock(path: Path, *, wait_s: float = LOCK_WAIT_S) -> IO[str]:
    """Hold the lock file until the returned file is closed or this process dies, however it dies.

    Raises DevStackError, naming the holder, when another process has it for longer than `wait_s`.
    """
    file = path.open("a+")
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < deadline:
                time.sleep(POLL_S)
                continue
            file.seek(0)
            holder = file.read().strip() or "another process"
            file.close()
            raise DevStackError(f"{path.parent} is in use by {holder}: stop it, or choose another folder") from None
        file.truncate(0)
        file.write(f"process {os.getpid()}\n")
        file.flush()
        return file


def is_locked(path: Path) -> bool:
    """Whether a living process holds the lock file."""
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def processes_in(folder: Path, name: str) -> list[psutil.Process]:
    """The processes called `name` whose working directory is `folder`."""
    return [
        process
        for process in psutil.process_iter(["name", "cwd"])
        if process.info["name"] == name and process.info["cwd"] == str(folder)
    ]


def end_processes_in(folder: Path, name: str, stop_signal: signal.Signals, *, patience_s: float) -> None:
    """Leave no process called `name` in `folder`: ask the server, then kill what is still there.

    Only the server itself is asked, known by the folder in its command line: to PostgreSQL's children
    the same signal means other things. Raises DevStackError where one cannot be killed.
    """

    def servers() -> list[psutil.Process]:
        return [process for process in processes_in(folder, name) if _names(folder, process)]

    for process in servers():
        with suppress(psutil.NoSuchProcess):
            process.send_signal(stop_signal)
    _wait_for(lambda: not servers(), patience_s)
    for process in processes_in(folder, name):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    if not _wait_for(lambda: not processes_in(folder, name), KILL_TIMEOUT_S):
        raise DevStackError(f"a process called {name} in {folder} does not end: end it, then start again")


def _names(folder: Path, process: psutil.Process) -> bool:
    try:
        return any(str(folder) in argument for argument in process.cmdline())
    except psutil.NoSuchProcess:
        return False


def _wait_for(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Poll, rather than wait for the processes: a zombie that nobody buries stands nowhere, and is gone."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True
