"""The market as the calculators see it: instruments' terms, and all rates kept in memory up to a market_seq.

Rates are few and read by every calculation, so a process keeps them and only reads what is newer than what it has. It
reads inside the calculation's own snapshot, which never sees less than the one before.
"""

from __future__ import annotations

import threading
from collections.abc import Collection

from django.db import connection

from portfolio.models import FxRate, MarketMark
from positions.engine.entry import InstrumentTerms
from positions.engine.rates import RateTable


class MarketMemory:
    """Rates as of a market_seq, brought up to date by `refresh`; one a process, shared by its threads."""

    def __init__(self) -> None:
        self._refreshing = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """Start with nothing, as for another database."""
        self.rates = RateTable()
        self.market_seq = 0

    def refresh(self, newest: int | None = None) -> int:
        """Read what has been recorded since the last time; the market_seq that this database snapshot sees: who has
        read it in the snapshot already says so, and it is not asked for.
        """
        if newest is None:
            newest = MarketMark.objects.values_list("market_seq", flat=True).first() or 0
        with self._refreshing:
            if newest > self.market_seq:
                rows = FxRate.objects.filter(superseded_at=None, market_seq__gt=self.market_seq)
                quotes = rows.values_list("from_currency", "to_currency", "rate_date", "rate").iterator()
                # A table of its own, put in place at once: other threads go on reading the one they have.
                self.rates = self.rates.grown(quotes)
                self.market_seq = newest
        return newest


market = MarketMemory()
"""What this process remembers of the market."""


def instrument_terms(security_ids: Collection[str]) -> dict[str, InstrumentTerms]:
    """What is known of the securities; one without attributes is left out."""
    with connection.cursor() as cursor:
        # One array: of ten thousand parameters psycopg would split the statement for a second.
        cursor.execute(
            "SELECT security_id, currency, price_factor, exchange FROM instruments WHERE security_id = ANY(%s)",
            [list(security_ids)],
        )
        return {security_id: InstrumentTerms(*terms) for security_id, *terms in cursor.fetchall()}
