"""What the market has changed under the daily values of portfolios: prices, rates and instruments newer than they saw.

A price counts from its day to the day before the next price of the security, from when it was held; a rate likewise, up
to the next one of its pair. A price that a change of symbol has carried counts for as long as the new symbol lives on
it, so to the end. The attributes of an instrument count for all days on which it was held.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from django.db import connection

from portfolio.dates import ONE_DAY
from portfolio.models import FxRate
from positions.models import PortfolioState, PositionDay, ValuationState

NEWS_MAX = 200_000
"""So many prices that have changed are looked at one by one; where there are more, every day is valued again."""


class Interval(NamedTuple):
    """Days from `first` to `last`, or without an end."""

    first: datetime.date
    last: datetime.date | None = None


EVER = Interval(datetime.date.min)


class Held(NamedTuple):
    """A holding as far as it matters here."""

    kind: str
    security_id: str
    currency: str
    since: datetime.date
    is_open: bool


@dataclass(frozen=True, slots=True)
class Valued:
    """A portfolio whose days were valued before: as its states say, with what it holds or held."""

    state: ValuationState
    positions: PortfolioState
    held: Sequence[Held]

    def securities(self) -> list[Held]:
        return [one for one in self.held if one.kind == "SECURITY"]


class Change(NamedTuple):
    """A price or a rate that has changed: its day, and that of the next one after it."""

    date: datetime.date
    next_date: datetime.date | None
    market_seq: int


@dataclass(frozen=True, slots=True)
class News:
    """What has changed, by security and by pair."""

    prices: Mapping[str, Sequence[Change]] = field(default_factory=dict)
    rates: Mapping[tuple[str, str], Sequence[Change]] = field(default_factory=dict)
    instruments: Mapping[str, int] = field(default_factory=dict)
    carried: Mapping[tuple[str, str], Collection[datetime.date]] = field(default_factory=dict)
    """The days on which old symbols were changed into others, by portfolio and old symbol."""


def changed_by_market(portfolios: Sequence[Valued]) -> dict[str, list[Interval]]:
    """The days of each portfolio under which something has changed since the market_seq that its state has seen."""
    if not portfolios:
        return {}
    seen = min(one.state.market_seq for one in portfolios)
    securities = {held.security_id for one in portfolios for held in one.securities()}
    prices = _prices(seen, securities)
    if prices is None:
        return {one.state.portfolio_id: [EVER] for one in portfolios}
    news = News(
        prices,
        _rates(seen),
        _instruments(seen, securities),
        _carried([one.state.portfolio_id for one in portfolios]) if prices else {},
    )
    return {one.state.portfolio_id: _changed(one, news) for one in portfolios}


def _changed(one: Valued, news: News) -> list[Interval]:
    seen = one.state.market_seq
    intervals: list[Interval] = []
    for security in one.securities():
        if news.instruments.get(security.security_id, 0) > seen:
            intervals.append(Interval(security.since))
        carried = news.carried.get((one.state.portfolio_id, security.security_id), ())
        for price in news.prices.get(security.security_id, ()):
            if price.market_seq > seen:
                intervals += _of_price(price, security, carried, one.positions.last_date)
    return intervals + _of_rates(one, news.rates)


def _of_price(
    price: Change, security: Held, carried: Collection[datetime.date], last_entry: datetime.date | None
) -> list[Interval]:
    first = max(price.date, security.since)
    if any(price.date <= day and (price.next_date is None or price.next_date > day) for day in carried):
        return [Interval(first)]
    if not security.is_open and last_entry and price.date > last_entry:
        return []
    if price.next_date is None:
        return [Interval(first)]
    return [Interval(first, price.next_date - ONE_DAY)] if price.next_date > first else []


def _of_rates(one: Valued, rates: Mapping[tuple[str, str], Sequence[Change]]) -> list[Interval]:
    """Of a cross rate, one leg is always in a currency held or quoted, or in base."""
    base_currency = one.positions.base_currency
    currencies = {held.currency for held in one.held} | set(one.state.quoted_in)
    if not rates or currencies <= {base_currency}:
        return []
    since = min((held.since for held in one.held), default=datetime.date.min)
    return [
        Interval(max(rate.date, since), rate.next_date and rate.next_date - ONE_DAY)
        for pair, of_pair in rates.items()
        if base_currency in pair or not currencies.isdisjoint(pair)
        for rate in of_pair
        if rate.market_seq > one.state.market_seq and (rate.next_date is None or rate.next_date > since)
    ]


# --- reading ------------------------------------------------------------------------------------------------------


def _prices(seen: int, securities: Collection[str]) -> dict[str, list[Change]] | None:
    """The believed prices of these securities that are newer; None where there are too many."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT n.security_id, n.price_date, (
                SELECT p.price_date FROM market_prices AS p
                WHERE p.security_id = n.security_id AND p.price_date > n.price_date AND p.superseded_at IS NULL
                ORDER BY p.price_date LIMIT 1
            ), n.market_seq
            FROM market_prices AS n
            WHERE n.market_seq > %s AND n.superseded_at IS NULL AND n.security_id = ANY(%s) LIMIT %s
            """,
            [seen, list(securities), NEWS_MAX + 1],
        )
        if cursor.rowcount > NEWS_MAX:
            return None
        prices: dict[str, list[Change]] = {}
        for security_id, *change in cursor.fetchall():
            prices.setdefault(security_id, []).append(Change(*change))
        return prices


def _rates(seen: int) -> dict[tuple[str, str], list[Change]]:
    """The believed rates that are newer, by pair."""
    if not FxRate.objects.filter(market_seq__gt=seen, superseded_at=None).exists():
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT n.from_currency, n.to_currency, n.rate_date, (
                SELECT r.rate_date FROM fx_rates AS r
                WHERE r.from_currency = n.from_currency AND r.to_currency = n.to_currency
                    AND r.rate_date > n.rate_date AND r.superseded_at IS NULL
                ORDER BY r.rate_date LIMIT 1
            ), n.market_seq
            FROM fx_rates AS n WHERE n.market_seq > %s AND n.superseded_at IS NULL
            """,
            [seen],
        )
        rates: dict[tuple[str, str], list[Change]] = {}
        for from_currency, to_currency, *change in cursor.fetchall():
            rates.setdefault((from_currency, to_currency), []).append(Change(*change))
        return rates


def _instruments(seen: int, securities: Collection[str]) -> dict[str, int]:
    """Those of the securities whose attributes are newer."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT security_id, market_seq FROM instruments WHERE market_seq > %s AND security_id = ANY(%s)",
            [seen, list(securities)],
        )
        return dict(cursor.fetchall())


def _carried(portfolio_ids: Collection[str]) -> dict[tuple[str, str], set[datetime.date]]:
    rows = PositionDay.objects.filter(portfolio_id__in=portfolio_ids, carried_from__isnull=False)
    carried: dict[tuple[str, str], set[datetime.date]] = {}
    for portfolio_id, symbol, day in rows.values_list("portfolio_id", "carried_from", "carried_date").distinct():
        if symbol and day:
            carried.setdefault((portfolio_id, symbol), set()).add(day)
    return carried
