"""`python -m tests.bench [--quick] [NAME ..]`: run the benches one after another and print what they found."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import time
from importlib import import_module

from rich.console import Console

from portfolio.devstack import DevStack, DevStackError
from tests.bench.figures import FULL, QUICK
from tests.bench.system import BASE_DIR, System

BENCHES = ("persistence", "posts", "bank_day", "latency", "new_trade", "old_trade", "reads")
TABLE_WIDTH = 110


def main() -> int:
    """Run the command line; the exit code is 1 where a bench failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("benches", nargs="*", metavar="NAME", help=f"these alone, of {', '.join(BENCHES)}")
    parser.add_argument("--quick", action="store_true", help="smaller sizes: to see that it runs, not how fast")
    arguments = parser.parse_args()
    if unknown := set(arguments.benches) - set(BENCHES):
        parser.error(f"no bench is called {', '.join(sorted(unknown))}")
    sizes = QUICK if arguments.quick else FULL
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console()
    console.width = max(console.width, TABLE_WIDTH)
    data_dir = BASE_DIR / ".devstack" / f"bench-{os.getpid()}"
    try:
        with DevStack(data_dir, progress=_say) as stack:
            system = System(stack)
            _prepare()
            for name in arguments.benches or BENCHES:
                _say(f"{name} .. (load {os.getloadavg()[0]:.1f})")
                started_at = time.monotonic()
                try:
                    findings = import_module(f"tests.bench.{name}").measure(system, sizes)
                except BaseException:
                    sys.stderr.write("".join(f"{line}\n" for line in system.lines))
                    raise
                _say(f"{name} took {time.monotonic() - started_at:.0f} s (load {os.getloadavg()[0]:.1f})")
                findings.show(console)
    except DevStackError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(data_dir, ignore_errors=True)
    return 0


def _prepare() -> None:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def _say(line: str) -> None:
    print(f"bench | {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
