"""What a figure is made of: what each entry has changed of it, the disposals it sums up, or the lots it is spread over.

A part is the difference of the running figure before and after its entry, so whatever rounding leaves belongs to the
entry that caused it and the parts add up to the figure to the last digit. Where a rate was missing a part is unknown in
base; the figure is too, for as long as anything unknown is in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from portfolio.money import UNKNOWN, ZERO, rounded
from positions.engine.books import Books, Disposal
from positions.engine.entry import Entry
from positions.engine.lots import BASE_SUMS, Holding, HoldingKey, Kind, Lot, spread
from positions.engine.valuation import Valuation


class Level(NamedTuple):
    """A running figure of a holding: in its currency, and what is known of it in base.

    `unknown` differs after an entry where something unknown is among what the entry has changed in base.
    """

    amount: Decimal
    base: Decimal
    unknown: Any = None


@dataclass(frozen=True, slots=True)
class Part:
    """What one entry, or one disposal of it, contributed; signed. `known_base` is what is known of `amount_base`."""

    entry: Entry
    amount: Decimal
    amount_base: Decimal
    known_base: Decimal
    disposal: Disposal | None = None


@dataclass(frozen=True, slots=True)
class LotPart:
    """What one open lot contributes: its share of what the holding is worth, less (for a gain) what it cost."""

    lot: Lot
    market_value: Decimal
    market_value_base: Decimal
    amount: Decimal
    amount_base: Decimal
    fx_gain_base: Decimal


Measure = Callable[[Holding], Level]


class Watch:
    """Notes what each entry changes of one figure of one holding, while a portfolio is booked."""

    def __init__(self, books: Books, key: HoldingKey, measure: Measure) -> None:
        self._books, self._key, self._measure = books, key, measure
        self._entry: Entry | None = None
        self._level = Level(ZERO, ZERO)
        self._parts: list[Part] = []

    def before_entry(self, entry: Entry | None) -> None:
        """See what the entry before has changed: what `engine.booking.book` calls."""
        held = self._books.holdings.get(self._key)
        if self._entry and held:
            before, self._level = self._level, self._measure(held)
            self._note(self._entry, before, self._level)
        self._entry = entry

    def parts(self) -> list[Part]:
        """What was noted, once all is booked; entries that changed nothing are left out."""
        self.before_entry(None)
        return self._parts

    def _note(self, entry: Entry, before: Level, after: Level) -> None:
        unknown = before.unknown != after.unknown
        amount, base = after.amount - before.amount, after.base - before.base
        # An unknown local figure stays so: whether an entry had to do with it shows in base.
        if unknown or base or (amount and not (before.amount.is_nan() and after.amount.is_nan())):
            self._parts.append(Part(entry, amount, UNKNOWN if unknown else base, base))


# --- the figures --------------------------------------------------------------------------------------------------


def _quantity(held: Holding) -> Level:
    return Level(held.quantity, ZERO)


def _cost_basis(held: Holding) -> Level:
    return Level(held.cost_basis, held.cost_basis_base, _unrated(held))


def _income(held: Holding) -> Level:
    return Level(held.income, *_sum(held, "income_base"))


def _fees(held: Holding) -> Level:
    base, unknown = _sum(held, "fees_base")
    return Level(base, base, unknown)


def _taxes(held: Holding) -> Level:
    base, unknown = _sum(held, "taxes_base")
    return Level(base, base, unknown)


def _sum(held: Holding, name: str) -> tuple[Decimal, Decimal]:
    """What is known of one of BASE_SUMS, and how many amounts of it are not."""
    if held.rated_sums is None:
        return getattr(held, name), ZERO
    index = BASE_SUMS.index(name)
    return held.rated_sums[index], held.rated_sums[len(BASE_SUMS) + index]


def _unrated(held: Holding) -> Any:
    """What there is without a cost in base. A split leaves that cost as it is: it does not count."""
    if not held.unrated_lots:
        return None
    if held.key.kind is Kind.CASH:
        return held.quantity
    without = [lot for lot in held.open_lots() if lot.cost_basis_base.is_nan()]
    return tuple((lot.key, lot.quantity if lot.cost_basis.is_nan() else lot.cost_basis) for lot in without)


MEASURES: dict[str, Measure] = {
    "quantity": _quantity,
    "cost_basis": _cost_basis,
    "cash": _cost_basis,
    "income": _income,
    "fees": _fees,
    "taxes": _taxes,
}
"""Figures that entries add to. Fees and taxes are kept in base alone; the cost of cash, in its own money, is itself."""

IN_BASE = ("fees", "taxes")


def disposal_parts(disposals: Iterable[Disposal], security_id: str) -> list[Part]:
    """What the realised gain of a security is made of: every piece that was closed, in the order booked."""
    return [
        Part(d.closing, d.realized_gain, d.realized_gain_base, d.realized_gain_base, d)
        for d in disposals
        if d.security_id == security_id
    ]


def lot_parts(held: Holding, valuation: Valuation, *, gain: bool) -> list[LotPart]:
    """What the market value of a holding, or its unrealised gain, is made of: its open lots, oldest first.

    Each has its share by quantity of what the holding is worth; the newest takes what rounding leaves. Needs the
    arithmetic of `portfolio.money.exact`.
    """
    lots = held.open_lots()
    if not lots:
        return []
    parts = []
    shares = zip(lots, spread(valuation.market_value, lots), spread(valuation.market_value_base, lots), strict=True)
    costs_now = _costs_now(held, lots, valuation.fx_rate)
    for (lot, value, value_base), cost_now in zip(shares, costs_now, strict=True):
        cost, cost_base = (lot.cost_basis, lot.cost_basis_base) if gain else (ZERO, ZERO)
        fx_gain = cost_now - lot.cost_basis_base
        parts.append(LotPart(lot, value, value_base, value - cost, value_base - cost_base, fx_gain))
    return parts


def _costs_now(held: Holding, lots: Sequence[Lot], fx_rate: Decimal) -> list[Decimal]:
    """What the lots cost, at the rate of the day valued; the newest takes what rounding leaves of the whole."""
    costs = [rounded(lot.cost_basis * fx_rate) if lot.cost_basis else ZERO for lot in lots]
    whole = rounded(held.cost_basis * fx_rate) if held.cost_basis else ZERO
    costs[-1] += whole - sum(costs, ZERO)
    return costs
