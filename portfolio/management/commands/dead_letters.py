"""`manage.py dead_letters`: the inbox of what could not be taken, and what to do about it."""

from __future__ import annotations

import datetime
import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.table import Table
from rich.text import Text

from portfolio.models import DeadLetter, StoppedWorker
from portfolio.operations import LetterRefused, discard_dead_letter, resume_worker, retry_dead_letter
from portfolio.streaming.broker import BrokerUnavailable, RecordTooLarge
from portfolio.streaming.kafka import KafkaProducer

WIDTH = 180
"""Columns of the table at least: a record's place is of no use in parts."""


class Command(BaseCommand):
    """List the inbox; retry or discard letters; let a stopped group go on."""

    help = "Lists the records that were set aside. Retries or discards them, and lets a stopped consumer group go on."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--retry", type=int, nargs="+", metavar="ID", help="publish these records again")
        parser.add_argument("--discard", type=int, nargs="+", metavar="ID", help="close these letters")
        parser.add_argument("--resume", metavar="GROUP", help="let this consumer group start again")
        parser.add_argument("--all", action="store_true", help="list settled letters, too")
        parser.add_argument("--limit", type=int, default=50, metavar="N", help="list so many at most (default 50)")

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["resume"]:
            self._resume(options["resume"])
        for number in options["discard"] or ():
            self._discard(number)
        if options["retry"]:
            with KafkaProducer() as producer:
                for number in options["retry"]:
                    self._retry(number, producer)
        if not (options["resume"] or options["discard"] or options["retry"]):
            self._list(every=options["all"], limit=options["limit"])

    def _resume(self, group: str) -> None:
        if not resume_worker(group=group):
            raise CommandError(f"{group} had not stopped itself")
        self.stdout.write(f"{group} may be started again")

    def _discard(self, number: int) -> None:
        try:
            discard_dead_letter(letter=_letter(number), by=_operator(), at=datetime.datetime.now(datetime.UTC))
        except LetterRefused as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"letter {number} is discarded")

    def _retry(self, number: int, producer: KafkaProducer) -> None:
        now = datetime.datetime.now(datetime.UTC)
        try:
            receipt = retry_dead_letter(letter=_letter(number), by=_operator(), at=now, producer=producer)
        except (LetterRefused, RecordTooLarge, BrokerUnavailable) as error:
            raise CommandError(f"letter {number}: {error}") from error
        self.stdout.write(f"letter {number} is published as {receipt.topic}[{receipt.partition}]@{receipt.offset}")

    def _list(self, *, every: bool, limit: int) -> None:
        for stopped in StoppedWorker.objects.order_by("consumer_group"):
            self.stderr.write(f"{stopped.consumer_group} stopped at {stopped.stopped_at:%F %T}: {stopped.reason}")
        letters = DeadLetter.objects.order_by("-recorded_at", "-pk")
        if not every:
            letters = letters.filter(status=DeadLetter.Status.OPEN)
        table = Table("id", "recorded at", "status", "record", "group", "portfolio", "code", "reason")
        for letter in letters[: max(0, limit)]:
            table.add_row(
                str(letter.pk),
                f"{letter.recorded_at:%F %T}",
                letter.status,
                f"{letter.topic}[{letter.partition}]@{letter.offset}",
                letter.consumer_group,
                Text(letter.portfolio_id),
                letter.code,
                Text(letter.reason),
            )
        console = Console()
        console.width = max(console.width, WIDTH)
        with console.capture() as printed:
            console.print(table)
        self.stdout.write(printed.get(), ending="")
        self.stdout.write(f"{table.row_count} of {letters.count()} letters")


def _letter(number: int) -> DeadLetter:
    try:
        return DeadLetter.objects.get(pk=number)
    except DeadLetter.DoesNotExist as error:
        raise CommandError(f"there is no letter {number}") from error


def _operator() -> str:
    """Whoever runs the command, as the machine knows them."""
    return f"{getpass.getuser()} (command line)"
