"""A portfolio's days: what it was worth at the end of each, and what crossed its border in it.

A value stands until something it is made of changes: the state of the holding, the quote, a rate. So each holding is
walked through the days with the state and the quote in hand, and valued again only where one of these is another.
"""

from __future__ import annotations

import datetime
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from portfolio.amounts import (
    AT_PAR,
    NIL,
    UNKNOWN_RATE,
    Amount,
    Base,
    ExchangeRate,
    Local,
    number_of,
    rate_of,
    same_money,
)
from portfolio.money import ONE, exact, rounded
from positions.analytics.days import Day
from positions.analytics.history import History, MoveValue, Quote, Timeline
from positions.engine.lots import Holding, HoldingKey, Kind
from positions.engine.valuation import is_stale, worth_of

ONE_DAY = datetime.timedelta(days=1)
NO_FLAGS: frozenset[str] = frozenset()
STALE_RATE = frozenset({"STALE_FX_RATE"})
STALE_PRICE = frozenset({"STALE"})

OF_DAY = {
    "inflow": "inflow_base",
    "outflow": "outflow_base",
    "income": "income_base",
    "fees": "fees_base",
    "taxes": "taxes_base",
    "fees_in_cost": "fees_in_cost_base",
}
"""What a day adds up of all holdings, and the sum of a holding whose growth it is."""


class Worth(NamedTuple):
    """A holding at the end of a day, in base."""

    value: Amount[Base]
    flags: frozenset[str]
    missing: str


NOTHING = Worth(NIL, NO_FLAGS, "")


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
            for index, worth in worths(history, key, first, last):
                day = sums[index]
                day.note(worth)
                if key.kind is Kind.CASH:
                    day.cash += worth.value
                else:
                    day.securities += worth.value
        _add_what_happened(history, sums, first, last)
        return [_day(first + index * ONE_DAY, of_day) for index, of_day in enumerate(sums)]


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
    walk = _CashWalk(history) if key.kind is Kind.CASH else _SecurityWalk(history, key.security_id)
    for held, since, until in _spans(history.timelines[key], first, last):
        if held.quantity:
            for number in range((since - first).days, (until - first).days + 1):
                yield number, walk.step(held, first + number * ONE_DAY, since)


def worth_changes(
    history: History, key: HoldingKey, first: datetime.date, last: datetime.date
) -> Iterator[tuple[int, Worth]]:
    """The same, but for days that are sure to have the worth of the day before: those between two quotes in base
    currency are passed over, and a day on which nothing is left has NOTHING. Flags are not kept.
    """
    walk = _CashWalk(history) if key.kind is Kind.CASH else _SecurityWalk(history, key.security_id)
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


class _CashWalk:
    """A currency's balance, day after day."""

    def __init__(self, history: History) -> None:
        self._history = history

    def step(self, held: Holding, day: datetime.date, since: datetime.date) -> Worth:
        rate = self._history.rates.market(held.currency, self._history.base_currency, day)
        flags = STALE_RATE if rate and rate.stale_on(day) else NO_FLAGS
        return Worth(self._history.cash_base(held, day), flags, "" if rate else "MISSING_FX_RATE")

    def changes(
        self, held: Holding, since: datetime.date, until: datetime.date
    ) -> Iterator[tuple[datetime.date, Worth]]:
        """A balance in base stays what it is."""
        yield since, self.step(held, since, since)


class _SecurityWalk:
    """A security's holding, day after day, with what its last value was made of."""

    def __init__(self, history: History, security_id: str) -> None:
        self._history = history
        self._quotes = history.quotes.get(security_id, ())
        terms = history.instruments.get(security_id)
        self._exchange = terms.exchange if terms else None
        self._price_factor = terms.price_factor if terms else ONE
        self._next_quote = 0
        self._held: Holding | None = None
        self._made_of: object = None
        self._priced: datetime.date | None = None
        self._worth = NOTHING

    def step(self, held: Holding, day: datetime.date, since: datetime.date) -> Worth:
        """The holding at the end of a day; its state stands since another day, at the latest."""
        quote = self._quote(day)
        fx_rate, rate_is_stale = self._rate(held.currency, day)
        priced = quote.date if quote and quote.date >= since else self._priced
        made_of = (quote, fx_rate, rate_is_stale, priced and is_stale(priced, day, self._exchange))
        if held is self._held and made_of == self._made_of:
            return self._worth
        if quote and quote.date >= since and quote.currency == held.currency:
            # Quoted in the holding's own units, after its last own trade: there is nothing to choose or restate.
            _, value_base = worth_of(held.quantity, same_money(quote.price, Local), self._price_factor, fx_rate)
            flags = (STALE_PRICE if made_of[3] else NO_FLAGS) | (STALE_RATE if rate_is_stale else NO_FLAGS)
            self._worth = Worth(value_base, flags, "MISSING_FX_RATE" if value_base.is_nan() else "")
            self._held, self._priced, self._made_of = held, quote.date, made_of
            return self._worth
        known = self._history.as_market_price(held.key.security_id, quote) if quote else None
        valuation = self._history.value_at(held, day, known or self._history.price_of(held, day))
        missing = valuation.missing if valuation.market_value_base.is_nan() else ""
        self._worth = Worth(valuation.market_value_base, frozenset(valuation.flags), missing)
        # A price in another currency has a rate of its own each day, and one that an old symbol left its own quotes.
        plain = "CONVERTED" not in valuation.flags and (quote or held.trade_price is not None)
        self._held, self._priced = held if plain else None, valuation.price_date
        self._made_of = (*made_of[:3], valuation.price_date and "STALE" in valuation.flags)
        return self._worth

    def changes(
        self, held: Holding, since: datetime.date, until: datetime.date
    ) -> Iterator[tuple[datetime.date, Worth]]:
        """The first day of a state in base currency, and those of its quotes; every day where more may change it."""
        yield since, self.step(held, since, since)
        if self._held is held:
            quotes = self._quotes
            while self._next_quote < len(quotes) and quotes[self._next_quote].date <= until:
                quote = quotes[self._next_quote]
                if quote.currency != held.currency:
                    since = quote.date - ONE_DAY
                    break
                self._next_quote += 1
                value = rounded(held.quantity * same_money(quote.price, Base) * self._price_factor)
                yield quote.date, Worth(value, NO_FLAGS, "")
            else:
                return
        for number in range(1, (until - since).days + 1):
            yield since + number * ONE_DAY, self.step(held, since + number * ONE_DAY, since)

    def _rate(self, currency: str, day: datetime.date) -> tuple[ExchangeRate[Local, Base], bool]:
        """The rate of a day to base, UNKNOWN without one, and whether it is stale."""
        if currency == self._history.base_currency:
            return AT_PAR, False
        rate = self._history.rates.market(currency, self._history.base_currency, day)
        return (rate_of(rate.value, Local, Base), rate.stale_on(day)) if rate else (UNKNOWN_RATE, False)

    def _quote(self, day: datetime.date) -> Quote | None:
        while self._next_quote < len(self._quotes) and self._quotes[self._next_quote].date <= day:
            self._next_quote += 1
        return self._quotes[self._next_quote - 1] if self._next_quote else None
