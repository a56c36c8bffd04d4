"""A portfolio through time: what it held at the end of each day that changed it, and the market it is valued at.

Wherever a history comes from, read from the tables or booked just now for `evaluate`, values and statements are made
of it by the same code. Everything here needs the arithmetic of `portfolio.money.exact`.
"""

from __future__ import annotations

import datetime
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple

from portfolio.amounts import NIL, UNKNOWN_AMOUNT, Amount, Base, Local, Quoted, rate_of
from portfolio.money import ONE, rounded
from positions.engine.books import Books
from positions.engine.carried import carried_price
from positions.engine.entry import InstrumentTerms
from positions.engine.holdings import Holding, HoldingKey, Kind
from positions.engine.moves import Move
from positions.engine.rates import RateTable
from positions.engine.valuation import MarketPrice, Valuation, value_holding


@dataclass(frozen=True, slots=True)
class Timeline:
    """The states of one holding, each as at the end of a day that changed it, oldest first."""

    dates: Sequence[datetime.date]
    states: Sequence[Holding]

    def on(self, day: datetime.date) -> Holding | None:
        """The holding at the end of a day; None before its first."""
        index = bisect_right(self.dates, day)
        return self.states[index - 1] if index else None

    def changes(
        self, start: datetime.date, end: datetime.date
    ) -> Iterator[tuple[Holding | None, Holding, datetime.date]]:
        """The states of the days in (start, end], each after the one before it."""
        for index in range(bisect_right(self.dates, start), bisect_right(self.dates, end)):
            yield self.states[index - 1] if index else None, self.states[index], self.dates[index]


class Quote(NamedTuple):
    """A market price as quoted on its day."""

    date: datetime.date
    price: Amount[Quoted]
    currency: str


@dataclass(frozen=True, slots=True)
class MoveValue:
    """What a move is worth in base, what it cost there, and how much of the difference is exchange; signed as it is."""

    move: Move
    worth: Amount[Base]
    carried_gain: Amount[Base]
    carried_fx_gain: Amount[Base]

    @property
    def crosses_border(self) -> bool:
        """Whether it is an external flow."""
        return self.move.source_id is None or self.move.target_id is None


@dataclass(frozen=True)
class History:
    """The timelines and moves of a portfolio, with quotes by security, each list oldest first."""

    base_currency: str
    cash_tracked: bool
    timelines: Mapping[HoldingKey, Timeline]
    moves: Sequence[Move] = ()
    quotes: Mapping[str, Sequence[Quote]] = field(default_factory=dict)
    instruments: Mapping[str, InstrumentTerms] = field(default_factory=dict)
    rates: RateTable = field(default_factory=RateTable)

    @cached_property
    def first_date(self) -> datetime.date | None:
        """The day of the first transaction."""
        return min((timeline.dates[0] for timeline in self.timelines.values() if timeline.dates), default=None)

    def holdings_on(self, day: datetime.date) -> list[Holding]:
        """What was held at the end of a day, and what had been before."""
        states = (timeline.on(day) for timeline in self.timelines.values())
        return [held for held in states if held]

    # --- prices ---------------------------------------------------------------------------------------------------

    def quote(self, security_id: str, day: datetime.date) -> MarketPrice | None:
        """The last market price of a security on or before a day."""
        quotes = self.quotes.get(security_id, ())
        index = bisect_right(quotes, day, key=_date)
        return self.as_market_price(security_id, quotes[index - 1]) if index else None

    def as_market_price(self, security_id: str, quote: Quote) -> MarketPrice:
        """A quote, and how the portfolio's units of the security had been multiplied by the end of its day."""
        timeline = self.timelines.get(HoldingKey(Kind.SECURITY, security_id))
        then = timeline.on(quote.date) if timeline else None
        return MarketPrice(quote.price, quote.currency, quote.date, then.split_ratio if then else ONE)

    def price_of(self, held: Holding, day: datetime.date) -> MarketPrice | None:
        """The market price of a security held; where it never had one, nor was traded, what its old symbol's was."""
        quoted = self.quote(held.key.security_id, day)
        if quoted or held.trade_price is not None or not held.carried_from:
            return quoted
        holdings = {h.key.security_id: h for h in self.holdings_on(day) if h.key.kind is Kind.SECURITY}
        return carried_price(held, holdings, self.instruments, self.quote)

    # --- values ---------------------------------------------------------------------------------------------------

    def value(self, held: Holding, day: datetime.date) -> Valuation:
        """A state of a security's holding at the end of a day on which it stood."""
        return self.value_at(held, day, self.price_of(held, day))

    def value_at(self, held: Holding, day: datetime.date, price: MarketPrice | None) -> Valuation:
        """The same at a market price that is known already."""
        terms = self.instruments.get(held.key.security_id)
        return value_holding(
            held,
            day=day,
            market_price=price,
            price_factor=terms.price_factor if terms else ONE,
            base_currency=self.base_currency,
            rates=self.rates,
            exchange=terms.exchange if terms else None,
        )

    def cash_base(self, held: Holding, day: datetime.date) -> Amount[Base]:
        """A balance in base at the rate of a day."""
        if not held.quantity:
            return NIL
        rate = self.rates.market(held.currency, self.base_currency, day)
        return rounded(held.balance * rate_of(rate.value, Local, Base)) if rate else UNKNOWN_AMOUNT

    def moves_in(self, start: datetime.date, end: datetime.date) -> list[MoveValue]:
        """The moves in kind of (start, end], each valued at the end of its day."""
        return [self._valued(move) for move in self.moves if start < move.date <= end]

    def _valued(self, move: Move) -> MoveValue:
        timeline = self.timelines[HoldingKey(Kind.SECURITY, move.valued_id)]
        held = timeline.on(move.date)
        assert held, "a move leaves a row of its day"
        units = move.quantity * held.split_ratio / move.split_ratio
        valuation = self.value(_of_quantity(held, units), move.date)
        worth = move.booked_base if valuation.market_value_base.is_nan() else valuation.market_value_base
        gain = worth - move.cost_basis_base
        rate = valuation.fx_rate
        fx_gain = NIL if rate.is_nan() else rounded(move.cost_basis * rate) - move.cost_basis_base
        return MoveValue(move, worth, gain, fx_gain)


class Recorder:
    """Timelines as they come about while a portfolio is booked.

    `every_day`: all states are kept, as statements and values of days need; else only those that splits have changed,
    which is what reading an old price takes.
    """

    def __init__(self, books: Books, *, every_day: bool) -> None:
        self._books = books
        self._every_day = every_day
        self._states: dict[HoldingKey, tuple[list[datetime.date], list[Holding]]] = {}

    def end_of_day(self, day: datetime.date, touched: Iterable[HoldingKey]) -> None:
        """Note the holdings that a day has touched: what `engine.booking.book` calls."""
        for key in touched:
            held = self._books.holdings[key]
            dates, states = self._states.setdefault(key, ([], []))
            if self._every_day or held.split_ratio != (states[-1].split_ratio if states else ONE):
                dates.append(day)
                states.append(held.state())

    def timelines(self) -> dict[HoldingKey, Timeline]:
        """What was noted so far."""
        return {key: Timeline(dates, states) for key, (dates, states) in self._states.items() if dates}


def _date(quote: Quote) -> datetime.date:
    return quote.date


def _of_quantity(held: Holding, quantity: Decimal) -> Holding:
    """The holding as if it were of so many units: priced as it is."""
    units = held.state()
    units.quantity = quantity
    return units
