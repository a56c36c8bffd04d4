"""`manage.py reconcile`: whether everything stored of the portfolios ties; each difference with where and how much."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from portfolio.models import PortfolioChange
from portfolio.money import plain
from positions.analytics.periods import Period
from positions.checking.differences import Difference
from positions.checking.reconciliation import Reconciliation, reconcile


class Command(BaseCommand):
    """Compare what is stored, portfolio by portfolio."""

    help = "Checks that stored rows tie; prints every difference, and exits 1 where there is one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--portfolio", action="append", metavar="P", help="this one; may be repeated. Else all")
        parser.add_argument("--start", type=_date, help="statements of (start, end] instead of all time and each year")
        parser.add_argument("--end", type=_date, help="the end of that period; today where it is left out")
        parser.add_argument("--deep", action="store_true", help="also book everything anew and compare it")

    def handle(self, *_args: Any, **options: Any) -> None:
        today = datetime.datetime.now(datetime.UTC).date()
        period = _period(options["start"], options["end"] or today)
        if options["end"] and period is None:
            raise CommandError("--end needs --start")
        asked = _portfolio_ids(options["portfolio"])
        found: list[Reconciliation] = []
        with _progress() as progress:
            bar = progress.add_task("reconciling", total=len(asked))
            for portfolio_id in asked:
                one = reconcile(portfolio_id=portfolio_id, today=today, period=period, deep=options["deep"])
                if one.differences:
                    progress.stop()
                    self.stdout.writelines(f"{_line(difference)}\n" for difference in one.differences)
                    progress.start()
                found.append(one)
                progress.advance(bar)
        self._sum_up(found)

    def _sum_up(self, found: list[Reconciliation]) -> None:
        """The last line. Raises SystemExit where something differs."""
        differences = sum(len(one.differences) for one in found)
        pending = [one.portfolio_id for one in found if one.pending]
        note = f"; {len(pending)} of them pending, compared only in part: {_some(pending)}" if pending else ""
        if differences:
            differing = [one.portfolio_id for one in found if one.differences]
            raise CommandError(
                f"{differences} differences in {len(differing)} of {len(found)} portfolios: {_some(differing)}{note}"
            )
        self.stdout.write(f"{len(found)} portfolios reconcile{note}")


def _progress() -> Progress:
    """A bar on the terminal, on standard error: standard output has the differences."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _line(difference: Difference) -> str:
    by = f", off by {plain(difference.by)}" if difference.by is not None else ""
    where = f"{difference.portfolio_id} {difference.holding}".rstrip()
    return f"{where}: {difference.figure}: {_told(difference.stored)} instead of {_told(difference.expected)}{by}"


def _told(value: Any) -> str:
    return plain(value) if isinstance(value, Decimal) else str(value)


NAMED_MAX = 10


def _some(portfolio_ids: list[str]) -> str:
    more = len(portfolio_ids) - NAMED_MAX
    return ", ".join(portfolio_ids[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")


def _date(text: str) -> datetime.date:
    return datetime.date.fromisoformat(text)


def _period(start: datetime.date | None, end: datetime.date) -> Period | None:
    if start is None:
        return None
    if end < start:
        raise CommandError("the period ends before it starts")
    return Period(start, end)


def _portfolio_ids(named: list[str] | None) -> list[str]:
    known = PortfolioChange.objects.order_by("portfolio_id")
    if not named:
        return list(known.values_list("portfolio_id", flat=True))
    found = set(known.filter(portfolio_id__in=named).values_list("portfolio_id", flat=True))
    if missing := [one for one in named if one not in found]:
        raise CommandError(f"there is no portfolio {', '.join(missing)}")
    return list(dict.fromkeys(named))
