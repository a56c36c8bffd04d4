"""What of a portfolio has to be booked again from its beginning when something changed among what is booked.

Holdings of different securities are independent but for corporate actions that turn one into another, and for cash,
which takes in what they post (`engine.postings`). So what a back-dated, corrected or cancelled transaction can change
is its *component*: the securities of all its versions, with all that corporate actions join to them. About a hundred
entries are booked again where the portfolio has a hundred thousand.

A portfolio is booked anew as a whole where that is not so, or no cheaper: its settings changed; a linked transfer is
concerned, or a TRANSFER_OUT where the portfolio has linked TRANSFER_INs; it is provisional and its first entry, whose
currency is its base, may be another; most of its entries are concerned.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.db.models import Min

from positions.calculating.links import is_linked
from positions.engine.entry import key_of
from positions.models import BookingException, PortfolioState, Position, TransferLink
from transactions.entries import LedgerEntry, effective
from transactions.excerpts import corporate_links, ledgers_of, sizes_of_securities

SHARE_BOOKED_ANEW = 0.5
"""From this part of its entries on, the portfolio is booked anew as a whole."""


@dataclass(frozen=True, slots=True)
class Concerned:
    """What of a portfolio something new concerns: transactions, and securities beyond those of the transactions."""

    transaction_ids: set[str] = field(default_factory=set)
    securities: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Component:
    """Securities of a portfolio that are booked again from their beginning, and the transactions booked with them.

    `versions` are all versions of those transactions: what stands of them was booked from one of these.
    """

    portfolio_id: str
    securities: frozenset[str]
    versions: Sequence[LedgerEntry]

    @property
    def entries(self) -> list[LedgerEntry]:
        """What counts of it, in booking order."""
        return sorted(effective(self.versions), key=key_of)


def components(
    concerned: Mapping[str, Concerned], states: Mapping[str, PortfolioState], *, sizes: Mapping[str, int]
) -> tuple[list[Component], set[str]]:
    """The components of what is concerned of each portfolio, and the portfolios to be booked anew as a whole.

    `sizes`: how many versions the ledgers of the portfolios hold.
    """
    if not concerned:
        return [], set()
    changed = ledgers_of(securities={}, transaction_ids={p: one.transaction_ids for p, one in concerned.items()})
    links = corporate_links(portfolio_ids=concerned.keys())
    securities = {p: closed(one.securities | _securities_of(changed[p]), links[p]) for p, one in concerned.items()}
    anew = _mostly_concerned(securities, concerned, sizes) | _with_another_base(changed, states)
    ledgers = ledgers_of(
        securities={p: names for p, names in securities.items() if p not in anew},
        transaction_ids={p: one.transaction_ids for p, one in concerned.items() if p not in anew},
    )
    anew |= _with_linked_transfers(ledgers)
    found = [
        Component(p, securities[p], _of_component(versions, securities[p], concerned[p].transaction_ids))
        for p, versions in ledgers.items()
        if p not in anew
    ]
    return found, anew


def _securities_of(versions: Iterable[LedgerEntry]) -> set[str]:
    return {name for entry in versions for name in (entry.security_id, entry.target_security_id) if name}


def closed(securities: Collection[str], links: Iterable[tuple[str, str]]) -> frozenset[str]:
    """The securities and all that links join to them, through however many."""
    joined: dict[str, list[str]] = {}
    for source_id, target_id in links:
        joined.setdefault(source_id, []).append(target_id)
        joined.setdefault(target_id, []).append(source_id)
    closed: set[str] = set()
    ahead = set(securities)
    while ahead:
        closed |= ahead
        ahead = {name for one in ahead for name in joined.get(one, ())} - closed
    return frozenset(closed)


def _of_component(
    versions: Sequence[LedgerEntry], securities: Collection[str], transaction_ids: Collection[str]
) -> list[LedgerEntry]:
    """The versions of what is booked into the securities, or concerned itself: not of what was moved elsewhere before.

    A change that moved it is recorded with both securities concerned, and was calculated then.
    """
    booked = {e.transaction_id for e in effective(versions) if e.security_id in securities}
    return [entry for entry in versions if entry.transaction_id in booked or entry.transaction_id in transaction_ids]


# --- where the whole is booked anew -------------------------------------------------------------------------------


def _mostly_concerned(
    securities: Mapping[str, Collection[str]], concerned: Mapping[str, Concerned], sizes: Mapping[str, int]
) -> set[str]:
    parts = sizes_of_securities(securities=securities)
    return {
        portfolio_id
        for portfolio_id, one in concerned.items()
        if max(parts.get(portfolio_id, 0), len(one.transaction_ids)) > SHARE_BOOKED_ANEW * sizes[portfolio_id]
    }


def _with_another_base(changed: Mapping[str, Sequence[LedgerEntry]], states: Mapping[str, PortfolioState]) -> set[str]:
    """Provisional portfolios whose first entry may be another than it was: one of its first day, or before, changed."""
    first_changed = {
        p: min(entry.transaction_date for entry in versions)
        for p, versions in changed.items()
        if versions and states[p].provisional
    }
    first_days: dict[str, datetime.date] = {}
    booked = Position.objects.filter(portfolio_id__in=first_changed, first_date__isnull=False)
    left_out = BookingException.objects.filter(portfolio_id__in=first_changed)
    for rows in (
        booked.values_list("portfolio_id").annotate(day=Min("first_date")),
        left_out.values_list("portfolio_id").annotate(day=Min("transaction_date")),
    ):
        for portfolio_id, day in rows:
            first_days[portfolio_id] = min(day, first_days.get(portfolio_id, day))
    return {p for p, day in first_changed.items() if p not in first_days or day <= first_days[p]}


def _with_linked_transfers(ledgers: Mapping[str, Sequence[LedgerEntry]]) -> set[str]:
    """Where a linked transfer is concerned, or may be: who takes what an OUT gives depends on other entries."""
    linking = set(
        TransferLink.objects.filter(portfolio_id__in=ledgers.keys()).values_list("portfolio_id", flat=True).distinct()
    )
    return {
        portfolio_id
        for portfolio_id, versions in ledgers.items()
        if any(map(is_linked, versions))
        or (portfolio_id in linking and any(entry.transaction_type == "TRANSFER_OUT" for entry in versions))
    }
