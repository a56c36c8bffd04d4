"""Amounts of the ledger that somebody should look at: one that is missing, one that is not what its parts say.

Neither is an error: the first counts as 0, the second is the money that moved. What a price is worth depends on the
instrument's price factor, which may come later than the transaction, so both are looked for in what counts now.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from django.db import connection

from portfolio.transaction_types import TRANSACTION_TYPES

TOLERANCE = Decimal("0.005")
"""How far, of the product, an amount may be from quantity x price x price factor."""


class DoubtfulAmount(NamedTuple):
    """A transaction that counts, with its gross amount as given and the product of quantity, price and price factor."""

    transaction_id: str
    transaction_type: str
    security_id: str | None
    currency: str
    given: Decimal | None
    product: Decimal | None


def doubtful_amounts(*, portfolio_id: str, missing: bool, after: str, count: int) -> list[DoubtfulAmount]:
    """The transactions of a portfolio without an amount where one is needed (`missing`), or those whose amount differs
    from its parts by more than half a percent: the first `count` after an id. The portfolio's ledger is read for it.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT t.transaction_id, t.transaction_type, t.security_id, t.currency, t.gross_transaction_amount,
                   t.quantity * t.price * coalesce(i.price_factor, 1)
            FROM transactions AS t
            LEFT JOIN instruments AS i ON i.security_id = t.security_id
            WHERE t.portfolio_id = %(portfolio_id)s AND t.status = 'BOOKED' AND t.transaction_id > %(after)s
              AND (t.gross_transaction_amount IS NULL) = %(missing)s
              AND CASE WHEN t.gross_transaction_amount IS NULL
                  THEN (t.quantity IS NULL OR t.price IS NULL)
                       AND NOT (t.security_id IS NOT NULL AND t.transaction_type = ANY(%(without)s))
                  ELSE abs(t.gross_transaction_amount - t.quantity * t.price * coalesce(i.price_factor, 1))
                       > %(tolerance)s * t.quantity * t.price * coalesce(i.price_factor, 1)
                  END
              AND NOT EXISTS (
                  SELECT FROM transactions AS higher
                  WHERE higher.portfolio_id = t.portfolio_id AND higher.transaction_id = t.transaction_id
                    AND higher.version > t.version
              )
            ORDER BY t.transaction_id LIMIT %(count)s
            """,
            {
                "portfolio_id": portfolio_id,
                "without": [name for name, its in TRANSACTION_TYPES.items() if not its.amount],
                "tolerance": TOLERANCE,
                "missing": missing,
                "after": after,
                "count": count,
            },
        )
        return [DoubtfulAmount(*row) for row in cursor.fetchall()]
