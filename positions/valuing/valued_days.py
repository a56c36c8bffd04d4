"""Reading a portfolio's daily values: the stored rows, and what no row says yet worked out by the same code.

Days without a row (today, before its calculation) are worked out for the answer, and so are those that are owed anew
(a trade was booked a moment ago). Where the latter are many (a correction of something long ago), their rows are given
as they stand, and `pending` says so: a read stays quick.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

from portfolio.dates import ONE_DAY
from positions.analytics.days import Day
from positions.analytics.series import daily_values
from positions.calculating.market import market
from positions.models import PortfolioState, ValuationState
from positions.queries import Pending
from positions.standing import Standing
from positions.valuing.day_rows import (
    Remark,
    read_days,
    read_days_of_returns,
    read_remarks,
    read_telling_days,
    remarks_of,
)
from positions.valuing.due_days import Due, plan_days
from positions.valuing.timelines import FOR_VALUES, Span, read_histories

WORKED_OUT_VALUES_MAX = 50_000
"""So many holdings times days are valued for one answer, of those that have a row."""


@dataclass(frozen=True, slots=True)
class ValuedDays:
    """The days of a portfolio from `first` to `last`; without `first` there are none. In `state.base_currency`."""

    state: PortfolioState
    stored: ValuationState | None
    first: datetime.date | None
    last: datetime.date
    owed: Sequence[Span]
    """The days that are worked out for the answer, in order."""
    pending: Pending | None

    def between(self, first: datetime.date, last: datetime.date) -> list[Day]:
        """Those of the portfolio's days that lie from `first` to `last`, each once, in order."""
        return self._read(first, last, read_days)

    def of_returns(self, first: datetime.date, last: datetime.date, *, gross: bool) -> list[Day]:
        """The same with what returns are made of: see `day_rows.read_days_of_returns`."""
        return self._read(first, last, partial(read_days_of_returns, gross=gross))

    def telling(
        self, first: datetime.date, last: datetime.date, *, marks: Collection[datetime.date], gross: bool
    ) -> list[Day]:
        """Of these days at least the marks and those that returns are made from: see `analytics.performance`."""
        return self._read(first, last, partial(read_telling_days, marks=marks, gross=gross))

    def remarks(self, first: datetime.date, last: datetime.date) -> list[Remark]:
        """What is flagged or missing on these days."""
        own = [span for span in self.owed if span.first <= last and span.last >= first]
        return remarks_of(self.between(first, last)) if own else read_remarks(self.state.portfolio_id, first, last)

    def _read(self, first: datetime.date, last: datetime.date, read: Callable[..., list[Day]]) -> list[Day]:
        if self.first is None:
            return []
        first, last = max(first, self.first), min(last, self.last)
        owed = [
            Span(span.portfolio_id, max(first, span.first), min(last, span.last))
            for span in self.owed
            if span.first <= last and span.last >= first
        ]
        histories = read_histories(owed, states={self.state.portfolio_id: self.state}, figures=FOR_VALUES)
        days: list[Day] = []
        for span, history in zip(owed, histories, strict=True):
            if first < span.first:
                days += read(self.state.portfolio_id, first, span.first - ONE_DAY)
            days += daily_values(history, span.first, span.last)
            first = span.last + ONE_DAY
        return days + read(self.state.portfolio_id, first, last) if first <= last else days


def valued_days(*, standing: Standing, today: datetime.date, pending: Pending | None = None) -> ValuedDays:
    """The daily values of a portfolio up to today, or to its last entry. The caller has one database snapshot.

    `pending` is what it has found to be pending of the positions; of the days themselves it is found out here.
    """
    market.refresh(standing.market_seq)
    state, stored = standing.state, standing.valued
    if of_now := standing.days_of_now(today):
        return ValuedDays(state, stored, *of_now, (), pending)
    portfolio_id = state.portfolio_id
    plan = plan_days(
        {portfolio_id: stored or ValuationState(portfolio_id=portfolio_id)},
        {portfolio_id: state},
        {portfolio_id: today},
    )
    (due,) = plan.due
    if pending is None and stored and any(stored.last_date and span.first <= stored.last_date for span in due.spans):
        pending = Pending(state.computed_at or standing.mark.recorded_at, stored.error)
    return ValuedDays(state, stored, due.first, due.last, _worked_out(due, stored), pending)


def _worked_out(due: Due, stored: ValuationState | None) -> list[Span]:
    """The days to be valued, or, where these are many, only those that have no row."""
    if stored is None or stored.first_date is None or stored.last_date is None:
        return list(due.spans)
    days = sum((span.last - span.first).days + 1 for span in due.spans)
    if days * len(due.held) <= WORKED_OUT_VALUES_MAX:
        return list(due.spans)
    before_rows, after_rows = stored.first_date - ONE_DAY, stored.last_date + ONE_DAY
    return [
        *[Span(p, first, min(last, before_rows)) for p, first, last in due.spans if first <= before_rows],
        *[Span(p, max(first, after_rows), last) for p, first, last in due.spans if last >= after_rows],
    ]
