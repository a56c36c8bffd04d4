"""`manage.py ensure_topics`: makes the topics that are missing."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portfolio.streaming.broker import BrokerUnavailable
from portfolio.streaming.topics import TopicsRefused, ensure_topics


class Command(BaseCommand):
    """Create the topics that are missing, and report what differs in the others."""

    help = "Creates the topics that are missing. Existing ones are not changed; what differs is reported."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--timeout", type=float, default=60.0, metavar="SECONDS", help="how long to wait for a broker (default 60)"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            ensured = ensure_topics(
                wait_s=options["timeout"], on_wait=lambda reason: self.stderr.write(f"waiting for the broker: {reason}")
            )
        except (TopicsRefused, BrokerUnavailable) as error:
            raise CommandError(str(error)) from error
        for topic in ensured.created:
            self.stdout.write(f"created {topic}")
        for line in ensured.differences:
            self.stderr.write(line)
        if not ensured.created:
            self.stdout.write("all topics are there")
