"""What every answer about a portfolio has in common: its head, what its data is worth, what was not booked as asked.

The head says what was answered: which portfolio, of which day or period, from which knowledge, by which method, and
whether calculations are on their way. `remarks` say what is missing or doubtful in the data behind the figures,
`sources` which prices and rates they rest on, `exceptions` which transactions were left out or booked otherwise.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from portfolio.models import CashMode
from portfolio.queries import AnyUser
from positions.analytics.days import Day
from positions.analytics.periods import Period
from positions.checking.exceptions import open_exceptions
from positions.pending import pending_answer
from positions.periods.days import first_transaction_of, stored_days
from positions.periods.questions import asked_period
from positions.periods.sources import Remarks, Sources, remarks_listed
from positions.queries import Pending
from positions.valuing.day_rows import remark_answer, remarks_of
from positions.variants.asked import Reading, reading_of

Answer = dict[str, Any]


def framed(
    found: Reading,
    figures: Mapping[str, Any],
    sources: Sources,
    *,
    pending: Pending | None = None,
    securities: Collection[str] | None = None,
) -> Answer:
    """An answer about the portfolio that was read, in whole. `pending` is what is pending beside the positions;
    `securities` are those that it is about, where it is not about all.
    """
    return {
        **head_of(found, pending=pending),
        **figures,
        **remarks_listed(sources.remarks),
        **({"sources": sources.days} if sources.days else {}),
        **open_exceptions(found, securities),
    }


def head_of(found: Reading, *, pending: Pending | None = None) -> Answer:
    """What the answer begins with."""
    variant, state = found.variant, found.state
    pending = found.pending or pending
    tracked = variant.terms.cash_tracked if variant else state.cash_tracked
    return {
        **found.head(),
        "base_currency": base_currency_of(found),
        "cash_mode": (CashMode.TRACKED if tracked else CashMode.UNTRACKED).value,
        "provisional": variant.snapshot.provisional_portfolio if variant else state.provisional,
        "pending": pending_answer(pending),
    }


def base_currency_of(found: Reading) -> str:
    """The currency of its base amounts: that of the rows, which may not be that of today's settings yet."""
    return found.variant.terms.base_currency if found.variant else found.state.base_currency


def pending_days(found: Reading) -> Pending | None:
    """What is pending of the positions, or of the days that are valued from them."""
    return found.pending if found.variant else stored_days(found).pending


@dataclass(frozen=True, slots=True)
class PeriodReading:
    """A portfolio, read for a period."""

    found: Reading
    name: str | None
    period: Period

    def framed(
        self,
        figures: Mapping[str, Any],
        sources: Sources,
        *,
        of_days: bool = False,
        securities: Collection[str] | None = None,
    ) -> Answer:
        """An answer about the period. `of_days`: it is made from daily values, which may be on their way too."""
        pending = pending_days(self.found) if of_days else None
        dates = {"period": self.name, "start": self.period.start, "end": self.period.end}
        return framed(self.found, {**dates, **figures}, sources, pending=pending, securities=securities)

    def day_remarks(self, days: Sequence[Day]) -> Remarks:
        """What is flagged or missing on the days of the period, its start included: one remark for each code. `days`
        are those of a variant; of stored ones the rows say it.
        """
        start, end = self.period.start, self.period.end
        found = remarks_of(days) if self.found.variant else stored_days(self.found).remarks(start, end)
        return [remark_answer(one) for one in found]

    def benchmark_id(self, asked: str | None) -> str | None:
        """The benchmark asked for, or else the portfolio's own, if it names one."""
        if asked:
            return asked
        settings = self.found.standing.settings
        return settings.benchmark_security_id if settings else None


@contextmanager
def reading_period(user: AnyUser, portfolio_id: str, asked: dict[str, Any]) -> Iterator[PeriodReading]:
    """The portfolio and the period that a checked `PeriodQuery` asks for.

    Raises what `reading_of` does, and rest_framework's ValidationError.
    """
    with reading_of(user, portfolio_id, asked, every_day=True) as found:
        of = asked_period(asked, None if asked.get("start") else first_transaction_of(found))
        yield PeriodReading(found, of.name, of.period)
