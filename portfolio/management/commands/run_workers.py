"""`manage.py run_workers`: all workers of the system, supervised, in one terminal or one container.

Each worker is the management command of its name and nothing more, so that whoever has a service manager runs the
commands with that instead. What the supervisor adds: a worker that falls is started again, one that asks for a person
(exit code 3) stays down while the others go on, and the metrics of all of them are served at one port.
"""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector

from portfolio.supervisor import STAYS_DOWN, Program, Supervisor

WORKERS = (
    "consume_transactions",
    "consume_market_data",
    "run_orchestrator",
    "calculate_positions",
    "calculate_valuations",
)
PROCESSES_MAX = 64


def worker_programs(
    *,
    only: Collection[str] = WORKERS,
    processes: Mapping[str, int] | None = None,
    env: Mapping[str, str] | None = None,
) -> list[Program]:
    """The workers as programs, those named by `only`; `processes` says how many of one there are, where not one."""
    return [
        Program(
            name=worker if number == 1 else f"{worker}.{number}",
            argv=(sys.executable, str(settings.BASE_DIR / "manage.py"), worker),
            env={**_membership(number), **(env or {})},
        )
        for worker in WORKERS
        if worker in only
        for number in range(1, (processes or {}).get(worker, 1) + 1)
    ]


@contextmanager
def shared_metrics(port: int) -> Iterator[dict[str, str]]:
    """Serve the metrics of several processes at one port; yields what goes into their environment.

    Port 0 serves nothing. Raises CommandError where the port is taken.
    """
    if not port:
        yield {"METRICS_PORT": "0"}
        return
    with TemporaryDirectory(prefix="metrics-") as directory:
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=directory)
        try:
            server, thread = start_http_server(port, registry=registry)
        except OSError as error:
            raise CommandError(f"METRICS_PORT {port}: {error.strerror}") from error
        try:
            yield {"METRICS_PORT": "0", "PROMETHEUS_MULTIPROC_DIR": directory}
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class Command(BaseCommand):
    """Run the workers under a supervisor until SIGINT or SIGTERM."""

    help = f"Runs {', '.join(WORKERS)}: starts again what falls, and stops all of them together."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--only", nargs="+", choices=WORKERS, default=WORKERS, metavar="NAME", help="these alone")
        parser.add_argument(
            "--processes",
            nargs="+",
            type=_processes,
            default=(),
            metavar="NAME=NUMBER",
            help="several processes of one worker: --processes consume_transactions=2 calculate_positions=3",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        with shared_metrics(settings.METRICS_PORT) as env:
            programs = worker_programs(only=options["only"], processes=dict(options["processes"]), env=env)
            supervisor = Supervisor(programs)
            supervisor.run_forever()
        if supervisor.down:
            raise CommandError(f"had to stay down: {', '.join(supervisor.down)}", returncode=STAYS_DOWN)


def _membership(number: int) -> dict[str, str]:
    """Its own static membership of the group for every further process of a worker, where these are wanted."""
    if settings.KAFKA_GROUP_INSTANCE_ID and number > 1:
        return {"KAFKA_GROUP_INSTANCE_ID": f"{settings.KAFKA_GROUP_INSTANCE_ID}-{number}"}
    return {}


def _processes(text: str) -> tuple[str, int]:
    worker, _, number = text.partition("=")
    if worker not in WORKERS or not number.isdecimal() or not 1 <= int(number) <= PROCESSES_MAX:
        raise ArgumentTypeError(
            f"{text!r} is not NAME=NUMBER with a NAME of {', '.join(WORKERS)} and a NUMBER from 1 to {PROCESSES_MAX}"
        )
    return worker, int(number)
