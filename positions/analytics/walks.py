"""One holding walked through the days, with the state and the quote in hand: what it was worth at the end of each."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import NamedTuple

from portfolio.amounts import (
    AT_PAR,
    NIL,
    UNKNOWN_RATE,
    Amount,
    Base,
    ExchangeRate,
    Local,
    rate_of,
    same_money,
)
from portfolio.dates import ONE_DAY
from portfolio.money import ONE, rounded
from positions.analytics.history import History, Quote
from positions.engine.holdings import Holding
from positions.engine.valuation import STALE_AFTER_TRADING_DAYS, is_stale, worth_of

NO_FLAGS: frozenset[str] = frozenset()
STALE_RATE = frozenset({"STALE_FX_RATE"})
STALE_PRICE = frozenset({"STALE"})


class Worth(NamedTuple):
    """A holding at the end of a day, in base."""

    value: Amount[Base]
    flags: frozenset[str]
    missing: str


NOTHING = Worth(NIL, NO_FLAGS, "")


class CashWalk:
    """A currency's balance, day after day."""

    def __init__(self, history: History) -> None:
        self._history = history

    def step(self, held: Holding, day: datetime.date, since: datetime.date) -> Worth:
        rate = self._history.rates.market(held.currency, self._history.base_currency, day)
        flags = STALE_RATE if rate and rate.stale_on(day) else NO_FLAGS
        return Worth(self._history.cash_base(held, day), flags, "" if rate else "MISSING_FX_RATE")

    def stands_until(self, held: Holding, day: datetime.date, until: datetime.date) -> datetime.date:
        """A day up to which the worth of a day is sure to stay what it is, flags included."""
        return until if held.currency == self._history.base_currency else day

    def changes(
        self, held: Holding, since: datetime.date, until: datetime.date
    ) -> Iterator[tuple[datetime.date, Worth]]:
        """A balance in base stays what it is."""
        yield since, self.step(held, since, since)


class SecurityWalk:
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
        self._known_stale: datetime.date | None = None
        self._worth = NOTHING

    def step(self, held: Holding, day: datetime.date, since: datetime.date) -> Worth:
        """The holding at the end of a day; its state stands since another day, at the latest."""
        quote = self._quote(day)
        fx_rate, rate_is_stale = self._rate(held.currency, day)
        priced = quote.date if quote and quote.date >= since else self._priced
        made_of = (quote, fx_rate, rate_is_stale, priced and self._is_stale(priced, day))
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

    def stands_until(self, held: Holding, day: datetime.date, until: datetime.date) -> datetime.date:
        """A day up to which the worth of the last step's day is sure to stay what it is, flags included."""
        if self._held is not held or held.currency != self._history.base_currency:
            return day
        if self._next_quote < len(self._quotes):
            until = min(until, self._quotes[self._next_quote].date - ONE_DAY)
        if self._priced and not self._is_stale(self._priced, day):
            until = min(until, self._priced + STALE_AFTER_TRADING_DAYS * ONE_DAY)
        return max(day, until)

    def _is_stale(self, priced: datetime.date, day: datetime.date) -> bool:
        """Whether the price of a day is stale; one that was before is, as days only rise."""
        if priced != self._known_stale and is_stale(priced, day, self._exchange):
            self._known_stale = priced
        return priced == self._known_stale

    def changes(
        self, held: Holding, since: datetime.date, until: datetime.date
    ) -> Iterator[tuple[datetime.date, Worth]]:
        """The first day of a state in base currency, and those of its quotes; every day where more may change it."""
        yield since, self.step(held, since, since)
        if self._held is held:
            quotes, quantity, currency, price_factor = self._quotes, held.quantity, held.currency, self._price_factor
            for number in range(self._next_quote, len(quotes)):
                date, price, quoted_in = quotes[number]
                if date > until:
                    return
                if quoted_in != currency:
                    since = date - ONE_DAY
                    break
                self._next_quote = number + 1
                yield date, Worth(rounded(quantity * same_money(price, Base) * price_factor), NO_FLAGS, "")
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
