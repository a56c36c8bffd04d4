"""The supervisor with real children: Python programs of a line or two."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from portfolio.guard import Guard
from portfolio.supervisor import Program, Supervisor

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 20.0
SLEEP = "import time; time.sleep(600)"
IGNORE_SIGTERM = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf'); {SLEEP}"
# A program with a child of its own, as a web server has its workers.
PARENT = f"import subprocess, sys; print('pid', subprocess.Popen([sys.executable, '-c', {SLEEP!r}]).pid); {SLEEP}"


def python(name: str, code: str, *arguments: str, **env: str) -> Program:
    return Program(name, (sys.executable, "-c", code, *arguments), env)


class Ear:
    """What was said, and until when to listen."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, line: str) -> None:
        self.lines.append(line)

    def heard(self, pattern: str) -> list[str]:
        return [line for line in self.lines if re.search(pattern, line)]


def until(happened: Callable[[], object], supervisor: Supervisor | None = None) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < deadline, "did not happen in time"
        if supervisor:
            supervisor.watch()
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


@pytest.fixture
def ear():
    return Ear()


@pytest.fixture
def supervise(ear):
    """Makes supervisors that speak to the ear and are stopped after the test."""
    made: list[Supervisor] = []

    def make(*programs: Program, **options: object) -> Supervisor:
        made.append(Supervisor(programs, **{"on_line": ear, "coloured": False, **options}))
        return made[-1]

    yield make
    for supervisor in made:
        supervisor.stop()


def test_every_line_of_both_outputs_comes_out_behind_its_name(supervise, ear):
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.stdout.write('no end'); sys.exit(3)"
    supervisor = supervise(python("short", code), python("much_longer", "print('here'); raise SystemExit(3)"))
    until(lambda: len(supervisor.down) == 2, supervisor)
    for line in ("short       | out", "short       | err", "short       | no end", "much_longer | here"):
        assert line in ear.lines


def test_a_name_is_coloured_where_that_is_wanted(supervise, ear):
    supervisor = supervise(python("red", "print('x')"), coloured=True)
    until(lambda: ear.heard("x$"), supervisor)
    assert ear.lines[0] == "\x1b[36mred |\x1b[0m x"


def test_a_line_without_end_is_cut_and_not_kept_in_memory(supervise, ear):
    supervisor = supervise(python("long", "print('x' * 1_000_000); raise SystemExit(3)"))
    until(lambda: supervisor.down, supervisor)
    pieces = [line.removeprefix("long | ") for line in ear.heard("x$")]
    assert sum(map(len, pieces)) == 1_000_000
    assert max(map(len, pieces)) == 64 * 1024


def test_output_is_heard_at_once_and_the_environment_is_handed_on(supervise, ear):
    code = f"import os; print(os.environ['GIVEN'], os.environ['PYTHONUNBUFFERED']); {SLEEP}"
    supervisor = supervise(python("slow", code, GIVEN="as said"))
    until(lambda: ear.heard("as said 1"), supervisor)


def test_what_fails_is_started_again_later_each_time(supervise, ear):
    supervisor = supervise(python("falls", "raise SystemExit(1)"), restart_pause_s=0.05, restart_pause_max_s=0.2)
    until(lambda: len(ear.heard("starts again")) >= 5, supervisor)
    pauses = [line.split()[-2] for line in ear.heard("exit code 1 after .* starts again in")]
    assert pauses[:5] == ["0.05", "0.1", "0.2", "0.2", "0.2"]


def test_the_pause_is_kept(supervise):
    moments = []
    supervisor = supervise(
        python("falls", "raise SystemExit(1)"), on_line=lambda _: moments.append(time.monotonic()), restart_pause_s=0.5
    )
    until(lambda: len(moments) >= 3, supervisor)
    assert moments[1] - moments[0] >= 0.5
    assert moments[2] - moments[1] >= 1.0


def test_after_a_long_run_the_pause_is_short_again(supervise, ear):
    code = "import time; time.sleep(0.3); raise SystemExit(1)"
    supervisor = supervise(python("steady", code), restart_pause_s=0.05, steady_after_s=0.2)
    until(lambda: len(ear.heard("starts again in")) >= 3, supervisor)
    assert len(ear.heard("starts again in 0.05 s")) >= 3


def test_what_a_signal_ends_is_started_again_and_the_signal_named(supervise, ear):
    code = "import os; os.kill(os.getpid(), 9)"
    supervisor = supervise(python("shot", code), restart_pause_s=0.05)
    until(lambda: len(ear.heard(r"was ended by signal 9 \(Killed\)")) >= 2, supervisor)


def test_what_cannot_be_started_is_said_and_tried_again(supervise, ear):
    supervisor = supervise(Program("none", ("/no/such/program",)), restart_pause_s=0.05)
    until(lambda: len(ear.heard("/no/such/program cannot be started: No such file")) >= 2, supervisor)


def test_exit_code_3_stays_down_and_the_others_go_on(supervise, ear):
    supervisor = supervise(
        python("down", "print('once'); raise SystemExit(3)"),
        python("falls", "raise SystemExit(1)"),
        restart_pause_s=0.05,
    )
    until(lambda: len(ear.heard("falls .*starts again")) >= 3, supervisor)
    assert supervisor.down == ("down",)
    assert len(ear.heard("down .*once")) == 1
    assert len(ear.heard("down .*STAYS DOWN: it ended with exit code 3")) == 1
    assert supervisor.watch() is True


