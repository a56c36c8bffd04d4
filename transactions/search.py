"""Finding transactions by a word: a portfolio's id or its beginning, a transaction's, or a security's id.

The ledger has no index that starts with a security or a transaction id alone, and one condition that asks for all three
at once reads the table however few rows it finds. So each reading of the word is tried by itself, the cheapest first,
and only those that found something are asked for.
"""

from __future__ import annotations

from django.db.models import Q, QuerySet

from portfolio.models import Instrument, PortfolioChange
from transactions.models import Transaction

IDS_LISTED_MAX = 1000


def matching(*, rows: QuerySet[Transaction], word: str) -> QuerySet[Transaction]:
    """Those of the rows whose portfolio or transaction id begins with the word, or whose security it is."""
    if not word.isprintable():
        return rows.none()
    found = Q()
    if PortfolioChange.objects.filter(portfolio_id__startswith=word).exists():
        found |= Q(portfolio_id__startswith=word)
    named = rows.filter(transaction_id__startswith=word).order_by()
    ids = list(named.values_list("pk", flat=True)[: IDS_LISTED_MAX + 1])
    if len(ids) > IDS_LISTED_MAX:
        found |= Q(transaction_id__startswith=word)
    elif ids:
        found |= Q(pk__in=ids)
    if not found or Instrument.objects.filter(security_id=word).exists():
        found |= Q(security_id=word)
    return rows.filter(found)
