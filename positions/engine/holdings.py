"""Holdings: what is held of a security or a currency, what it cost, and what it has brought.

A holding keeps running totals beside its lots, so that an entry is booked without reading the lots it does not touch:
of those stored before, `lots` may hold only the oldest (or, where the newest are taken first, only the newest), and
`more` reads the rest when that is used up.
"""

from __future__ import annotations

import datetime
from bisect import bisect
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from decimal import Decimal
from enum import StrEnum
from operator import attrgetter
from typing import NamedTuple

from portfolio.amounts import (
    NIL,
    UNKNOWN_AMOUNT,
    Amount,
    AnyAmount,
    Base,
    Local,
    Quoted,
    amount_of,
    number_of,
    total,
)
from portfolio.money import ONE, ZERO, rounded
from positions.engine.lots import Lot, LotKey, Piece, piece_of, scaled_quantities


class Kind(StrEnum):
    """What a holding holds."""

    SECURITY = "SECURITY"
    CASH = "CASH"


class HoldingKey(NamedTuple):
    """A security's holding or a currency's cash."""

    kind: Kind
    security_id: str


_key = attrgetter("key")
_NOT_FIGURES = ("lots", "more", "taken_from", "opened")

BASE_SUMS = (
    "realized_gain_base",
    "realized_fx_gain_base",
    "income_base",
    "fees_base",
    "taxes_base",
    "fees_in_cost_base",
    "money_in_base",
    "money_out_base",
    "inflow_base",
    "outflow_base",
)
"""What a holding sums up in base. A sum with an unknown amount in it is UNKNOWN for good."""


