"""Linked transfers as stored: what OUTs gave, who claims it, and which portfolios must follow when that changes.

A calculation reads what other portfolios' OUTs gave as it is committed, without locking, and notes with each linked IN
what it was booked with. After it is committed, whoever gives to or competes with its portfolios is compared anew in a
fresh snapshot: an IN that would now receive something else has its portfolio's mark raised, so that it is booked anew.
Of two calculations that did not see one another, the one that commits last sees both. A crash between the two leaves
the request unacknowledged; when it is delivered again, the comparison is made again.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.db import transaction as db_transaction
from django.db.models import Q

from portfolio.marks import lock_marks, raise_marks
from portfolio.money import ZERO
from portfolio.streaming.messages import TransactionsRecorded
from positions.calculating.tables import Row
from positions.engine.books import Books
from positions.engine.entry import EntryKey, LegKey, key_of
from positions.engine.links import WENT_TO_ANOTHER, Claim, Given, digest, refusal
from positions.engine.lots import LotKey, Piece
from positions.models import BookingException, GivenLot, TransferLink
from transactions.entries import LedgerEntry


def is_linked(entry: LedgerEntry) -> bool:
    """Whether the entry is a TRANSFER_IN of a security that names the TRANSFER_OUT it comes from."""
    named = entry.linked_transaction_id is not None and entry.security_id is not None
    return entry.transaction_type == "TRANSFER_IN" and named


def waiting_for_an_out(appended: Mapping[str, Sequence[LedgerEntry]]) -> set[str]:
    """Those of the portfolios whose new entries cannot just be appended, though they sort after all that is booked.

    A TRANSFER_OUT may be the one that a TRANSFER_IN booked without it was waiting for.
    """
    giving = {p for p, entries in appended.items() if any(e.transaction_type == "TRANSFER_OUT" for e in entries)}
    if not giving:
        return set()
    waiting = BookingException.objects.filter(portfolio_id__in=giving, code="TRANSFER_UNMATCHED")
    return set(waiting.values_list("portfolio_id", flat=True))


# --- what is there to take ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Offer:
    """What the OUTs named by a portfolio's entries gave, and the stored INs that want it too."""

    given: dict[LegKey, Given] = field(default_factory=dict)
    claims: dict[LegKey, list[Claim]] = field(default_factory=dict)


def offers(entries: Mapping[str, Sequence[LedgerEntry]], *, anew: Collection[str]) -> dict[str, Offer]:
    """What is stored of the OUTs that the portfolios' linked INs name; portfolios without such have no offer.

    Of a portfolio that is booked anew its own stored OUTs and INs are left out: they come with its entries.
    """
    named = {p: {claim_of(p, entry).linked for entry in of_p if is_linked(entry)} for p, of_p in entries.items()}
    outs = {out for of_portfolio in named.values() for out in of_portfolio}
    if not outs:
        return {}
    given, claims = _given(outs), _by_out(_claims(_naming(outs)))
    return {
        portfolio_id: Offer(
            {
                out: given[out]
                for out in of_portfolio
                if out in given and not (out.portfolio_id == portfolio_id and portfolio_id in anew)
            },
            {
                out: [
                    c for c in claims.get(out, ()) if not (c.leg.portfolio_id == portfolio_id and portfolio_id in anew)
                ]
                for out in of_portfolio
            },
        )
        for portfolio_id, of_portfolio in named.items()
        if of_portfolio
    }


def claim_of(portfolio_id: str, entry: LedgerEntry) -> Claim:
    """What a linked TRANSFER_IN of the portfolio asks for."""
    linked = LegKey(entry.linked_portfolio_id or portfolio_id, entry.linked_transaction_id or "")
    leg = LegKey(portfolio_id, entry.transaction_id)
    assert entry.quantity is not None, "validation asks for the quantity"
    return Claim(leg, linked, key_of(entry), entry.security_id or "", entry.quantity)


# --- what is stored -----------------------------------------------------------------------------------------------


_NOTHING = (None, None, None, None, ZERO, ZERO, ZERO)


def given_rows(books: Books, entries: Sequence[LedgerEntry]) -> list[Row]:
    """What the OUTs among the entries have given away, as rows of given_lots; one without lot where it was oversold."""
    outs = [LegKey(books.terms.portfolio_id, e.transaction_id) for e in entries if e.transaction_type == "TRANSFER_OUT"]
    rows: list[Row] = []
    for leg in outs:
        given = books.given.get(leg)
        if given:
            facts = (*leg, *given.key[:3], given.security_id, given.quantity, given.currency, given.base_currency)
            rows += [(*facts, *p.key, p.quantity, p.cost_basis, p.cost_basis_base) for p in given.pieces]
            rows += [] if given.pieces else [(*facts, *_NOTHING)]
    return rows


