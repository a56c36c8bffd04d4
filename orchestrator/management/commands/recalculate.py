"""`manage.py recalculate`: asks for the calculation of portfolios again, from scratch or where it failed."""

from __future__ import annotations

import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from orchestrator.recalculation import recalculate
from portfolio.streaming.kafka import shared_producer


class Command(BaseCommand):
    """Recalculate portfolios, from scratch unless told otherwise."""

    help = "Asks for the calculation of portfolios again: from scratch, or with --failed only where something is owed."

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--portfolio", action="append", metavar="ID", help="a portfolio; may be repeated")
        which.add_argument("--all", action="store_true", help="every portfolio")
        parser.add_argument(
            "--failed",
            action="store_true",
            help="not from scratch: try again what failed, however often it was, and what is owed",
        )

    def handle(self, **options: Any) -> None:
        chosen: set[str] | None = None if options["all"] else set(options["portfolio"])
        asked = recalculate(
            portfolio_ids=chosen,
            rebuild=not options["failed"],
            producer=shared_producer(),
            now=datetime.datetime.now(datetime.UTC),
        )
        later = "" if asked.woken else "; the broker does not answer: the orchestrator's sweep comes to it"
        self.stdout.write(f"asked again for {asked.portfolios} portfolios{later}")
        if chosen is not None and asked.portfolios < len(chosen):
            raise CommandError(f"{len(chosen) - asked.portfolios} of the {len(chosen)} portfolios named do not exist")