@dataclass(slots=True)
class Holding:
    """A security or a currency's cash: running totals and lots. Signed; a short holding is negative.

    `cost_basis_base` sums the lots whose base cost is known; it is the whole only while `unrated_lots` is 0.
    `money_in_base` and `money_out_base` are what was paid into it and out of it, at the amounts booked; what comes and
    goes in kind is not among them (see `engine.moves`). `inflow_base` and `outflow_base` are the money that crossed the
    portfolio's border; they stand at the cash. `fees_in_cost_base` are the fees that are part of cost and proceeds.
    `split_ratio` multiplies up the splits booked so far and `trade_split_ratio` is what it was at the last own trade,
    so that an old price can be read in today's units. `first_date` is that of the first entry booked; until then the
    currency is not settled. `carried_*` is what a change of symbol brought: see `engine.carried`.
    """

    key: HoldingKey
    currency: str
    first_date: datetime.date | None = None
    quantity: Decimal = ZERO
    cost_basis: Amount[Local] = NIL
    cost_basis_base: Amount[Base] = NIL
    unrated_lots: int = 0
    realized_gain: Amount[Local] = NIL
    realized_gain_base: Amount[Base] = NIL
    realized_fx_gain_base: Amount[Base] = NIL
    income: Amount[Local] = NIL
    income_base: Amount[Base] = NIL
    fees_base: Amount[Base] = NIL
    taxes_base: Amount[Base] = NIL
    fees_in_cost_base: Amount[Base] = NIL
    money_in_base: Amount[Base] = NIL
    money_out_base: Amount[Base] = NIL
    inflow_base: Amount[Base] = NIL
    outflow_base: Amount[Base] = NIL
    split_ratio: Decimal = ONE
    trade_price: Amount[Quoted] | None = None
    trade_price_currency: str | None = None
    trade_price_date: datetime.date | None = None
    trade_split_ratio: Decimal = ONE
    carried_from: str | None = None
    carried_date: datetime.date | None = None
    carried_ratio: Decimal = ONE
    carried_price: Amount[Quoted] | None = None
    carried_price_currency: str | None = None
    carried_price_date: datetime.date | None = None
    flags: frozenset[str] = frozenset()
    rated_sums: list[Decimal] | None = None
    """Once an amount was unknown: BASE_SUMS without what was unknown, then how many amounts of each were. From these a
    later period's part can be told all the same."""
    lots: deque[Lot] = field(default_factory=deque)
    more: Callable[[], list[Lot]] | None = None
    taken_from: set[LotKey] = field(default_factory=set)
    """Lots that were stored before and have changed or closed since."""
    opened: deque[Lot] = field(default_factory=deque)
    """Lots opened since the stored ones were read, by age; none of them is among those stored."""

    @property
    def balance(self) -> Amount[Local]:
        """Of cash: the quantity, which is money."""
        return amount_of(self.quantity, Local)

    def state(self) -> Holding:
        """The figures as they stand now, without the lots."""
        return Holding(*_figures_of(self))

    def flag(self, *flags: str) -> None:
        """Mark the holding; a mark stays."""
        if not self.flags.issuperset(flags):
            self.flags = self.flags.union(flags)

    def add_up(self, **amounts: Amount[Base]) -> None:
        """Add amounts to BASE_SUMS, each by the name of its sum."""
        for name, amount in amounts.items():
            if self.rated_sums is not None or amount.is_nan():
                self._add_rated(BASE_SUMS.index(name), amount)
            setattr(self, name, getattr(self, name) + amount)

    def grown(self, name: str, before: Holding | None) -> Amount[Base]:
        """What one of BASE_SUMS has grown by since an earlier state of the holding, or since its beginning."""
        if self.rated_sums is None:
            now: Amount[Base] = getattr(self, name)
            return now - getattr(before, name) if before else now
        index = BASE_SUMS.index(name)
        rated, unrated = self.rated_sums[index], self.rated_sums[len(BASE_SUMS) + index]
        if before is None:
            return amount_of(rated, Base) if not unrated else UNKNOWN_AMOUNT
        if before.rated_sums is None:
            return amount_of(rated - getattr(before, name), Base) if not unrated else UNKNOWN_AMOUNT
        if unrated != before.rated_sums[len(BASE_SUMS) + index]:
            return UNKNOWN_AMOUNT
        return amount_of(rated - before.rated_sums[index], Base)

    def _add_rated(self, index: int, amount: Amount[Base]) -> None:
        rated = list(self.rated_sums or [*(getattr(self, name) for name in BASE_SUMS), *[ZERO] * len(BASE_SUMS)])
        if amount.is_nan():
            rated[len(BASE_SUMS) + index] += 1
        else:
            rated[index] += number_of(amount)
        self.rated_sums = rated

    def pay(self, amount: AnyAmount, amount_base: Amount[Base]) -> None:
        """Note money that was paid into the holding (positive) or out of it, which the amount tells, in whatever money;
        in base it may be unknown.
        """
        if amount < 0:
            self.add_up(money_out_base=-amount_base)
        else:
            self.add_up(money_in_base=amount_base)

    # --- lots in their order --------------------------------------------------------------------------------------

    def open_lots(self) -> list[Lot]:
        """All open lots, oldest first."""
        self._read_all()
        return sorted([*self.lots, *self.opened], key=_key)

    def oldest_first(self) -> Iterator[Lot]:
        """The open lots by age; each must be taken whole before the next is asked for."""
        while self.quantity:
            self._read_where_used_up()
            lots, opened = self.lots, self.opened
            yield opened[0] if not lots or (opened and opened[0].key < lots[0].key) else lots[0]

    def newest_first(self) -> Iterator[Lot]:
        """The open lots from the newest back, as `oldest_first`."""
        while self.quantity:
            self._read_where_used_up()
            lots, opened = self.lots, self.opened
            yield opened[-1] if not lots or (opened and opened[-1].key > lots[-1].key) else lots[-1]

    # --- what joins -----------------------------------------------------------------------------------------------

    def add(self, lot: Lot) -> None:
        """Open a lot of the holding's own, on the side held."""
        if not self.opened or self.opened[-1].key < lot.key:
            self.opened.append(lot)
        else:
            self.opened.insert(bisect(self.opened, lot.key, key=_key), lot)
        self.quantity += lot.quantity
        self.cost_basis += lot.cost_basis
        if lot.cost_basis_base.is_nan():
            self.unrated_lots += 1
        else:
            self.cost_basis_base += lot.cost_basis_base

    def carry(self, lots: Sequence[Lot]) -> None:
        """Put in lots that were opened elsewhere, on the side held. One that is here already is enlarged."""
        held = {lot.key: lot for lot in self.open_lots()}
        for lot in lots:
            if lot.key in held:
                self.taken_from.add(lot.key)
                self._enlarge(held[lot.key], lot)
            else:
                self.add(lot)

    def pool(self, lot: Lot) -> None:
        """Add to the one lot there is (average cost), or open it."""
        if not self.quantity:
            self.add(lot)
            return
        held = next(self.oldest_first())
        self.taken_from.add(held.key)
        self._enlarge(held, lot)

    def carry_into_pool(self, lots: Sequence[Lot]) -> None:
        """Add lots that were opened elsewhere to the one lot there is; the first of them may open it."""
        for lot in lots:
            self.pool(lot)

    # --- what changes and leaves ----------------------------------------------------------------------------------

    def take(self, parts: Iterable[tuple[Lot, Decimal]]) -> list[Piece]:
        """Take off parts (unsigned) of lots; each is off before the next is asked for."""
        sign = ONE if self.quantity > 0 else -ONE
        pieces = [self._take_part(lot, sign * part) for lot, part in parts]
        self._sum_anew_where_unknown()
        return pieces

    def take_all(self) -> list[Lot]:
        """Take off every lot, oldest first; they are not the holding's any more."""
        lots = [Lot(lot.key, lot.quantity, lot.cost_basis, lot.cost_basis_base) for lot in self.open_lots()]
        self.take([(lot, abs(lot.quantity)) for lot in self.open_lots()])
        return lots

    def relieve(self, lot: Lot, cost_basis: Amount[Local], cost_basis_base: Amount[Base]) -> None:
        """Lower the (signed) cost of one of the holding's lots; the quantity stays."""
        self.taken_from.add(lot.key)
        self._set(lot, lot.quantity, lot.cost_basis - cost_basis, lot.cost_basis_base - cost_basis_base)
        self._sum_anew_where_unknown()

    def scaled(self, new: Decimal, old: Decimal) -> Decimal:
        """The quantity there would be with `new` units for every `old` ones."""
        return rounded(self.quantity * new / old)

    def scale(self, new: Decimal, old: Decimal) -> None:
        """Turn every `old` units into `new` ones at unchanged cost; some of the holding must be left by it.

        A lot that is rounded to nothing is closed, and the newest that is left carries its cost.
        """
        lots = self.open_lots()
        quantities = scaled_quantities(lots, new, old)
        newest = max(index for index, quantity in enumerate(quantities) if quantity)
        for lot, quantity in zip(lots, quantities, strict=True):
            self.taken_from.add(lot.key)
            if not quantity:
                self._enlarge(lots[newest], Lot(lot.key, ZERO, lot.cost_basis, lot.cost_basis_base))
                self._set(lot, ZERO, NIL, NIL)
        for lot, quantity in zip(lots, quantities, strict=True):
            if quantity:
                self._set(lot, quantity, lot.cost_basis, lot.cost_basis_base)

    def _take_part(self, lot: Lot, part: Decimal) -> Piece:
        self.taken_from.add(lot.key)
        piece = piece_of(lot, part)
        self._set(
            lot,
            lot.quantity - part,
            lot.cost_basis - piece.cost_basis,
            lot.cost_basis_base - piece.cost_basis_base,
        )
        return piece

    def _enlarge(self, held: Lot, by: Lot) -> None:
        self._set(
            held,
            held.quantity + by.quantity,
            held.cost_basis + by.cost_basis,
            held.cost_basis_base + by.cost_basis_base,
        )

    def _set(self, lot: Lot, quantity: Decimal, cost_basis: Amount[Local], cost_basis_base: Amount[Base]) -> None:
        """Give a lot its new figures and bring the totals along; one without quantity is closed."""
        self.quantity += quantity - lot.quantity
        self.cost_basis += cost_basis - lot.cost_basis
        if lot.cost_basis_base.is_nan():
            self.unrated_lots -= 1
        else:
            self.cost_basis_base -= lot.cost_basis_base
        lot.quantity, lot.cost_basis, lot.cost_basis_base = quantity, cost_basis, cost_basis_base
        if not quantity:
            self._remove(lot)
        elif cost_basis_base.is_nan():
            self.unrated_lots += 1
        else:
            self.cost_basis_base += cost_basis_base

    def _remove(self, lot: Lot) -> None:
        for lots in (self.lots, self.opened):
            if lots and lots[0] is lot:
                lots.popleft()
                return
            if lots and lots[-1] is lot:
                lots.pop()
                return
        (self.lots if lot in self.lots else self.opened).remove(lot)

    def _sum_anew_where_unknown(self) -> None:
        # What could not be converted may have gone with the pieces: only a look at what is left can tell.
        if self.cost_basis.is_nan():
            self.cost_basis = total(lot.cost_basis for lot in self.open_lots())

    def _read_where_used_up(self) -> None:
        if not self.lots:
            self._read_all()

    def _read_all(self) -> None:
        if self.more:
            self.lots = deque(sorted([*self.lots, *self.more()], key=_key))
            self.more = None


_figures_of = attrgetter(*(one.name for one in fields(Holding) if one.name not in _NOT_FIGURES))
