"""Lots: what a holding is made of, and how a piece is taken off.

A lot is known in its holding by its acquisition (date and time), the transaction that first opened it and that one's
portfolio; in that order these make its age. A short lot has negative quantity and holds its proceeds as negative cost.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from portfolio.amounts import Amount, Base, Local, M, total
from portfolio.money import ZERO, rounded


class LotKey(NamedTuple):
    """What a lot is known by; the order is its age."""

    acquisition_date: datetime.date
    acquisition_time_us: int
    opening_transaction_id: str
    opening_portfolio_id: str


@dataclass(slots=True, eq=False)
class Lot:
    """An open lot: signed quantity, signed cost in the holding's currency and in base (UNKNOWN without a rate)."""

    key: LotKey
    quantity: Decimal
    cost_basis: Amount[Local]
    cost_basis_base: Amount[Base]


@dataclass(frozen=True, slots=True)
class Piece:
    """What was taken off a lot: signed as the lot is."""

    key: LotKey
    quantity: Decimal
    cost_basis: Amount[Local]
    cost_basis_base: Amount[Base]


def piece_of(lot: Lot, part: Decimal) -> Piece:
    """A part of a lot (signed as the lot is) with its share of the cost; the whole lot has all of it."""
    if part == lot.quantity:
        return Piece(lot.key, part, lot.cost_basis, lot.cost_basis_base)
    cost = rounded(lot.cost_basis * part / lot.quantity)
    cost_base = rounded(lot.cost_basis_base * part / lot.quantity)
    return Piece(lot.key, part, cost, cost_base)


def scaled_quantities(lots: Sequence[Lot], new: Decimal, old: Decimal) -> list[Decimal]:
    """What the lots, oldest first, become with `new` units for every `old` ones: together the scaled total, not 0.

    The newest lot takes what rounding leaves, the one before it what would turn the newest to the other side.
    """
    total = rounded(sum((lot.quantity for lot in lots), ZERO) * new / old)
    quantities = [rounded(lot.quantity * new / old) for lot in lots]
    left = total - sum(quantities, ZERO)
    for index in reversed(range(len(lots))):
        quantities[index] += left
        if not quantities[index] or (quantities[index] > 0) == (total > 0):
            break
        left, quantities[index] = quantities[index], ZERO
    return quantities


def spread(amount: Amount[M], pieces: Sequence[Piece | Lot]) -> list[Amount[M]]:
    """The amount over the pieces by quantity; the newest piece takes what rounding leaves."""
    if len(pieces) == 1:
        return [amount]
    quantity = sum((piece.quantity for piece in pieces), ZERO)
    shares = [rounded(amount * piece.quantity / quantity) for piece in pieces]
    newest = max(range(len(pieces)), key=lambda index: pieces[index].key)
    shares[newest] += amount - total(shares)
    return shares
