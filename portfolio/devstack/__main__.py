"""The servers from a shell, without Django: see the package's docstring."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from importlib import import_module
from pathlib import Path

from portfolio.devstack import DevStack, DevStackError
from portfolio.devstack.jars import LOCK, class_path

REVIVE_EVERY_S = 1.0


def say(line: str) -> None:
    """Print at once, though the output be a pipe."""
    print(line, flush=True)


def run(data_dir: Path) -> None:
    """Both servers until Ctrl-C or SIGTERM; one that dies is started again."""
    with DevStack(data_dir, progress=say) as stack:
        say(f"DATABASE_URL={stack.database_url}")
        say(f"KAFKA_BOOTSTRAP_SERVERS={stack.kafka_bootstrap_servers}")
        say("Ctrl-C ends both.")
        while True:
            time.sleep(REVIVE_EVERY_S)
            for name in stack.revive():
                say(f"{name} had died and runs again.")


def main() -> int:
    """Run the command line; the exit code is 1 where something could not be had."""
    parser = argparse.ArgumentParser(prog="python -m portfolio.devstack", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    runner = commands.add_parser("run", help="start both, print their addresses, wait for Ctrl-C")
    runner.add_argument("--data-dir", type=Path, default=Path(".devstack/demo"))
    commands.add_parser("fetch", help="fetch the jars of Apache Kafka, and nothing else")
    commands.add_parser("lock", help=f"resolve the jars anew and write {LOCK.name}")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if arguments.command == "run":
            run(arguments.data_dir)
        elif arguments.command == "fetch":
            class_path(say, threading.Event())
        else:
            import_module("portfolio.devstack.maven").write_lock()
    except KeyboardInterrupt:
        pass
    except DevStackError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
