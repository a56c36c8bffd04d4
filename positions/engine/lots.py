"""Lots and holdings: what is held, what it cost, and how a piece is taken off.

A lot is known in its holding by its acquisition (date and time), the transaction that first opened it and that one's
portfolio; in that order these make its age. A short lot has negative quantity and holds its proceeds as negative cost.

A holding keeps running totals beside its lots, so that an entry is booked without reading the lots it does not touch:
`lots` may hold only the front of them, in the order they are taken, and `more` reads the rest when that is used up.
"""

from __future__ import annotations

import datetime
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from portfolio.money import ONE, ZERO, rounded


class Kind(StrEnum):
    """What a holding holds."""

    SECURITY = "SECURITY"
    CASH = "CASH"


class HoldingKey(NamedTuple):
    """A security's holding or a currency's cash."""

    kind: Kind
    security_id: str


class LotKey(NamedTuple):
    """What a lot is known by; the order is its age."""

    acquisition_date: datetime.date
    acquisition_time_us: int
    opening_transaction_id: str
    opening_portfolio_id: str


@dataclass(slots=True)
class Lot:
    """An open lot: signed quantity, signed cost in the holding's currency and in base (UNKNOWN without a rate)."""

    key: LotKey
    quantity: Decimal
    cost_basis: Decimal
    cost_basis_base: Decimal


@dataclass(frozen=True, slots=True)
class Piece:
    """What was taken off a lot: signed as the lot is."""

    key: LotKey
    quantity: Decimal
    cost_basis: Decimal
    cost_basis_base: Decimal


