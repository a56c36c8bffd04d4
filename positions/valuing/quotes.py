"""Reading the quotes that days are valued at: of many securities at once, and none that was superseded."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from operator import attrgetter
from typing import NamedTuple

from django.db import connection

from positions.analytics.history import Quote


class Days(NamedTuple):
    """Days of a security, both ends included."""

    security_id: str
    first: datetime.date
    last: datetime.date


def quotes_within(asked: Iterable[Days]) -> dict[Days, list[Quote]]:
    """Of each the last quote before the first day, and those within, in order."""
    return _quotes(
        asked,
        """
        (SELECT p.price_date, p.price, p.currency FROM market_prices AS p
            WHERE p.security_id = asked.security_id AND p.superseded_at IS NULL AND p.price_date < asked.first_date
            ORDER BY p.price_date DESC LIMIT 1)
        UNION ALL
        (SELECT p.price_date, p.price, p.currency FROM market_prices AS p
            WHERE p.security_id = asked.security_id AND p.superseded_at IS NULL
                AND p.price_date BETWEEN asked.first_date AND asked.last_date)
        """,
    )


def last_quotes(asked: Iterable[Days]) -> dict[Days, list[Quote]]:
    """Of each the last quote on or before the last day, if there is one."""
    return _quotes(
        asked,
        """
        SELECT p.price_date, p.price, p.currency FROM market_prices AS p
        WHERE p.security_id = asked.security_id AND p.superseded_at IS NULL AND p.price_date <= asked.last_date
        ORDER BY p.price_date DESC LIMIT 1
        """,
    )


def _quotes(asked: Iterable[Days], quotes_of_one: str) -> dict[Days, list[Quote]]:
    found: dict[Days, list[Quote]] = {days: [] for days in asked}
    if not found:
        return {}
    of_number = list(found.values())
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT asked.number, q.price_date, q.price, q.currency
            FROM unnest(%s::text[], %s::date[], %s::date[]) WITH ORDINALITY
                AS asked (security_id, first_date, last_date, number)
            CROSS JOIN LATERAL ({quotes_of_one}) AS q
            """,  # noqa: S608 - texts of this module's own
            [list(column) for column in zip(*found, strict=True)],
        )
        # At once: row by row the driver would take twice as long for the hundred thousands that there may be.
        for number, date, price, currency in cursor.fetchall():
            of_number[number - 1].append(Quote(date, price, currency))
    for quotes in of_number:
        quotes.sort(key=attrgetter("date"))
    return found
