"""Booking transfers: a TRANSFER_OUT gives lots away as they are, a TRANSFER_IN brings them or opens one of its own.

A TRANSFER_IN that names its TRANSFER_OUT is linked to it, one to one: it takes the lots that were given, whole. It is
booked at the later of its own place and just after that OUT, wherever the OUT stands: places are compared across
portfolios by (booking order, portfolio). So whatever an IN brings was given at an earlier place, and no chain of
transfers can close to a ring.

Where an IN stands depends on the two legs alone (there is such an OUT, not dated later, of the same security and
quantity), not on whether the OUT turns out to be oversold or taken: else booking at one place could undo the reason for
standing there.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from decimal import Decimal

from portfolio.amounts import NIL, Amount, Base, Local, Trade, amount_of, number_of, total
from portfolio.money import ONE, ZERO, rounded
from positions.engine.books import Books, Worth, lot_of
from positions.engine.cash import flow, move_cash
from positions.engine.entry import Entry, LegKey
from positions.engine.holdings import Holding
from positions.engine.links import Claim, Given, mismatch, refusal
from positions.engine.lots import Lot, LotKey, Piece, piece_of
from positions.engine.moves import Move
from positions.engine.postings import Place
from positions.engine.trades import covered, quantity_given

# --- where linked transfers stand ---------------------------------------------------------------------------------


def in_place(entries: Iterable[Entry], books: Books) -> Sequence[Entry]:
    """The entries, given in booking order, with every linked TRANSFER_IN at its place; why others are not matched is
    noted in the books.
    """
    ordered = list(entries)
    linked = [entry for entry in ordered if entry.linked]
    if not linked:
        return ordered
    portfolio_id = books.terms.portfolio_id
    outs = {LegKey(portfolio_id, e.transaction_id): e for e in ordered if e.transaction_type == "TRANSFER_OUT"}
    claims = [_claim(portfolio_id, entry) for entry in linked]
    rivals = {out: list(books.claims.get(out, ())) for out in {claim.linked for claim in claims}}
    for claim in claims:
        rivals[claim.linked].append(claim)
    for claim in claims:
        out = outs.get(claim.linked) or books.given.get(claim.linked)
        reason = refusal(claim, out, rivals[claim.linked])
        if reason:
            books.unmatched[claim.leg.transaction_id] = reason
        if out and not mismatch(claim, out):
            behind = Place(out.key, claim.linked.portfolio_id, claim.key)
            if behind > Place(claim.key, portfolio_id):
                books.places[claim.leg.transaction_id] = behind
    if not books.places:
        return ordered
    return sorted(ordered, key=lambda e: books.places.get(e.transaction_id) or Place(e.key, portfolio_id))


def _claim(portfolio_id: str, entry: Entry) -> Claim:
    assert entry.linked, "asked of linked entries only"
    leg = LegKey(portfolio_id, entry.transaction_id)
    return Claim(leg, entry.linked, entry.key, entry.security_id or "", entry.quantity)


# --- the types ----------------------------------------------------------------------------------------------------


def book_transfer_out(books: Books, entry: Entry) -> None:
    """Lots leave as they are, without a gain; or cash goes out."""
    if not entry.security_id:
        flow(books, entry, -ONE)
        return
    leg, base_currency = LegKey(books.terms.portfolio_id, entry.transaction_id), books.terms.base_currency
    quantity = quantity_given(books, entry, past_zero=False)
    if quantity is None:
        books.given[leg] = Given(entry.key, entry.security_id, entry.quantity, entry.currency, base_currency, [])
        return
    held = books.security(entry)
    pieces = sorted(books.take(entry, held, quantity), key=lambda piece: piece.key)
    cost = _cost_of(pieces)
    _note_move(books, entry, held, -quantity, cost=Worth(-cost.local, -cost.base), booked_base=-cost.base)
    books.given[leg] = Given(entry.key, entry.security_id, entry.quantity, held.currency, base_currency, pieces)
    books.report_costs(entry, held)
    move_cash(books, entry, -(entry.fee + entry.tax))


def book_transfer_in(books: Books, entry: Entry) -> None:
    """Lots come in: those of the OUT it is linked to, else one at the entry's amount; or cash does."""
    if not entry.security_id:
        flow(books, entry, ONE)
        return
    given = _given(books, entry)
    held = books.security(entry)
    if given:
        _take_over(books, entry, held, given)
    else:
        _bring_in(books, entry, held)
    costs = books.costs_in(entry)
    held.pay(costs, entry.base(costs))
    books.report_costs(entry, held, always=False)
    move_cash(books, entry, -(entry.fee + entry.tax))


