"""The market as it was known at a moment: the rates and prices that were believed then.

A quote is kept with the moment it was recorded and the moment another one of its day took its place. As long as nothing
of the market has been recorded since the moment asked about, what is believed now is what was believed then: then the
rates in memory serve, and nothing is read.
"""

from __future__ import annotations

import datetime
import threading
from collections import OrderedDict
from collections.abc import Collection
from typing import NamedTuple

from django.db import connection
from django.db.models import Q

from portfolio.models import FxRate, MarketMark
from positions.analytics.history import Quote
from positions.calculating.market import market
from positions.engine.rates import RateTable

TABLES_KEPT_MAX = 4
"""Rates as known at so many moments stay in memory."""


class Believed(NamedTuple):
    """The market at a moment of knowledge: all rates; `known_at` is None where that is what is believed now."""

    rates: RateTable
    known_at: datetime.datetime | None

    def last_quotes(self, security_ids: Collection[str], day: datetime.date) -> dict[str, Quote]:
        """The last price of each security on or before a day, as quoted on its own."""
        quotes = self.quotes_between(security_ids, day, day)
        return {security_id: of_security[-1] for security_id, of_security in quotes.items()}

    def quotes_between(
        self, security_ids: Collection[str], first: datetime.date, last: datetime.date
    ) -> dict[str, list[Quote]]:
        """The prices of each security from the first day to the last, oldest first, and the last one before the first
        day's; a security without any is left out.
        """
        then = "p.superseded_at IS NULL"
        if self.known_at:
            then = "p.recorded_at <= %(known_at)s AND (p.superseded_at IS NULL OR p.superseded_at > %(known_at)s)"
        quotes: dict[str, list[Quote]] = {}
        with connection.cursor() as cursor:
            cursor.execute(
                f"""
                SELECT asked.security_id, quote.*
                FROM unnest(%(ids)s::text[]) AS asked(security_id)
                CROSS JOIN LATERAL (
                    (SELECT p.price_date, p.price, p.currency FROM market_prices AS p
                        WHERE p.security_id = asked.security_id AND p.price_date <= %(first)s AND {then}
                        ORDER BY p.price_date DESC LIMIT 1)
                    UNION ALL
                    (SELECT p.price_date, p.price, p.currency FROM market_prices AS p
                        WHERE p.security_id = asked.security_id
                            AND p.price_date > %(first)s AND p.price_date <= %(last)s AND {then})
                ) AS quote
                ORDER BY quote.price_date
                """,  # noqa: S608 - one of two texts of this module's own
                {"ids": list(security_ids), "first": first, "last": last, "known_at": self.known_at},
            )
            for security_id, *quote in cursor:
                quotes.setdefault(security_id, []).append(Quote(*quote))
        return quotes


def believed(*, known_at: datetime.datetime | None) -> Believed:
    """The market as known at a moment, or now. Within a snapshot of the database."""
    market.refresh()
    mark = MarketMark.objects.first()
    if known_at is None or mark is None or mark.recorded_at <= known_at:
        return Believed(market.rates, None)
    with _reading:
        if known_at not in _tables:
            _tables[known_at] = _rates_of(known_at)
        _tables.move_to_end(known_at)
        while len(_tables) > TABLES_KEPT_MAX:
            _tables.popitem(last=False)
        return Believed(_tables[known_at], known_at)


_tables: OrderedDict[datetime.datetime, RateTable] = OrderedDict()
_reading = threading.Lock()


def forget_tables() -> None:
    """Start with nothing, as for another database."""
    with _reading:
        _tables.clear()


def _rates_of(known_at: datetime.datetime) -> RateTable:
    still = Q(superseded_at=None) | Q(superseded_at__gt=known_at)
    rows = FxRate.objects.filter(still, recorded_at__lte=known_at).order_by("from_currency", "to_currency", "rate_date")
    table = RateTable()
    for row in rows.values_list("from_currency", "to_currency", "rate_date", "rate").iterator():
        table.put(*row)
    return table