def link_rows(books: Books, entries: Sequence[LedgerEntry]) -> list[Row]:
    """The linked INs among the entries, as rows of transfer_links."""
    new = [claim_of(books.terms.portfolio_id, entry) for entry in entries if is_linked(entry)]
    rivals = _by_out([*new, *(claim for claims in books.claims.values() for claim in claims)])
    rows: list[Row] = []
    for claim in new:
        received = _received(claim, books.given.get(claim.linked), rivals[claim.linked])
        rows.append((*claim.leg, *claim.key[:3], claim.security_id, claim.quantity, *claim.linked, received))
    return rows


def _received(claim: Claim, given: Given | None, rivals: Sequence[Claim]) -> str:
    reason = refusal(claim, given, rivals)
    assert reason or given, "only what was given can be received"
    return reason or (digest(given) if given else "")


def last_place(books: Books, entries: Sequence[LedgerEntry]) -> EntryKey:
    """The place of the last entry booked: its own, or that of the OUT (of any portfolio) which an IN stands behind."""
    named = [claim_of(books.terms.portfolio_id, entry).linked for entry in entries if is_linked(entry)]
    return max([key_of(entries[-1]), *(books.given[out].key for out in named if out in books.given)])


# --- who must follow ----------------------------------------------------------------------------------------------


def wake_followers(portfolio_ids: Collection[str], *, now: datetime.datetime) -> list[TransactionsRecorded]:
    """Raise the marks of other portfolios whose linked INs would now receive something else than they were booked with.

    `portfolio_ids` are those just calculated. Runs in a database transaction of its own, after theirs.
    """
    with db_transaction.atomic():
        return _wake_followers(list(portfolio_ids), now)


def _wake_followers(portfolio_ids: Sequence[str], now: datetime.datetime) -> list[TransactionsRecorded]:
    # A claim that is gone leaves no link to tell which OUT it had: who lost one to another is looked at wherever it is.
    lost = Q(received__endswith=WENT_TO_ANOTHER)
    near = Q(linked_portfolio_id__in=portfolio_ids) | Q(portfolio_id__in=portfolio_ids) | lost
    outs = {
        claim.linked
        for claim in _claims(near)
        if claim.linked.portfolio_id != claim.leg.portfolio_id or claim.received.endswith(WENT_TO_ANOTHER)
    }
    if not outs:
        return []
    given = _given(outs)
    differing: set[str] = set()
    claims = _by_out(_claims(_naming(outs)))
    for out in outs & claims.keys():
        for claim in claims[out]:
            if claim.received != _received(claim, given.get(out), claims[out]):
                differing.add(claim.leg.portfolio_id)
    raised = raise_marks(lock_marks(dict.fromkeys(differing, ""), now=now), now=now, settings_changed=True)
    return [
        TransactionsRecorded(portfolio_id=p, change_seq=mark.change_seq, recorded_at=mark.recorded_at)
        for p, mark in sorted(raised.items())
    ]


# --- reading ------------------------------------------------------------------------------------------------------


def _naming(outs: Collection[LegKey]) -> Q:
    """Links that name one of the OUTs, or another of the same two lists of ids: to be told apart by the reader."""
    return Q(
        linked_portfolio_id__in={out.portfolio_id for out in outs},
        linked_transaction_id__in={out.transaction_id for out in outs},
    )


def _claims(condition: Q) -> list[Claim]:
    rows = TransferLink.objects.filter(condition)
    return [
        Claim(
            LegKey(row.portfolio_id, row.transaction_id),
            LegKey(row.linked_portfolio_id, row.linked_transaction_id),
            EntryKey(row.transaction_date, row.transaction_time_us, row.transaction_rank, row.transaction_id),
            row.security_id,
            row.quantity,
            row.received,
        )
        for row in rows
    ]


def _by_out(claims: Iterable[Claim]) -> dict[LegKey, list[Claim]]:
    by_out: dict[LegKey, list[Claim]] = {}
    for claim in claims:
        by_out.setdefault(claim.linked, []).append(claim)
    return by_out


def _given(outs: Collection[LegKey]) -> dict[LegKey, Given]:
    rows = GivenLot.objects.filter(
        portfolio_id__in={out.portfolio_id for out in outs}, transaction_id__in={out.transaction_id for out in outs}
    )
    lots: dict[LegKey, list[GivenLot]] = {}
    for row in rows:
        lots.setdefault(LegKey(row.portfolio_id, row.transaction_id), []).append(row)
    return {leg: _given_of(of_leg) for leg, of_leg in lots.items() if leg in outs}


def _given_of(rows: Sequence[GivenLot]) -> Given:
    first = rows[0]
    pieces = [Piece(key, row.quantity, row.cost_basis, row.cost_basis_base) for row in rows if (key := _lot_key(row))]
    return Given(
        EntryKey(first.transaction_date, first.transaction_time_us, first.transaction_rank, first.transaction_id),
        first.security_id,
        first.transferred,
        first.currency,
        first.base_currency,
        sorted(pieces, key=lambda piece: piece.key),
    )


def _lot_key(row: GivenLot) -> LotKey | None:
    if row.acquisition_date is None or row.acquisition_time_us is None:
        return None
    opening = row.opening_transaction_id or "", row.opening_portfolio_id or ""
    return LotKey(row.acquisition_date, row.acquisition_time_us, *opening)