def _given(books: Books, entry: Entry) -> Given | None:
    """The lots that the entry takes over; none where it is not linked, or its OUT gave nothing: that is then listed."""
    if not entry.linked:
        return None
    reason = books.unmatched.get(entry.transaction_id)
    given = books.given.get(entry.linked)
    if given and given.pieces and not reason:
        return given
    detail = reason or f"{entry.linked.transaction_id} was oversold"
    books.leave_out(entry, "TRANSFER_UNMATCHED", f"booked at its own amount: {detail}")
    return None


def _take_over(books: Books, entry: Entry, held: Holding, given: Given) -> None:
    """Put in the lots given, the oldest of them against a short."""
    lots = _received(books, entry, held, given)
    against = left = covered(held, sum((lot.quantity for lot in lots), ZERO))
    cover_cost: Amount[Local] = NIL
    cover_cost_base: Amount[Base] = NIL
    rest: list[Lot] = []
    for lot in lots:
        part = min(left, lot.quantity)
        left -= part
        covering = piece_of(lot, part)
        cover_cost += covering.cost_basis
        cover_cost_base += covering.cost_basis_base
        if part < lot.quantity:
            cost, cost_base = lot.cost_basis - covering.cost_basis, lot.cost_basis_base - covering.cost_basis_base
            rest.append(Lot(lot.key, lot.quantity - part, cost, cost_base))
    if against:
        books.close(entry, held, against, Worth(cover_cost, cover_cost_base))
    books.method.carry(held, rest)


def _received(books: Books, entry: Entry, held: Holding, given: Given) -> list[Lot]:
    """The lots given, in the holding's currency and the portfolio's base, with the entry's own costs among them."""
    lots = [lot_of(piece) for piece in given.pieces]
    for lot in lots:
        lot.cost_basis = books.converted(held, entry.date, lot.cost_basis, given.currency)
        if given.base_currency != books.terms.base_currency:
            lot.cost_basis_base = _base_then(books, held, lot.cost_basis, held.currency, lot.key.acquisition_date)
    quantity = sum((lot.quantity for lot in lots), ZERO)
    cost = _cost_of(lots)
    _note_move(books, entry, held, quantity, cost=cost, booked_base=cost.base)
    costs = books.worth(held, entry, books.costs_in(entry))
    for lot, share in zip(lots, costs.over(lots), strict=True):
        lot.cost_basis += share.local
        lot.cost_basis_base += share.base
    return lots


def _bring_in(books: Books, entry: Entry, held: Holding) -> None:
    """Cover shorts and open a lot, at the entry's own amount; the lot keeps an acquisition date given."""
    amount = entry.gross + books.costs_in(entry)
    against = covered(held, entry.quantity)
    closing = amount if against == entry.quantity else rounded(amount * against / entry.quantity)
    rest = entry.quantity - against
    key, opening = books.lot_key(entry), amount - closing
    opening_base, cost_base = entry.base(opening), entry.base(entry.gross)
    if rest and entry.acquisition_date:
        key = LotKey(entry.acquisition_date, 0, *key[2:])
        if not entry.rate_is_own:
            worth = entry.gross - rounded(entry.gross * against / entry.quantity)
            worth_base = _base_then(books, held, worth, entry.currency, entry.acquisition_date)
            opening_base = worth_base + entry.base(opening - worth)
            cost_base = entry.base(entry.gross - worth) + worth_base
    cost = Worth(books.local(held, entry, entry.gross), cost_base)
    _note_move(books, entry, held, entry.quantity, cost=cost, booked_base=entry.base(entry.gross))
    if against:
        books.close(entry, held, against, books.worth(held, entry, closing))
    if rest:
        books.method.join(held, Lot(key, rest, books.local(held, entry, opening), opening_base))


def _cost_of(lots: Sequence[Lot | Piece]) -> Worth:
    """What lots cost together."""
    return Worth(total(lot.cost_basis for lot in lots), total(lot.cost_basis_base for lot in lots))


def _note_move(
    books: Books, entry: Entry, held: Holding, quantity: Decimal, *, cost: Worth, booked_base: Amount[Base]
) -> None:
    """Note what crosses the portfolio's border in kind: in with a positive quantity, out with a negative one."""
    security_id = held.key.security_id
    books.moves.append(
        Move(
            date=entry.date,
            transaction_id=entry.transaction_id,
            source_id=None if quantity > 0 else security_id,
            target_id=security_id if quantity > 0 else None,
            quantity=quantity,
            split_ratio=held.split_ratio,
            cost_basis=cost.local,
            cost_basis_base=cost.base,
            booked_base=booked_base,
        )
    )


def _base_then(
    books: Books, held: Holding, amount: Amount[Trade] | Amount[Local], currency: str, day: datetime.date
) -> Amount[Base]:
    """An amount in base at the market rate of a day gone by."""
    if not amount:
        return NIL
    rate = books.market_rate(held, currency, books.terms.base_currency, day)
    return amount_of(rounded(number_of(amount) * rate), Base)
