"""Parts of a portfolio's ledger: the entries of the securities that hang together, which can be booked by themselves.

What is held of a security follows from the entries of its component (see `calculating.components`), and from those of
other portfolios that linked transfers bring. A provisional portfolio is read as a whole, because its first entry says
what its base currency is.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable

from portfolio.models import Portfolio
from positions.calculating.components import closed
from positions.calculating.links import claim_of, is_linked
from positions.engine.entry import key_of
from transactions.entries import LedgerEntry, counting, effective
from transactions.excerpts import corporate_links, ledgers_of


def entries_of_component(
    *, portfolio_id: str, security_id: str, until: datetime.date, known_at: datetime.datetime | None
) -> list[LedgerEntry]:
    """What counts (or counted at a moment) of the component of a security, traded up to a day, in booking order."""
    if not Portfolio.objects.filter(portfolio_id=portfolio_id).exists():
        return entries_of_portfolio(portfolio_id=portfolio_id, until=until, known_at=known_at)
    versions = versions_of_component(portfolio_id=portfolio_id, securities={security_id})
    if known_at is None:
        entries = [entry for entry in effective(versions) if entry.transaction_date <= until]
    else:
        ids = {entry.transaction_id for entry in versions}
        (entries,) = counting(
            portfolio_ids=[portfolio_id], transaction_ids=ids, until=until, known_at=known_at
        ).values()
    return sorted(entries, key=key_of)


def entries_of_portfolio(
    *, portfolio_id: str, until: datetime.date, known_at: datetime.datetime | None
) -> list[LedgerEntry]:
    """What counts (or counted at a moment) of the whole ledger, traded up to a day, in booking order."""
    (entries,) = counting(portfolio_ids=[portfolio_id], until=until, known_at=known_at).values()
    return sorted(entries, key=key_of)


def versions_of_component(*, portfolio_id: str, securities: Collection[str]) -> list[LedgerEntry]:
    """Every version of the transactions that were ever booked into the securities, or into what corporate actions join
    to them; and of the TRANSFER_OUTs that linked ones of these name, though they be of another security: they say why
    what names them is not matched.
    """
    if not securities:
        return []
    joined = closed(securities, corporate_links(portfolio_ids=[portfolio_id])[portfolio_id])
    versions = ledgers_of(securities={portfolio_id: joined}, transaction_ids={})[portfolio_id]
    named = _named_in(portfolio_id, versions) - {entry.transaction_id for entry in versions}
    if named:
        versions += ledgers_of(securities={}, transaction_ids={portfolio_id: named})[portfolio_id]
    return versions


def _named_in(portfolio_id: str, entries: Iterable[LedgerEntry]) -> set[str]:
    claims = [claim_of(portfolio_id, entry) for entry in entries if is_linked(entry)]
    return {claim.linked.transaction_id for claim in claims if claim.linked.portfolio_id == portfolio_id}
