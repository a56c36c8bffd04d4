"""The facts of transactions that stored rows name: read from the ledger for those that are told, all at once.

The ledger may have grown since the rows were calculated: they are told in the versions that the rows were made from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from positions.calculating.market import market
from positions.calculating.terms import terms_of
from positions.engine.entry import Entry, Terms, enrich, key_of
from positions.explaining.answers import entry_answer
from positions.variants.asked import Reading
from transactions.entries import LedgerEntry, effective
from transactions.excerpts import versions_until


def facts_of(
    found: Reading, transaction_ids: Sequence[str], *, local_currency: str | None = None
) -> dict[str, dict[str, Any]]:
    """The facts of the transactions that count as calculated, by id; conversions are those to a holding's currency, if
    one is named.

    Needs the arithmetic of `portfolio.money.exact`.
    """
    portfolio_id = found.state.portfolio_id
    versions = versions_until(
        change_seqs={portfolio_id: found.state.computed_seq}, transaction_ids={portfolio_id: set(transaction_ids)}
    )
    entries, terms = enriched(found, effective(versions[portfolio_id]))
    return {entry.transaction_id: entry_answer(entry, terms, local_currency or entry.currency) for entry in entries}


def enriched(found: Reading, ledger: Sequence[LedgerEntry]) -> tuple[list[Entry], Terms]:
    """What the transactions were booked as, in booking order, and the terms; base is that of the stored rows."""
    of_portfolio = sorted(ledger, key=key_of)
    (today,) = terms_of({found.state.portfolio_id: of_portfolio}, market.rates).values()
    terms = replace(today, base_currency=found.state.base_currency)
    return [enrich(entry, terms) for entry in of_portfolio], terms
