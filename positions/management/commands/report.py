"""`manage.py report PORTFOLIO`: positions, statement, returns and risk of a portfolio, on the terminal."""

from __future__ import annotations

import datetime
import shutil
from typing import IO, Any, cast

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rest_framework.exceptions import APIException, ValidationError
from rich.console import Console

from portfolio.models import CostBasisMethod
from portfolio.reports import REPORT_WIDTH, print_report
from positions.analytics.periods import PERIODS
from positions.periods.reports import report_of

NARROWEST = 80
"""Into fewer columns no table fits that anybody could read."""
OPERATOR = User(username="operator", is_superuser=True)
"""Who may run this reads everything; it is no row of the database."""


class Command(BaseCommand):
    """Print a portfolio."""

    help = "Prints positions, statement, returns and risk of a portfolio; figures are rounded for display only."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("portfolio", metavar="PORTFOLIO")
        parser.add_argument("--as-of", type=datetime.date.fromisoformat, help="positions at the end of this day")
        parser.add_argument("--start", help="the period is (start, end]")
        parser.add_argument("--end", help="its last day; the day of the positions, or today, where it is left out")
        parser.add_argument("--period", choices=PERIODS, help="in place of --start; ITD where neither is given")
        parser.add_argument("--cost-method", choices=CostBasisMethod.values, help="another method than its own")

    def handle(self, *_args: Any, **options: Any) -> None:
        asked = {name: options[name] for name in ("start", "end", "period", "cost_method") if options[name]}
        try:
            report = report_of(OPERATOR, options["portfolio"], as_of=options["as_of"], asked=asked)
        except ValidationError as error:
            raise CommandError("; ".join(_sentences(error.detail))) from error
        except APIException as error:
            raise CommandError(str(error.detail)) from error
        columns = shutil.get_terminal_size((REPORT_WIDTH, 0)).columns
        print_report(report, Console(file=cast(IO[str], self.stdout), width=max(NARROWEST, columns)))


def _sentences(detail: Any) -> list[str]:
    if isinstance(detail, dict):
        return [f"{name} {sentence}" for name, inner in detail.items() for sentence in _sentences(inner)]
    return (
        [sentence for inner in detail for sentence in _sentences(inner)] if isinstance(detail, list) else [str(detail)]
    )
