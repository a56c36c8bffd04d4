"""Nothing that a supervisor started outlives it, not even `kill -9` of it.

A *guard* is a small process of its own. It reads a list of process groups from its standard input, whose other end only
the supervisor holds. When the input ends the supervisor is gone, however it went, and the guard kills every group still
on the list. A program is started by a *launcher* that first puts its own process group on that list and then becomes
the program, so there is no moment at which a program runs and is not on the list.

The kernel's own way (PR_SET_PDEATHSIG) reaches only the direct child: the worker processes of a web server would live
on with its port in their hands. Groups reach them too, and the same way on every Unix.

The file is also the script that both small processes run, by name and with `-IS`: it imports only what loads quickly.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence

CANNOT_START = 127
"""The exit code of a launcher whose program could not be started, as shells have it."""

_SCRIPT = (sys.executable, "-IS", __file__)


class Guard:
    """Starts programs that are killed, with all their children, when this process is no more."""

    def __init__(self) -> None:
        self._groups: set[int] = set()
        self._begin()

    def start(self, argv: Sequence[str], env: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """The program in a session and process group of its own, its two outputs in one pipe."""
        if self._process.poll() is not None:
            # Somebody ended the guard: the next one guards what runs already.
            self._list.close()
            self._begin()
        list_fd = self._list.fileno()
        process = subprocess.Popen(
            [*_SCRIPT, str(list_fd), *argv],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(list_fd,),
        )
        self._groups.add(process.pid)
        return process

    def clear_away(self, process: subprocess.Popen[bytes]) -> None:
        """Kill the program and what it started, if anything of them is left, and take it off the list."""
        _kill_group(process.pid)
        process.wait()
        self._groups.discard(process.pid)
        self._write(f"-{process.pid}\n")

    def close(self) -> None:
        """Kill what is left and end the guard."""
        self._list.close()
        self._process.wait()

    def _begin(self) -> None:
        self._process = subprocess.Popen(_SCRIPT, stdin=subprocess.PIPE, start_new_session=True)
        assert self._process.stdin
        self._list = self._process.stdin
        self._write("".join(f"+{group}\n" for group in self._groups))

    def _write(self, lines: str) -> None:
        try:
            os.write(self._list.fileno(), lines.encode())
        except BrokenPipeError:
            # Somebody ended the guard; `start` begins another and tells it everything.
            return


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        # Nothing of it is left; macOS says "not permitted" where that is a zombie.
        return


def _keep_list(lines: Iterable[str]) -> None:
    """Keep the list (`+ID` adds a group, `-ID` strikes it off) until the lines end; then kill what is on it."""
    groups: set[int] = set()
    for line in lines:
        change = groups.add if line[0] == "+" else groups.discard
        change(int(line[1:]))
    for group in groups:
        _kill_group(group)


def _launch(list_fd: int, argv: list[str]) -> None:
    """Put this process's group, which it leads, on the list and become the program."""
    os.write(list_fd, f"+{os.getpid()}\n".encode())
    os.close(list_fd)
    try:
        os.execvp(argv[0], argv)
    except OSError as error:
        sys.stderr.write(f"{argv[0]} cannot be started: {error.strerror}\n")
        sys.exit(CANNOT_START)


if __name__ == "__main__":
    if sys.argv[1:]:
        _launch(int(sys.argv[1]), sys.argv[2:])
    else:
        # What stops the supervisor (Ctrl-C, a terminal that closes) must not end its guard first.
        for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(ignored, signal.SIG_IGN)
        _keep_list(sys.stdin)
