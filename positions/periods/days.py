"""A portfolio through a period, as it was asked for: its history, and its days.

Whatever a question about a period is answered with is made from one of the two, by the code that `evaluate` uses too.
Of the stored portfolio a history is read from the rows, and no more of it than the days need; days are rows themselves.
Of a variant, which was booked for the question, both are worked out.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import replace

from portfolio.dates import ONE_DAY, current_day
from portfolio.money import ZERO
from positions.analytics.days import Day
from positions.analytics.history import History, Quote
from positions.analytics.series import daily_values
from positions.engine.holdings import Kind
from positions.periods.histories import read_ends
from positions.valuing.due_days import days_before_the_first_entries
from positions.valuing.timelines import FOR_GAINS, Span, read_histories
from positions.valuing.valued_days import ValuedDays
from positions.variants.asked import Reading
from positions.variants.booked import Variant


def history_of(found: Reading, first: datetime.date, last: datetime.date) -> History:
    """What the portfolio held at the end of every day from `first` to `last`, and the market of these days: of its
    holdings what days and gains are made of.

    A variant has to be read with `every_day`, and `as_of` not before `last`.
    """
    if found.variant:
        return _booked(found.variant, first, last)
    span = Span(found.mark.portfolio_id, first, last)
    (history,) = read_histories([span], states={span.portfolio_id: found.state}, figures=FOR_GAINS)
    return history


def days_of(found: Reading, first: datetime.date, last: datetime.date) -> list[Day]:
    """Every day from `first` to `last`, both included; before the first transaction there is nothing."""
    if found.variant:
        return daily_values(_booked(found.variant, first, last), first, last)
    return with_nothing_before(stored_days(found).between(first, last), first, last)


def days_of_returns(found: Reading, first: datetime.date, last: datetime.date) -> list[Day]:
    """The same days with no more of each than returns before fees are made of: see `valuing.day_rows`."""
    if found.variant:
        return days_of(found, first, last)
    return with_nothing_before(stored_days(found).of_returns(first, last, gross=False), first, last)


def statement_history(found: Reading, start: datetime.date, end: datetime.date) -> History:
    """As much of the history as the statement of (start, end] is made of."""
    return _booked(found.variant, start, end) if found.variant else read_ends(found.state, start, end)


def first_transaction_of(found: Reading) -> datetime.date | None:
    """The day of the portfolio's first transaction, of those booked; None where there is none."""
    if found.variant:
        return found.variant.history.first_date
    if of_now := found.standing.days_of_now(current_day()):
        return of_now[0] + ONE_DAY
    portfolio_id = found.mark.portfolio_id
    day_before = days_before_the_first_entries([portfolio_id])[portfolio_id]
    return day_before + ONE_DAY if day_before else None


def stored_days(found: Reading) -> ValuedDays:
    """The days of the portfolio's rows, up to today or its last entry."""
    return found.stored_days


def with_nothing_before(days: list[Day], first: datetime.date, last: datetime.date) -> list[Day]:
    """The days of a portfolio and, before its own, those from `first` on that it has none for; `last` is the last."""
    begins = days[0].date if days else last + ONE_DAY
    return [Day(first + number * ONE_DAY, ZERO) for number in range((begins - first).days)] + days


def _booked(variant: Variant, first: datetime.date, last: datetime.date) -> History:
    """The variant's history with the quotes of these days, and those that a change of symbol carried."""
    history = variant.history
    securities = [key.security_id for key in history.timelines if key.kind is Kind.SECURITY]
    quotes: dict[str, Sequence[Quote]] = dict(variant.market.quotes_between(securities, first, last))
    for day, symbols in _carried(history).items():
        for symbol, quote in variant.market.last_quotes(symbols, day).items():
            quotes[symbol] = sorted({quote, *quotes.get(symbol, ())})
    return replace(history, quotes=quotes)


def _carried(history: History) -> Mapping[datetime.date, set[str]]:
    """The old symbols whose price was carried, by the days on which they were changed."""
    carried: dict[datetime.date, set[str]] = {}
    for timeline in history.timelines.values():
        for state in timeline.states:
            if state.carried_from and state.carried_date:
                carried.setdefault(state.carried_date, set()).add(state.carried_from)
    return carried