@dataclass(slots=True)
class Holding:
    """A security or a currency's cash: running totals and lots. Signed; a short holding is negative.

    `cost_basis_base` sums the lots whose base cost is known; it is the whole only while `unrated_lots` is 0.
    `split_ratio` multiplies up the splits booked so far and `trade_split_ratio` is what it was at the last own trade,
    so that an old price can be read in today's units. `first_date` is that of the first entry booked; until then the
    currency is not settled.
    """

    key: HoldingKey
    currency: str
    first_date: datetime.date | None = None
    quantity: Decimal = ZERO
    cost_basis: Decimal = ZERO
    cost_basis_base: Decimal = ZERO
    unrated_lots: int = 0
    realized_gain: Decimal = ZERO
    realized_gain_base: Decimal = ZERO
    realized_fx_gain_base: Decimal = ZERO
    income: Decimal = ZERO
    income_base: Decimal = ZERO
    fees_base: Decimal = ZERO
    taxes_base: Decimal = ZERO
    split_ratio: Decimal = ONE
    trade_price: Decimal | None = None
    trade_price_currency: str | None = None
    trade_price_date: datetime.date | None = None
    trade_split_ratio: Decimal = ONE
    flags: frozenset[str] = frozenset()
    lots: deque[Lot] = field(default_factory=deque)
    more: Callable[[], list[Lot]] | None = None
    taken_from: set[LotKey] = field(default_factory=set)
    """Lots that were stored before and have changed or closed since."""
    opened: deque[Lot] = field(default_factory=deque)
    """Lots opened since the stored front was read; they are newer than what `more` would read."""

    def flag(self, *flags: str) -> None:
        """Mark the holding; a mark stays."""
        if not self.flags.issuperset(flags):
            self.flags = self.flags.union(flags)

    def open_lots(self) -> list[Lot]:
        """All open lots, oldest first."""
        self._read_all()
        return [*self.lots, *self.opened]

    def add(self, lot: Lot) -> None:
        """Open a lot on the side held. One of the same acquisition is enlarged instead."""
        self._count(lot.quantity, lot.cost_basis, lot.cost_basis_base)
        if self.opened and self.opened[-1].key == lot.key:
            self._enlarge(self.opened[-1], lot)
        else:
            self.unrated_lots += lot.cost_basis_base.is_nan()
            self.opened.append(lot)

    def pool(self, lot: Lot) -> None:
        """Add to the one lot there is (average cost), or open it."""
        if not self.quantity:
            self.add(lot)
            return
        held = self.front()
        self._count(lot.quantity, lot.cost_basis, lot.cost_basis_base)
        self._enlarge(held, lot)
        self.taken_from.add(held.key)

    def take(self, quantity: Decimal, choose: Callable[[Holding], Lot]) -> list[Piece]:
        """Take off `quantity` (unsigned, at most what is held), from the lots that `choose` gives one after another."""
        sign = ONE if self.quantity > 0 else -ONE
        pieces: list[Piece] = []
        left = quantity
        while left > 0:
            lot = choose(self)
            part = min(left, abs(lot.quantity))
            pieces.append(self._take_part(lot, sign * part))
            left -= part
        if self.cost_basis.is_nan():
            # What could not be converted may have gone with the pieces: only a look at what is left can tell.
            self.cost_basis = sum((lot.cost_basis for lot in self.open_lots()), ZERO)
        return pieces

    def front(self) -> Lot:
        """The oldest open lot."""
        if not self.lots and self.more:
            self._read_all()
        return self.lots[0] if self.lots else self.opened[0]

    def scaled(self, new: Decimal, old: Decimal) -> Decimal:
        """The quantity there would be with `new` units for every `old` ones."""
        return rounded(self.quantity * new / old)

    def scale(self, new: Decimal, old: Decimal) -> None:
        """Turn every `old` units into `new` ones at unchanged cost; some of the holding must be left by it.

        The newest lot takes what rounding leaves, the one before it what would turn the newest to the other side. A lot
        that is rounded to nothing is closed, and the newest that is left carries its cost.
        """
        total, lots = self.scaled(new, old), self.open_lots()
        for lot in lots:
            lot.quantity = rounded(lot.quantity * new / old)
            self.taken_from.add(lot.key)
        left = total - sum((lot.quantity for lot in lots), ZERO)
        for lot in reversed(lots):
            lot.quantity += left
            if not lot.quantity or (lot.quantity > 0) == (total > 0):
                break
            left, lot.quantity = lot.quantity, ZERO
        self.quantity = total
        newest = next(lot for lot in reversed(lots) if lot.quantity)
        for lot in lots:
            if not lot.quantity:
                self._enlarge(newest, lot)
                self._remove(lot)

    def _take_part(self, lot: Lot, part: Decimal) -> Piece:
        self.taken_from.add(lot.key)
        if part == lot.quantity:
            piece = Piece(lot.key, lot.quantity, lot.cost_basis, lot.cost_basis_base)
            self._remove(lot)
        else:
            cost = rounded(lot.cost_basis * part / lot.quantity)
            cost_base = rounded(lot.cost_basis_base * part / lot.quantity)
            piece = Piece(lot.key, part, cost, cost_base)
            lot.quantity -= part
            lot.cost_basis -= cost
            lot.cost_basis_base -= cost_base
        self._count(-piece.quantity, -piece.cost_basis, -piece.cost_basis_base)
        return piece

    def _remove(self, lot: Lot) -> None:
        self.unrated_lots -= lot.cost_basis_base.is_nan()
        for lots in (self.lots, self.opened):
            if lots and lots[0] is lot:
                lots.popleft()
                return
        (self.lots if lot in self.lots else self.opened).remove(lot)

    def _enlarge(self, held: Lot, by: Lot) -> None:
        known = held.cost_basis_base
        held.quantity += by.quantity
        held.cost_basis += by.cost_basis
        held.cost_basis_base += by.cost_basis_base
        if held.cost_basis_base.is_nan() and not known.is_nan():
            self.cost_basis_base -= known
            self.unrated_lots += 1
        elif known.is_nan() and not by.cost_basis_base.is_nan():
            self.cost_basis_base -= by.cost_basis_base

    def _count(self, quantity: Decimal, cost_basis: Decimal, cost_basis_base: Decimal) -> None:
        self.quantity += quantity
        self.cost_basis += cost_basis
        if not cost_basis_base.is_nan():
            self.cost_basis_base += cost_basis_base

    def _read_all(self) -> None:
        if self.more:
            self.lots += self.more()
            self.more = None


def spread(amount: Decimal, pieces: Sequence[Piece]) -> list[Decimal]:
    """The amount over the pieces by quantity; the newest piece takes what rounding leaves."""
    if len(pieces) == 1:
        return [amount]
    total = sum((piece.quantity for piece in pieces), ZERO)
    shares = [rounded(amount * piece.quantity / total) for piece in pieces]
    newest = max(range(len(pieces)), key=lambda index: pieces[index].key)
    shares[newest] += amount - sum(shares, ZERO)
    return shares
