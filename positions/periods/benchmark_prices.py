"""Reading the prices of a benchmark on the days that matter, with the splits of it that the portfolio has booked."""

from __future__ import annotations

import datetime
from bisect import bisect_right
from collections.abc import Collection
from operator import attrgetter

from django.db import connection

from portfolio.money import ONE
from positions.analytics.benchmark import Benchmark
from positions.calculating.market import instrument_terms, market
from positions.engine.valuation import MarketPrice
from positions.variants.asked import Reading
from positions.variants.booked import Variant


def benchmark_of(found: Reading, security_id: str, dates: Collection[datetime.date]) -> Benchmark:
    """The instrument, as the portfolio that was read may be compared with it on these dates.

    The market's memory has been refreshed in the snapshot that the portfolio was read in.
    """
    terms = instrument_terms([security_id]).get(security_id)
    if found.variant:
        prices, rates = _booked(found.variant, security_id, dates), found.variant.history.rates
        base_currency = found.variant.terms.base_currency
    else:
        prices, rates = quoted_prices(found.state.portfolio_id, security_id, dates), market.rates
        base_currency = found.state.base_currency
    return Benchmark(security_id, base_currency, rates, prices, terms.exchange if terms else None)


def _booked(variant: Variant, security_id: str, dates: Collection[datetime.date]) -> dict[datetime.date, MarketPrice]:
    quotes = variant.market.quotes_between([security_id], min(dates), max(dates)).get(security_id, [])
    before = {day: bisect_right(quotes, day, key=attrgetter("date")) for day in dates}
    return {
        day: variant.history.as_market_price(security_id, quotes[index - 1]) for day, index in before.items() if index
    }


def quoted_prices(
    portfolio_id: str, security_id: str, dates: Collection[datetime.date]
) -> dict[datetime.date, MarketPrice]:
    """Its last market price on or before each of the dates, and the splits that the portfolio had booked by then."""
    if not dates:
        return {}
    asked = sorted(dates)
    quotes = _QUOTES_OF_DATES if len(asked) <= DATES_LOOKED_UP_MAX else _QUOTES_BETWEEN
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT quote.price, quote.currency, quote.price_date,
                   CASE WHEN EXISTS (
                       SELECT FROM positions AS p WHERE p.portfolio_id = %(portfolio_id)s AND p.kind = 'SECURITY'
                           AND p.security_id = %(security_id)s
                   ) THEN (
                       SELECT d.split_ratio FROM position_days AS d
                       WHERE d.portfolio_id = %(portfolio_id)s AND d.kind = 'SECURITY'
                           AND d.security_id = %(security_id)s AND d.position_date <= quote.price_date
                       ORDER BY d.position_date DESC LIMIT 1
                   ) END
            FROM ({quotes}) AS quote
            ORDER BY quote.price_date
            """,  # noqa: S608 - texts of this module's own
            {
                "portfolio_id": portfolio_id,
                "security_id": security_id,
                "dates": asked,
                "first": asked[0],
                "last": asked[-1],
            },
        )
        found = [MarketPrice(price, currency, day, ratio or ONE) for price, currency, day, ratio in cursor.fetchall()]
    quoted_on = [price.price_date for price in found]
    before = {day: bisect_right(quoted_on, day) for day in asked}
    return {day: found[index - 1] for day, index in before.items() if index}


DATES_LOOKED_UP_MAX = 300
"""For more dates than these all quotes between the first and the last are read, quicker than to look for each."""

_LAST = """
    SELECT p.price, p.currency, p.price_date FROM market_prices AS p
    WHERE p.security_id = %(security_id)s AND p.superseded_at IS NULL AND p.price_date <= {day}
    ORDER BY p.price_date DESC LIMIT 1
"""
_QUOTES_OF_DATES = f"""
    SELECT DISTINCT of_date.* FROM unnest(%(dates)s::date[]) AS asked (day)
    CROSS JOIN LATERAL ({_LAST.format(day="asked.day")}) AS of_date
"""  # noqa: S608 - as above
_QUOTES_BETWEEN = f"""
    ({_LAST.format(day="%(first)s")})
    UNION ALL
    (SELECT p.price, p.currency, p.price_date FROM market_prices AS p
     WHERE p.security_id = %(security_id)s AND p.superseded_at IS NULL
       AND p.price_date > %(first)s AND p.price_date <= %(last)s)
"""  # noqa: S608 - as above
