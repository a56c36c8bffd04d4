"""Parts of a portfolio's ledger: the entries of the securities that hang together, which can be booked by themselves.

Holdings of different securities are independent but for corporate actions that turn one into another, and for cash,
which every entry may move. So what is held of a security follows from the entries of its *component*: the securities
that corporate actions join to it, through however many. A provisional portfolio is read as a whole, because its first
entry says what its base currency is.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Sequence

from portfolio.models import Portfolio
from positions.engine.entry import LegKey, key_of
from positions.links import claim_of, is_linked
from transactions.entries import LedgerEntry, counting


def entries_of_component(
    *, portfolio_id: str, security_id: str, until: datetime.date, known_at: datetime.datetime | None
) -> list[LedgerEntry]:
    """What counts (or counted at a moment) of the component of a security, traded up to a day, in booking order."""
    entries = entries_of_portfolio(portfolio_id=portfolio_id, until=until, known_at=known_at)
    if not Portfolio.objects.filter(portfolio_id=portfolio_id).exists():
        return entries
    return hanging_together(portfolio_id, entries, {security_id})


def entries_of_portfolio(
    *, portfolio_id: str, until: datetime.date, known_at: datetime.datetime | None
) -> list[LedgerEntry]:
    """What counts (or counted at a moment) of the whole ledger, traded up to a day, in booking order."""
    (entries,) = counting(portfolio_ids=[portfolio_id], until=until, known_at=known_at).values()
    return sorted(entries, key=key_of)


def hanging_together(
    portfolio_id: str, entries: Sequence[LedgerEntry], security_ids: Collection[str]
) -> list[LedgerEntry]:
    """Those of the entries that are booked into the securities or into what corporate actions join to them; and what
    their linked transfers name, though it be of another security: it says why they are not matched.
    """
    joined = component_of(security_ids, entries)
    named = {claim_of(portfolio_id, e).linked for e in entries if e.security_id in joined and is_linked(e)}
    return [e for e in entries if e.security_id in joined or LegKey(portfolio_id, e.transaction_id) in named]


def component_of(security_ids: Collection[str], entries: Iterable[LedgerEntry]) -> set[str]:
    """The securities and all that corporate actions among the entries join to them."""
    joined: dict[str, set[str]] = {}
    for entry in entries:
        if entry.target_security_id and entry.security_id:
            joined.setdefault(entry.security_id, set()).add(entry.target_security_id)
            joined.setdefault(entry.target_security_id, set()).add(entry.security_id)
    component: set[str] = set()
    ahead = set(security_ids)
    while ahead:
        component |= ahead
        ahead = {name for one in ahead for name in joined.get(one, ())} - component
    return component
