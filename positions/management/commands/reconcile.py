"""`manage.py reconcile`: whether everything stored of the portfolios ties; each difference with where and how much."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from portfolio.dates import current_day
from portfolio.models import PortfolioChange
from portfolio.money import plain
from positions.analytics.periods import Period
from positions.checking.differences import Difference
from positions.checking.reconciliation import Reconciliation, reconcile

NAMED_MAX = 10
"""So many portfolios are named in the last line."""


class Command(BaseCommand):
    """Compare what is stored, portfolio by portfolio."""

    help = "Checks that stored rows tie; prints every difference, and exits 1 where there is one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--portfolio", action="append", metavar="P", help="this one; may be repeated. Else all")
        parser.add_argument("--start", type=_date, help="statements of (start, end] instead of all time and each year")
        parser.add_argument("--end", type=_date, help="the end of that period; today where it is left out")
        parser.add_argument("--deep", action="store_true", help="also book everything anew and compare it")

    def handle(self, *_args: Any, **options: Any) -> None:
        today = current_day()
        period = _period(options["start"], options["end"] or today)
        if options["end"] and period is None:
            raise CommandError("--end needs --start")
        asked = _portfolio_ids(options["portfolio"])
        found = _Found()
        with _progress() as progress:
            bar = progress.add_task("reconciling", total=len(asked))
            for portfolio_id in asked:
                one = reconcile(portfolio_id=portfolio_id, today=today, period=period, deep=options["deep"])
                if one.differences:
                    progress.stop()
                    self.stdout.writelines(f"{_line(difference)}\n" for difference in one.differences)
                    progress.start()
                found.add(one)
                progress.advance(bar)
        self._sum_up(found)

    def _sum_up(self, found: _Found) -> None:
        """The last line. Raises CommandError where something differs."""
        pending = found.pending
        note = f"; {pending.number} of them pending, compared only in part: {pending}" if pending.number else ""
        if found.differences:
            differing = f"{found.differing.number} of {found.portfolios} portfolios: {found.differing}"
            raise CommandError(f"{found.differences} differences in {differing}{note}")
        self.stdout.write(f"{found.portfolios} portfolios reconcile{note}")


@dataclass(slots=True)
class _Some:
    """Portfolios of which the first are named and all are counted."""

    number: int = 0
    named: list[str] = field(default_factory=list)

    def add(self, portfolio_id: str) -> None:
        self.number += 1
        if self.number <= NAMED_MAX:
            self.named.append(portfolio_id)

    def __str__(self) -> str:
        more = self.number - len(self.named)
        return ", ".join(self.named) + (f" and {more} more" if more else "")


@dataclass(slots=True)
class _Found:
    """What has been found so far: the differences are told as they are found, and not kept."""

    portfolios: int = 0
    differences: int = 0
    differing: _Some = field(default_factory=_Some)
    pending: _Some = field(default_factory=_Some)

    def add(self, one: Reconciliation) -> None:
        self.portfolios += 1
        self.differences += len(one.differences)
        if one.differences:
            self.differing.add(one.portfolio_id)
        if one.pending:
            self.pending.add(one.portfolio_id)


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
