"""What other portfolios gave as known at a moment: they are booked too, and whoever gave to them, as far as that goes.

Stored are only the lots that TRANSFER_OUTs gave as everything is known now. To tell what they gave as known then, every
portfolio that linked transfers lead to is read as known then and booked by its own cost method, again as long as what
reaches it changes. Whatever a transfer brings was given at an earlier place (see `engine.transfers`), so this comes to
an end even where portfolios give to one another in turn; how far it goes is bounded all the same.
"""

from __future__ import annotations

import datetime
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from positions.calculating.links import Offer, claim_of, is_linked
from positions.calculating.terms import terms_of
from positions.engine.booking import Books, book
from positions.engine.entry import LegKey, Terms, enrich, key_of
from positions.engine.links import Claim, Given, digest
from positions.variants.believed import Believed
from transactions.entries import LedgerEntry, counting, counting_links

PORTFOLIOS_MAX = 50
"""So many portfolios are booked to tell what one of them received."""
BOOKINGS_MAX = 500
"""So often one of them is booked until nothing changes any more."""
ENTRIES_MAX = 200_000
"""So many transactions are booked in all of that."""

Ledgers = Mapping[str, Sequence[LedgerEntry]]


class ChainTooLong(ValueError):
    """The linked transfers lead through more portfolios than are booked for one answer."""


@dataclass(frozen=True, slots=True)
class Chain:
    """What the OUTs named by a portfolio's entries gave as known then, and the portfolios it was found out from."""

    offer: Offer
    portfolio_ids: frozenset[str]


def chain_of(
    *,
    portfolio_id: str,
    entries: Sequence[LedgerEntry],
    until: datetime.date,
    known_at: datetime.datetime,
    market: Believed,
) -> Chain:
    """What others gave the portfolio, whose entries (in booking order) are given. Raises ChainTooLong."""
    ledgers = _ledgers(portfolio_id, entries, until, known_at)
    named = {p: {claim_of(p, entry).linked for entry in of_p if is_linked(entry)} for p, of_p in ledgers.items()}
    outs = {out for of_portfolio in named.values() for out in of_portfolio}
    claims = _claims(outs, until, known_at)
    needed = [p for p in ledgers if any(out.portfolio_id == p for q, of_q in named.items() if q != p for out in of_q)]
    givers = {p: ledgers[p] for p in needed}
    terms = terms_of(givers, market.rates)
    given: dict[LegKey, Given] = {}
    waiting = deque(givers)
    entries_left = ENTRIES_MAX
    for _ in range(BOOKINGS_MAX):
        if not waiting or entries_left <= 0:
            break
        giver = waiting.popleft()
        entries_left -= len(givers[giver])
        books = _book(terms[giver], givers[giver], _offer(giver, named[giver], given, claims))
        changed = {
            leg
            for leg, gave in books.given.items()
            if leg in outs and leg.portfolio_id == giver and (leg not in given or digest(given[leg]) != digest(gave))
        }
        given |= {leg: books.given[leg] for leg in changed}
        waiting += [p for p in givers if p != giver and p not in waiting and named[p] & changed]
    if waiting:
        raise ChainTooLong(
            f"What reaches {portfolio_id} by linked transfers is not settled in {BOOKINGS_MAX} bookings"
            f" of {ENTRIES_MAX:,} transactions together."
        )
    offer = _offer(portfolio_id, named[portfolio_id], given, claims)
    return Chain(offer, frozenset(ledgers.keys() - {portfolio_id}))


def _ledgers(
    portfolio_id: str, entries: Sequence[LedgerEntry], until: datetime.date, known_at: datetime.datetime
) -> Ledgers:
    """The entries, in booking order, of the portfolio and of all that linked transfers lead to."""
    ledgers: dict[str, Sequence[LedgerEntry]] = {portfolio_id: entries}
    more = _givers(portfolio_id, entries) - ledgers.keys()
    while more:
        if len(ledgers) + len(more) > PORTFOLIOS_MAX:
            raise ChainTooLong(f"Linked transfers lead from {portfolio_id} to more than {PORTFOLIOS_MAX} portfolios.")
        found = counting(portfolio_ids=more, until=until, known_at=known_at)
        ledgers |= {p: sorted(of_portfolio, key=key_of) for p, of_portfolio in found.items()}
        more = {giver for p in found for giver in _givers(p, ledgers[p])} - ledgers.keys()
    return ledgers


def _givers(portfolio_id: str, entries: Iterable[LedgerEntry]) -> set[str]:
    return {claim_of(portfolio_id, entry).linked.portfolio_id for entry in entries if is_linked(entry)}


def _claims(outs: set[LegKey], until: datetime.date, known_at: datetime.datetime) -> Mapping[LegKey, Sequence[Claim]]:
    """Who wanted what the OUTs gave, in any portfolio."""
    claims: dict[LegKey, list[Claim]] = {}
    for entry in counting_links(outs=outs, until=until, known_at=known_at):
        if is_linked(entry):
            claim = claim_of(entry.portfolio_id, entry)
            claims.setdefault(claim.linked, []).append(claim)
    return claims


def _offer(
    portfolio_id: str, named: set[LegKey], given: Mapping[LegKey, Given], claims: Mapping[LegKey, Sequence[Claim]]
) -> Offer:
    """What others offer the portfolio; its own OUTs and INs come with its entries."""
    return Offer(
        {out: given[out] for out in named if out in given and out.portfolio_id != portfolio_id},
        {out: [claim for claim in claims.get(out, ()) if claim.leg.portfolio_id != portfolio_id] for out in named},
    )


def _book(terms: Terms, entries: Sequence[LedgerEntry], offer: Offer) -> Books:
    books = Books(terms, given=dict(offer.given), claims=offer.claims)
    return book((enrich(entry, terms) for entry in entries), books)
