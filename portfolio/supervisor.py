"""Several programs under one roof: started, heard, restarted when they fall, and stopped together; no framework.

`manage.py run_workers` and `manage.py demo` run the system's processes with it. It does what a service manager does on
a server, where there is none. Every program leads a session of its own: Ctrl-C reaches the supervisor alone. What a
program says on either output comes out line by line behind its name. What ends is started again, later each time it
falls soon after its start. Exit code 3 is its word that a person has to look first: it stays down, the others go on.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import IO

from portfolio.guard import Guard

STAYS_DOWN = 3
"""The exit code that means: do not start me again before a person has looked."""

LINE_BYTES_MAX = 64 * 1024
LOOK_INTERVAL_S = 0.1
TICK_INTERVAL_S = 1.0
_COLOURS = (36, 32, 35, 33, 34, 96, 92, 95)
_ALARM = 31


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a supervisor speaks to a terminal


@dataclass(frozen=True, slots=True)
class Program:
    """What to run; `env` is added to this process's environment. A name is printed before each line and is unique."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def runs_once(self) -> bool:
        """Whether it was told to do what there is and end: then exit code 0 is the end of it."""
        return "--once" in self.argv


@dataclass(slots=True)
class _Child:
    program: Program
    colour: int
    pause_s: float
    process: subprocess.Popen[bytes] | None = None
    reader: threading.Thread | None = None
    started_at: float = 0.0
    due_at: float | None = 0.0
    is_down: bool = False


class Supervisor:
    """Runs programs until told to stop. One thread calls its methods, `request_stop` apart; `tick` runs in it too.

    `on_line` receives each finished line, prefix included, one at a time. `tick` is called about once a second; while
    it takes its time the programs go on and are heard, but none is restarted. Times are in seconds: the first pause
    before a restart doubles up to `restart_pause_max_s`, and is short again after a run of `steady_after_s`.
    """

    def __init__(
        self,
        programs: Sequence[Program],
        *,
        on_line: Callable[[str], None] = _print,
        tick: Callable[[], None] | None = None,
        coloured: bool | None = None,
        restart_pause_s: float = 0.5,
        restart_pause_max_s: float = 15.0,
        steady_after_s: float = 30.0,
        stop_timeout_s: float = 10.0,
    ) -> None:
        names = [program.name for program in programs]
        if len(set(names)) < len(names):
            raise ValueError(f"two programs of one name: {', '.join(names)}")
        self._children = [
            _Child(program, _COLOURS[number % len(_COLOURS)], restart_pause_s)
            for number, program in enumerate(programs)
        ]
        self._width = max(map(len, names), default=0)
        self._coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR") if coloured is None else coloured
        self._on_line = on_line
        self._on_line_lock = threading.Lock()
        self._tick = tick
        self._ticked_at = time.monotonic()
        self._restart_pause_s = restart_pause_s
        self._restart_pause_max_s = restart_pause_max_s
        self._steady_after_s = steady_after_s
        self._stop_timeout_s = stop_timeout_s
        self._is_stopping = False
        self._signals_seen = 0
        self._guard = Guard()

    @property
    def down(self) -> tuple[str, ...]:
        """The names of the programs that stay down."""
        return tuple(child.program.name for child in self._children if child.is_down)

    def run_forever(self) -> None:
        """Run until SIGINT, SIGTERM, SIGHUP or `request_stop`, or until all programs that run once have ended.

        In the main thread. A second signal kills what the first has not stopped yet. What `tick` raises stops
        everything and is raised.
        """
        with self._signals():
            try:
                while not self._is_stopping and self.watch():
                    time.sleep(LOOK_INTERVAL_S)
            finally:
                self.stop()

    def watch(self) -> bool:
        """Look once: start what is due (at first: everything), report what ended, tick. Whether anything is left."""
        for child in self._children:
            code = child.process.poll() if child.process else None
            if code is not None:
                self._ended(child, code)
            elif child.due_at is not None and time.monotonic() >= child.due_at:
                self._start(child)
        if self._tick and time.monotonic() - self._ticked_at >= TICK_INTERVAL_S:
            self._tick()
            self._ticked_at = time.monotonic()
        # What stays down is still to be watched: whoever started the others waits for a signal, not for it.
        return any(c.process or c.due_at is not None or not c.program.runs_once for c in self._children)

    def request_stop(self) -> None:
        """Let `run_forever` end; from any thread, and from `tick`."""
        self._is_stopping = True

    def stop(self) -> None:
        """SIGTERM to all at once, SIGKILL to what is left after the timeout; returns when no process is left."""
        running = [child for child in self._children if child.process]
        for child in self._children:
            child.due_at = None
            if child.process:
                child.process.terminate()
        deadline = time.monotonic() + self._stop_timeout_s
        while running and time.monotonic() < deadline and self._signals_seen < 2:
            for child in [c for c in running if c.process and c.process.poll() is not None]:
                running.remove(child)
                self._clear_away(child)
            time.sleep(LOOK_INTERVAL_S / 2)
        for child in running:
            self._say(child, "did not stop in time and is killed", alarm=True)
            self._clear_away(child)
        self._guard.close()

    def _start(self, child: _Child) -> None:
        env = {**os.environ, "PYTHONUNBUFFERED": "1", **child.program.env}
        child.process = self._guard.start(child.program.argv, env)
        child.started_at, child.due_at = time.monotonic(), None
        assert child.process.stdout
        child.reader = threading.Thread(target=self._relay, args=(child, child.process.stdout), daemon=True)
        child.reader.start()

    def _ended(self, child: _Child, code: int) -> None:
        self._clear_away(child)
        ran_s = time.monotonic() - child.started_at
        if code == 0 and child.program.runs_once:
            return
        if code == STAYS_DOWN:
            child.is_down = True
            self._say(child, f"STAYS DOWN: it ended with exit code {code}; see why, then start it again", alarm=True)
            return
        if ran_s >= self._steady_after_s:
            child.pause_s = self._restart_pause_s
        self._say(child, f"{_how(code)} after {ran_s:.1f} s; starts again in {child.pause_s:g} s", alarm=True)
        child.due_at = time.monotonic() + child.pause_s
        child.pause_s = min(child.pause_s * 2, self._restart_pause_max_s)

    def _clear_away(self, child: _Child) -> None:
        """Kill what is left of the program, its own children included, and hear its last lines."""
        assert child.process
        assert child.reader
        self._guard.clear_away(child.process)
        child.reader.join(timeout=1.0)
        child.process = child.reader = None

    def _relay(self, child: _Child, stream: IO[bytes]) -> None:
        with stream:
            while line := stream.readline(LINE_BYTES_MAX):
                self._say(child, line.decode(errors="replace").rstrip("\r\n"))

    def _say(self, child: _Child, text: str, *, alarm: bool = False) -> None:
        prefix = f"{child.program.name:<{self._width}} |"
        if self._coloured:
            prefix = f"\x1b[{child.colour}m{prefix}\x1b[0m"
            text = f"\x1b[1;{_ALARM}m{text}\x1b[0m" if alarm else text
        try:
            with self._on_line_lock:
                self._on_line(f"{prefix} {text}")
        except (OSError, ValueError):
            # Whoever read this has gone (`| head`): nobody is left to run for.
            self.request_stop()

    @contextmanager
    def _signals(self) -> Iterator[None]:
        def on_signal(_number: int, _frame: FrameType | None) -> None:
            self._signals_seen += 1
            self.request_stop()

        before = {number: signal.signal(number, on_signal) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _how(code: int) -> str:
    return f"was ended by signal {-code} ({signal.strsignal(-code)})" if code < 0 else f"ended with exit code {code}"
