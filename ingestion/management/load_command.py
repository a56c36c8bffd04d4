"""What the commands that load a file share: options, progress, the report and the exit code."""

from __future__ import annotations

import time
import uuid
from abc import ABC, abstractmethod
from argparse import ArgumentTypeError
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from ingestion import formats
from ingestion.entities import Entity
from ingestion.lines import Line
from ingestion.loading import LoadedBatch, OpenFile, Rehearsal, load, opened
from portfolio.streaming.broker import BrokerUnavailable, Producer
from portfolio.streaming.kafka import KafkaProducer
from portfolio.validation import Refused

LINGER_MS = 5
REFUSALS_SHOWN_MAX = 1000
PROGRESS_INTERVAL_S = 5.0
Tell = Callable[[int, int], None]
"""Of how far a file is read, in bytes, and how many records have been accepted."""
Say = Callable[[str], object]


class LoadCommand(ABC, BaseCommand):
    """A management command that publishes the records of a file."""

    entity: ClassVar[Entity]
    requires_system_checks = ()

    @abstractmethod
    def lines(self, file: OpenFile, options: dict[str, Any]) -> Iterator[Line]:
        """The records of the file. Raises Unreadable, Refused."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE", help="CSV in UTF-8, or a zip archive of one such file")
        parser.add_argument(
            "--version",
            type=_version,
            default="1",
            metavar="N",
            dest="record_version",
            help="the version of every record whose line names none: a higher one corrects (default 1)",
        )
        parser.add_argument("--dry-run", action="store_true", help="read and check everything, publish nothing")

    def create_parser(self, prog_name: str, subcommand: str, **options: Any) -> CommandParser:
        # Django gives every command a --version of its own; here it is the records'.
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **options)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Raises CommandError where nothing was accepted, or not everything could be read or published."""
        path: Path = options["file"]
        started = time.monotonic()
        loaded = _Loaded()
        producer: Producer = Rehearsal() if options["dry_run"] else KafkaProducer(linger_ms=LINGER_MS)
        try:
            with ExitStack() as stack:
                file = stack.enter_context(opened(path))
                tell, say = stack.enter_context(self._progress(path, file.size))
                headers = {"request_id": uuid.uuid4().hex, "content-type": formats.JSON}
                lines = self.lines(file, options)
                for batch in load(lines, entity=self.entity, headers=headers, producer=producer):
                    loaded.add(batch, say)
                    tell(file.position, loaded.accepted)
        except BrokerUnavailable as error:
            again = "load the file again when the broker is back, a repeat has no second effect"
            raise CommandError(f"{error}{loaded.so_far}; {again}") from error
        except (OSError, formats.Unreadable, Refused) as error:
            raise CommandError(f"{path}: {error}{loaded.so_far}") from error
        finally:
            producer.close()
        seconds = time.monotonic() - started
        self.stdout.write(f"{path}: {loaded.told(seconds=seconds, dry_run=options['dry_run'])}")
        if not loaded.accepted:
            raise CommandError(f"{path}: nothing was accepted")

    @contextmanager
    def _progress(self, path: Path, size: int) -> Iterator[tuple[Tell, Say]]:
        """How progress is told and a line said: with a bar on a terminal, elsewhere with a line now and then."""
        console = Console(stderr=True)
        if not console.is_terminal:
            yield _Lines(self, size), self.stderr.write
            return
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        with Progress(*columns, TextColumn("{task.fields[accepted]:,} accepted"), console=console) as progress:
            task = progress.add_task(path.name, total=size, accepted=0)

            def tell(position: int, accepted: int) -> None:
                progress.update(task, completed=position, accepted=accepted)

            yield tell, partial(console.print, markup=False, highlight=False, soft_wrap=True)


class _Lines:
    """Progress for a log."""

    def __init__(self, command: BaseCommand, size: int) -> None:
        self._command, self._size = command, size
        self._due_at = time.monotonic() + PROGRESS_INTERVAL_S

    def __call__(self, position: int, accepted: int) -> None:
        if time.monotonic() >= self._due_at:
            share = position / self._size if self._size else 1
            self._command.stderr.write(f"{share:.0%} read, {accepted:,} accepted")
            self._due_at = time.monotonic() + PROGRESS_INTERVAL_S


class _Loaded:
    """What has become of the file so far; refused lines are named as they are met."""

    def __init__(self) -> None:
        self.accepted = self.refused = 0
        self._passed_over = Counter[str]()

    def add(self, batch: LoadedBatch, say: Say) -> None:
        shown = max(0, REFUSALS_SHOWN_MAX - self.refused)
        for one in batch.refused[:shown]:
            say(str(one))
        if 0 < shown < len(batch.refused):
            say(f"more lines than {REFUSALS_SHOWN_MAX:,} are refused; the others are counted")
        self.accepted += batch.accepted
        self.refused += len(batch.refused)
        self._passed_over += batch.passed_over

    @property
    def so_far(self) -> str:
        return f" ({self.accepted:,} records were accepted before)" if self.accepted else ""

    def told(self, *, seconds: float, dry_run: bool) -> str:
        would = "would be accepted (nothing is published)" if dry_run else "accepted"
        pace = f"{(self.accepted + self.refused) / seconds:,.0f} a second"
        counts = [f"{self.accepted:,} {would}", f"{self.refused:,} refused"]
        counts += [f"{number:,} passed over: {why}" for why, number in self._passed_over.items()]
        return f"{', '.join(counts)}; {pace}"


def _version(text: str) -> str:
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return text
