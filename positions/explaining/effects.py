"""What each version of a transaction has caused: what is held, gained and paid with it, and what was without it.

The history is booked as it counts now, but for this one transaction: with the version, and with the one before it (or
without any; a cancellation is none). Only what hangs together with its securities is booked. The balance of a cash
account is a sum, so what a version does to it shows in that part alone; its average cost in base is none, but depends
on all movements of the currency: what a version changes of it, and of the FX gain realised on cash, is not told here.
Nor is what linked transfers carry on to other portfolios.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from portfolio.money import OutOfRange, exact
from positions.calculating.links import Offer, offers
from positions.calculating.terms import terms_of
from positions.engine.booking import Books, book
from positions.engine.entry import Terms, enrich, key_of
from positions.explaining.effect_answers import effect_answer
from positions.explaining.entries import BOOKED_BESIDE_MAX
from positions.explaining.ledger_parts import versions_of_component
from positions.queries import one_snapshot, state_of
from positions.variants.apart import apart
from positions.variants.believed import believed
from transactions.entries import LedgerEntry, effective
from transactions.excerpts import ledgers_of

VERSIONS_MAX = 20
"""Of so many versions, the latest, it is told what they caused."""
ENTRIES_MAX = 200_000
"""So many entries are booked for one transaction; of versions that this does not reach to nothing is told."""


def effects_of(*, portfolio_id: str, transaction_id: str) -> dict[int, dict[str, Any] | None]:
    """What each version of the transaction caused, by version; None of those that are too old to be told of, or cannot
    be booked. Raises TooMany.
    """
    with one_snapshot():
        named = ledgers_of(securities={}, transaction_ids={portfolio_id: {transaction_id}})[portfolio_id]
        versions = sorted(named, key=lambda entry: entry.version)
        securities = {name for entry in versions for name in (entry.security_id, entry.target_security_id) if name}
        others = [
            entry
            for entry in effective(versions_of_component(portfolio_id=portfolio_id, securities=securities))
            if entry.transaction_id != transaction_id
        ]
        terms, offer = _terms(portfolio_id, [*others, *versions]), _offer(portfolio_id, [*others, *versions])
        caused: dict[int, dict[str, Any] | None] = {entry.version: None for entry in versions}
        if 2 * len(others) > ENTRIES_MAX:
            return caused
        told = versions[-min(VERSIONS_MAX, max(1, ENTRIES_MAX // (len(others) + 1) - 1)) :]
        before = versions[-len(told) - 1] if len(told) < len(versions) else None
        with apart() if len(others) * (len(told) + 1) > BOOKED_BESIDE_MAX else nullcontext():
            return caused | _caused(terms, offer, others, [before, *told])


def _caused(
    terms: Terms, offer: Offer, others: Sequence[LedgerEntry], versions: Sequence[LedgerEntry | None]
) -> dict[int, dict[str, Any] | None]:
    """What each of the versions but the first, which may be none, changed in what the one before it had caused."""
    caused: dict[int, dict[str, Any] | None] = {}
    booked = [_book(terms, offer, others, version) for version in versions]
    for version, before, after in zip(versions[1:], booked, booked[1:], strict=False):
        assert version, "only the one before the first may be none"
        with exact():
            caused[version.version] = effect_answer(before, after) if before and after else None
    return caused


def _book(terms: Terms, offer: Offer, others: Sequence[LedgerEntry], version: LedgerEntry | None) -> Books | None:
    """The part of the history with this version as the one that counts; None where it cannot be booked."""
    counts = [] if version is None or version.status == "CANCELLED" else [version]
    books = Books(terms, given=dict(offer.given), claims=offer.claims)
    try:
        return book((enrich(entry, terms) for entry in sorted([*others, *counts], key=key_of)), books)
    except OutOfRange:
        return None


def _terms(portfolio_id: str, entries: Sequence[LedgerEntry]) -> Terms:
    """Today's terms; the base of a provisional portfolio is the one it was last calculated in."""
    (terms,) = terms_of({portfolio_id: sorted(entries, key=key_of)}, believed(known_at=None).rates).values()
    state = state_of(portfolio_id=portfolio_id)
    return replace(terms, base_currency=state.base_currency) if state.provisional and state.base_currency else terms


def _offer(portfolio_id: str, entries: Sequence[LedgerEntry]) -> Offer:
    return offers({portfolio_id: entries}, anew={portfolio_id}).get(portfolio_id, Offer())
