"""A portfolio's days: what it was worth at the end of each, and what crossed its border in it.

A value stands until something it is made of changes: the state of the holding, the quote, a rate. So each holding is
walked through the days with the state and the quote in hand, and valued again only where one of these is another; days
on which nothing can be are not looked at one by one.
"""

from __future__ import annotations

import datetime
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from portfolio.amounts import (
    NIL,
    Amount,
    Base,
    number_of,
)
from portfolio.dates import ONE_DAY
from portfolio.money import exact
from positions.analytics.days import Day
from positions.analytics.history import History, MoveValue, Timeline
from positions.analytics.walks import NO_FLAGS, NOTHING, CashWalk, SecurityWalk, Worth
from positions.engine.holdings import Holding, HoldingKey, Kind

OF_DAY = {
    "inflow": "inflow_base",
    "outflow": "outflow_base",
    "income": "income_base",
    "fees": "fees_base",
    "taxes": "taxes_base",
    "fees_in_cost": "fees_in_cost_base",
}
"""What a day adds up of all holdings, and the sum of a holding whose growth it is."""


@dataclass(slots=True)
class _Sums:
    """A day while it is added up."""

    securities: Amount[Base] = NIL
    cash: Amount[Base] = NIL
    of_day: dict[str, Amount[Base]] = field(default_factory=lambda: dict.fromkeys(OF_DAY, NIL))
    flags: frozenset[str] = NO_FLAGS
    missing: str = ""

    def note(self, worth: Worth) -> None:
        if worth.flags and not self.flags.issuperset(worth.flags):
            self.flags |= worth.flags
        # Of several reasons always the same one, in whatever order the holdings come: a price before a rate.
        self.missing = max(self.missing, worth.missing)


def daily_values(history: History, first: datetime.date, last: datetime.date) -> list[Day]:
    """The days from `first` to `last`, both included, in base currency. Empty where `last` is before `first`."""
    with exact():
        sums = [_Sums() for _ in range((last - first).days + 1)]
        for key in history.timelines:
            if key.kind is Kind.CASH and not history.cash_tracked:
                continue
            for start, end, worth in _runs(history, key, first, last):
                _add_worth(sums[start : end + 1], worth, is_cash=key.kind is Kind.CASH)
        _add_what_happened(history, sums, first, last)
        return [_day(first + index * ONE_DAY, of_day) for index, of_day in enumerate(sums)]


def _add_worth(days: Sequence[_Sums], worth: Worth, *, is_cash: bool) -> None:
    if worth.flags or worth.missing:
        for day in days:
            day.note(worth)
    if is_cash:
        for day in days:
            day.cash += worth.value
    else:
        for day in days:
            day.securities += worth.value


def _add_what_happened(history: History, sums: Sequence[_Sums], first: datetime.date, last: datetime.date) -> None:
    before = first - ONE_DAY
    for timeline in history.timelines.values():
        for earlier, state, date in timeline.changes(before, last):
            of_day = sums[(date - first).days].of_day
            for name, total in OF_DAY.items():
                of_day[name] += state.grown(total, earlier)
    for value in history.moves_in(before, last):
        if value.crosses_border:
            _add_flow(sums[(value.move.date - first).days], value)


def _add_flow(day: _Sums, value: MoveValue) -> None:
    if value.move.target_id:
        day.of_day["inflow"] += value.worth
    else:
        day.of_day["outflow"] -= value.worth


def _day(date: datetime.date, sums: _Sums) -> Day:
    # From here on all is base.
    return Day(
        date=date,
        value=number_of(sums.securities + sums.cash),
        securities=number_of(sums.securities),
        cash=number_of(sums.cash),
        flags=sums.flags,
        missing=sums.missing,
        **{name: number_of(amount) for name, amount in sums.of_day.items()},
    )


# --- one holding --------------------------------------------------------------------------------------------------


def worths(history: History, key: HoldingKey, first: datetime.date, last: datetime.date) -> Iterator[tuple[int, Worth]]:
    """What a holding was worth at the end of each day on which there was any of it, by the day's number from `first`.

    Needs the arithmetic of `portfolio.money.exact`.
    """
    for start, end, worth in _runs(history, key, first, last):
        for number in range(start, end + 1):
            yield number, worth


def _runs(
    history: History, key: HoldingKey, first: datetime.date, last: datetime.date
) -> Iterator[tuple[int, int, Worth]]:
    """The same by the numbers of the first and the last of several days on which the worth is one."""
    walk = CashWalk(history) if key.kind is Kind.CASH else SecurityWalk(history, key.security_id)
    for held, since, until in _spans(history.timelines[key], first, last):
        day = since
        while held.quantity and day <= until:
            worth = walk.step(held, day, since)
            end = walk.stands_until(held, day, until)
            yield (day - first).days, (end - first).days, worth
            day = end + ONE_DAY


def worth_changes(
    history: History, key: HoldingKey, first: datetime.date, last: datetime.date
) -> Iterator[tuple[int, Worth]]:
    """The same, but for days that are sure to have the worth of the day before: those between two quotes in base
    currency are passed over, and a day on which nothing is left has NOTHING. Flags are not kept.
    """
    walk = CashWalk(history) if key.kind is Kind.CASH else SecurityWalk(history, key.security_id)
    for held, since, until in _spans(history.timelines[key], first, last):
        if not held.quantity:
            yield (since - first).days, NOTHING
        elif held.currency == history.base_currency:
            for day, worth in walk.changes(held, since, until):
                yield (day - first).days, worth
        else:
            for number in range((since - first).days, (until - first).days + 1):
                yield number, walk.step(held, first + number * ONE_DAY, since)


def _spans(
    timeline: Timeline, first: datetime.date, last: datetime.date
) -> Iterator[tuple[Holding, datetime.date, datetime.date]]:
    """The states that stood between two days, each with its first and last day there."""
    for index in range(max(0, bisect_right(timeline.dates, first) - 1), len(timeline.dates)):
        since = max(timeline.dates[index], first)
        until = min(timeline.dates[index + 1] - ONE_DAY, last) if index + 1 < len(timeline.dates) else last
        if since <= until:
            yield timeline.states[index], since, until