def test_an_end_without_error_is_final_only_for_what_was_told_once(supervise, ear):
    supervisor = supervise(python("told", "print('did it')", "--once"), python("untold", "pass"), restart_pause_s=0.05)
    until(lambda: len(ear.heard("untold .*exit code 0 .*starts again")) >= 3, supervisor)
    assert len(ear.heard("told .*did it")) == 1


def test_it_ends_by_itself_when_all_that_run_once_have_ended(supervise, ear):
    supervise(python("a", "print('a')", "--once"), python("b", "raise SystemExit(3)", "--once")).run_forever()
    assert ear.heard(r"a \| a")


def test_stop_asks_all_of_them_at_the_same_time(supervise, ear):
    code = (
        "import signal, sys, time\n"
        "def leave(*_):\n    time.sleep(0.5); print('left'); sys.exit()\n"
        f"signal.signal(signal.SIGTERM, leave); print('ready'); {SLEEP}"
    )
    supervisor = supervise(*(python(name, code) for name in "abcd"))
    until(lambda: len(ear.heard("ready")) == 4, supervisor)
    began_at = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - began_at < 1.9
    assert len(ear.heard("left")) == 4


def test_what_ignores_sigterm_is_killed_after_the_timeout(supervise, ear):
    supervisor = supervise(python("deaf", IGNORE_SIGTERM), stop_timeout_s=0.5)
    until(lambda: ear.heard("deaf$"), supervisor)
    began_at = time.monotonic()
    supervisor.stop()
    assert 0.5 <= time.monotonic() - began_at < 3
    assert ear.heard("did not stop in time and is killed")


@pytest.mark.parametrize("ending", ["stop", "crash"])
def test_the_children_of_a_program_go_with_it(supervise, ear, ending):
    supervisor = supervise(python("parent", PARENT), restart_pause_s=60)
    until(lambda: ear.heard("pid"), supervisor)
    grandchild = int(ear.heard("pid")[0].split()[-1])
    assert is_running(grandchild)
    if ending == "stop":
        supervisor.stop()
    else:
        os.kill(os.getpgid(grandchild), signal.SIGKILL)
        until(lambda: ear.heard("starts again"), supervisor)
    until(lambda: not is_running(grandchild))


def test_tick_is_called_about_once_a_second(supervise):
    moments = []
    supervisor = supervise(python("idle", SLEEP), tick=lambda: moments.append(time.monotonic()))
    until(lambda: len(moments) >= 3, supervisor)
    assert 1.9 < moments[2] - moments[0] < 4


def test_what_tick_raises_stops_everything(supervise, ear):
    def fail() -> None:
        raise ZeroDivisionError

    supervisor = supervise(python("parent", PARENT), tick=fail)
    with pytest.raises(ZeroDivisionError):
        supervisor.run_forever()
    assert not is_running(int(ear.heard("pid")[0].split()[-1]))


def test_it_stops_when_nobody_reads_any_more(supervise):
    def broken(_line: str) -> None:
        raise BrokenPipeError

    supervise(python("talks", f"print('x'); {SLEEP}"), on_line=broken).run_forever()


def test_another_thread_may_ask_it_to_stop(supervise):
    supervisor = supervise(python("idle", SLEEP))
    threading.Timer(0.3, supervisor.request_stop).start()
    supervisor.run_forever()


def test_names_are_unique():
    with pytest.raises(ValueError, match="two programs of one name"):
        Supervisor([python("a", SLEEP), python("a", SLEEP)])


def test_a_guard_that_was_killed_is_replaced_and_told_what_runs():
    guard = Guard()
    with guard.start((sys.executable, "-c", f"print('up', flush=True); {SLEEP}"), os.environ) as first:
        assert first.stdout
        assert first.stdout.readline() == b"up\n"
        guard._process.kill()
        guard._process.wait()
        with guard.start((sys.executable, "-c", SLEEP), os.environ) as second:
            guard.close()
            assert first.wait(PATIENCE_S) == second.wait(PATIENCE_S) == -signal.SIGKILL


# --- a supervisor in a process of its own -----------------------------------------------------------------------------


@pytest.fixture
def process():
    """A supervisor of two programs, one with a child of its own and one that ignores SIGTERM, and all their ids."""
    code = f"""
import sys
from portfolio.supervisor import Program, Supervisor
Supervisor([
    Program("parent", (sys.executable, "-c", {PARENT!r})),
    Program("deaf", (sys.executable, "-c", {IGNORE_SIGTERM!r})),
], stop_timeout_s=2.0).run_forever()
"""
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout
        assert {supervisor.stdout.readline().split()[0] for _ in range(2)} == {"parent", "deaf"}
        yield supervisor, descendants(supervisor.pid)
        supervisor.kill()


def descendants(pid: int) -> set[int]:
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = {int(child): int(parent) for child, parent in map(str.split, listed.splitlines())}
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def test_kill_9_of_the_supervisor_leaves_nobody(process):
    supervisor, below = process
    assert len(below) == 4, "the guard, two programs, and the child of one"
    supervisor.kill()
    until(lambda: not any(map(is_running, below)))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_everything_within_bounds(process, number):
    supervisor, below = process
    began_at = time.monotonic()
    supervisor.send_signal(number)
    assert supervisor.wait(PATIENCE_S) == 0
    assert time.monotonic() - began_at < 5
    assert not any(map(is_running, below))


def test_a_second_signal_does_not_wait(process):
    supervisor, below = process
    began_at = time.monotonic()
    supervisor.send_signal(signal.SIGINT)
    time.sleep(0.3)
    supervisor.send_signal(signal.SIGINT)
    assert supervisor.wait(PATIENCE_S) == 0
    assert time.monotonic() - began_at < 1.9
    assert not any(map(is_running, below))
