"""The tests' own PostgreSQL and Kafka, to be killed and brought back."""

from __future__ import annotations

import os
import signal
import subprocess

from django.db import connection

from portfolio.devstack import DevStack


class Servers:
    """Both servers of a stack. Killed by SIGKILL, without a chance to write anything down."""

    def __init__(self, stack: DevStack) -> None:
        self._stack = stack

    def kill_kafka(self) -> None:
        self._kill(self._stack._kafka._process)

    def stop_kafka(self) -> None:
        """Let it stand still: it takes connections and answers nothing."""
        assert self._stack._kafka._process, "the broker runs"
        os.kill(self._stack._kafka._process.pid, signal.SIGSTOP)

    def continue_kafka(self) -> None:
        assert self._stack._kafka._process, "the broker runs"
        os.kill(self._stack._kafka._process.pid, signal.SIGCONT)

    def kill_postgres(self) -> None:
        """The server; its children see that and end by themselves."""
        self._kill(self._stack._postgres._process)

    def revive(self) -> list[str]:
        """Start what was killed, at the same address, and wait until it takes requests."""
        revived = self._stack.revive()
        connection.close()  # the test's own may lead to the one that was killed
        return revived

    @staticmethod
    def _kill(process: subprocess.Popen[bytes] | None) -> None:
        assert process, "the server runs"
        process.kill()
        process.wait()
