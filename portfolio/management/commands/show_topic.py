"""`manage.py show_topic TOPIC`: prints records as a person reads them."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portfolio.streaming.broker import BrokerUnavailable, Record, TopicMissing
from portfolio.streaming.kafka import read_topic
from portfolio.streaming.messages import TOPICS


class Command(BaseCommand):
    """Print the records of a topic; no group's offsets are touched."""

    help = f"Prints records of a topic: {', '.join(TOPICS)}."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("topic")
        parser.add_argument("--max-messages", type=int, default=10, metavar="N", help="so many at most (default 10)")
        parser.add_argument("--newest", action="store_true", help="the newest records instead of the oldest")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            records = list(
                read_topic(options["topic"], records_max=max(1, options["max_messages"]), newest=options["newest"])
            )
        except (TopicMissing, BrokerUnavailable) as error:
            raise CommandError(str(error)) from error
        for record in records:
            for line in _lines(record):
                self.stdout.write(line)
        self.stderr.write(f"{len(records)} records of {options['topic']}")


def _lines(record: Record) -> Iterator[str]:
    at = datetime.datetime.fromtimestamp(record.timestamp_ms / 1000, datetime.UTC)
    yield f"{record.topic}[{record.partition}]@{record.offset}  {at:%Y-%m-%dT%H:%M:%S.%f}Z  key {_shown(record.key)}"
    for name, value in record.headers.items():
        yield f"    {name}: {value.encode(errors='backslashreplace').decode()}"
    yield f"    {_shown(record.value)}"


def _shown(value: bytes | None) -> str:
    """Text where it is some, with what a terminal would act on spelled out."""
    if value is None:
        return "(none)"
    text = value.decode(errors="backslashreplace")
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
