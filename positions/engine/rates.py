"""Exchange rates of days, and the one rule by which a rate is found (FINANCE.md's market rate)."""

from __future__ import annotations

import datetime
from bisect import bisect_right, insort
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from portfolio.money import CONTEXT, ONE

STALE_AFTER_DAYS = 7
ANSWERS_KEPT_MAX = 100_000
_PREFERRED_CROSSINGS = ("EUR", "USD")


class Quote(NamedTuple):
    """Which quote: that of a pair on a day."""

    from_currency: str
    to_currency: str
    rate_date: datetime.date


@dataclass(frozen=True, slots=True)
class Rate:
    """Units of one currency for one unit of another, the quotes it rests on, and the day of the (older) one."""

    value: Decimal
    quoted_date: datetime.date
    quotes: tuple[Quote, ...] = field(default=(), compare=False)

    def stale_on(self, day: datetime.date) -> bool:
        """Whether the quote is older than 7 days."""
        return (day - self.quoted_date).days > STALE_AFTER_DAYS


class RateTable:
    """The quotes of all pairs. Made by `put`, it answers `market`; where others read it, it is never changed: `grown`
    makes another one that knows more.

    A market rate is the last direct quote on or before the day, at any age; else the inverse of one; else two of these
    crossed through one currency: EUR, else USD, else the alphabetically first that has both legs. Quotients keep the
    60 digits of the context: rates are never rounded, amounts are.
    """

    def __init__(self) -> None:
        self._dates: dict[tuple[str, str], list[datetime.date]] = {}
        self._rates: dict[tuple[str, str], dict[datetime.date, Decimal]] = {}
        self._partners: dict[str, set[str]] = {}
        self._found: dict[tuple[str, str, datetime.date], Rate | None] = {}

    def put(self, from_currency: str, to_currency: str, rate_date: datetime.date, rate: Decimal) -> None:
        """Add a quote, or replace that of the same pair and day."""
        pair = (from_currency, to_currency)
        of_pair = self._rates.setdefault(pair, {})
        if rate_date not in of_pair:
            insort(self._dates.setdefault(pair, []), rate_date)
        of_pair[rate_date] = rate
        self._partners.setdefault(from_currency, set()).add(to_currency)
        self._partners.setdefault(to_currency, set()).add(from_currency)
        self._found.clear()

    def grown(self, quotes: Iterable[tuple[str, str, datetime.date, Decimal]]) -> RateTable:
        """A table with these quotes too; it shares what has not changed."""
        other = RateTable()
        other._dates, other._rates = dict(self._dates), dict(self._rates)
        other._partners = {currency: set(partners) for currency, partners in self._partners.items()}
        copied: set[tuple[str, str]] = set()
        for from_currency, to_currency, rate_date, rate in quotes:
            pair = (from_currency, to_currency)
            if pair not in copied and pair in other._rates:
                other._dates[pair], other._rates[pair] = list(other._dates[pair]), dict(other._rates[pair])
            copied.add(pair)
            other.put(from_currency, to_currency, rate_date, rate)
        return other

    def market(self, from_currency: str, to_currency: str, day: datetime.date) -> Rate | None:
        """The market rate of the day, or None where no quotes lead from one currency to the other."""
        if from_currency == to_currency:
            return Rate(ONE, day)
        asked = (from_currency, to_currency, day)
        if asked in self._found:
            return self._found[asked]
        if len(self._found) >= ANSWERS_KEPT_MAX:
            self._found.clear()
        answer = self._found[asked] = self._leg(*asked) or self._crossed(*asked)
        return answer

    def counts_until(self, quote: Quote) -> datetime.date | None:
        """The day from which on the pair's next quote counts in the place of this one; None where it is the last."""
        dates = self._dates.get((quote.from_currency, quote.to_currency), [])
        index = bisect_right(dates, quote.rate_date)
        return dates[index] if index < len(dates) else None

    def _leg(self, from_currency: str, to_currency: str, day: datetime.date) -> Rate | None:
        direct = self._quote(from_currency, to_currency, day)
        if direct:
            return direct
        inverse = self._quote(to_currency, from_currency, day)
        return Rate(CONTEXT.divide(ONE, inverse.value), inverse.quoted_date, inverse.quotes) if inverse else None

    def _crossed(self, from_currency: str, to_currency: str, day: datetime.date) -> Rate | None:
        shared = self._partners.get(from_currency, set()) & self._partners.get(to_currency, set())
        for through in (*_PREFERRED_CROSSINGS, *sorted(shared)):
            if through not in shared:
                continue
            one, other = self._leg(from_currency, through, day), self._leg(through, to_currency, day)
            if one and other:
                quoted_date = min(one.quoted_date, other.quoted_date)
                return Rate(CONTEXT.multiply(one.value, other.value), quoted_date, one.quotes + other.quotes)
        return None

    def _quote(self, from_currency: str, to_currency: str, day: datetime.date) -> Rate | None:
        dates = self._dates.get((from_currency, to_currency))
        index = bisect_right(dates, day) if dates else 0
        if not dates or index == 0:
            return None
        quoted_date = dates[index - 1]
        quote = Quote(from_currency, to_currency, quoted_date)
        return Rate(self._rates[from_currency, to_currency][quoted_date], quoted_date, (quote,))
