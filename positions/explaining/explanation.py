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

from portfolio.amounts import NIL, Amount, Base, ExchangeRate, Local, number_of, total
from portfolio.money import UNKNOWN, ZERO, rounded
from positions.engine.books import Books, Disposal
from positions.engine.entry import Entry
from positions.engine.holdings import BASE_SUMS, Holding, HoldingKey, Kind
from positions.engine.lots import Lot, spread
from positions.engine.valuation import Valuation


class Reckoned(NamedTuple):
    """What is known of a running sum. `unknown` is another after an entry that has changed something unknown in it."""

    known: Decimal
    unknown: Any = None


class Level(NamedTuple):
    """A running figure of a holding, in its own money (or units) and in base."""

    local: Reckoned
    base: Reckoned


class Contribution(NamedTuple):
    """What was added to a figure, signed, in its own money and in base; and what is known of that."""

    amount: Decimal
    amount_base: Decimal
    known: Decimal
    known_base: Decimal


@dataclass(frozen=True, slots=True)
class Part:
    """What one entry, or one disposal of it, contributed."""

    entry: Entry
    contributed: Contribution
    disposal: Disposal | None = None


@dataclass(frozen=True, slots=True)
class LotPart:
    """What one open lot contributes: its share of what the holding is worth, less (for a gain) what it cost."""

    lot: Lot
    market_value: Amount[Local]
    market_value_base: Amount[Base]
    amount: Amount[Local]
    amount_base: Amount[Base]
    fx_gain_base: Amount[Base]


Measure = Callable[[Holding], Level]


class Watch:
    """Notes what each entry changes of one figure of one holding, while a portfolio is booked."""

    def __init__(self, books: Books, key: HoldingKey, measure: Measure) -> None:
        self._books, self._key, self._measure = books, key, measure
        self._entry: Entry | None = None
        self._level = measure(Holding(key, ""))
        self._parts: list[Part] = []

    def before_entry(self, entry: Entry | None) -> None:
        """See what the entry before has changed: what `engine.booking.book` calls."""
        held = self._books.holdings.get(self._key)
        if self._entry and held:
            before, self._level = self._level, self._measure(held)
            changed = contribution(before, self._level)
            if changed:
                self._parts.append(Part(self._entry, changed))
        self._entry = entry

    def parts(self) -> list[Part]:
        """What was noted, once all is booked; entries that changed nothing are left out."""
        self.before_entry(None)
        return self._parts


def contribution(before: Level, after: Level) -> Contribution | None:
    """What lies between two levels of a figure; None where nothing does."""
    amount, amount_base = _change(before.local, after.local), _change(before.base, after.base)
    if not amount and not amount_base:
        return None
    known, known_base = after.local.known - before.local.known, after.base.known - before.base.known
    return Contribution(amount, amount_base, known, known_base)


def _change(before: Reckoned, after: Reckoned) -> Decimal:
    return UNKNOWN if before.unknown != after.unknown else after.known - before.known


# --- the figures --------------------------------------------------------------------------------------------------

_NONE = Reckoned(ZERO)


def _quantity(held: Holding) -> Level:
    return Level(Reckoned(held.quantity), _NONE)


def _cost_basis(held: Holding) -> Level:
    base = Reckoned(number_of(held.cost_basis_base), _unrated(held))
    if not held.cost_basis.is_nan():
        return Level(Reckoned(number_of(held.cost_basis)), base)
    lots = held.open_lots()
    known = number_of(total(lot.cost_basis for lot in lots if not lot.cost_basis.is_nan()))
    return Level(Reckoned(known, tuple((lot.key, lot.quantity) for lot in lots if lot.cost_basis.is_nan())), base)


def _income(held: Holding) -> Level:
    base = _sum(held, "income_base")
    # One that could not be converted leaves the local sum unknown for good: only base tells what is added later.
    return Level(Reckoned(ZERO, base) if held.income.is_nan() else Reckoned(number_of(held.income)), base)


def _fees(held: Holding) -> Level:
    base = _sum(held, "fees_base")
    return Level(base, base)


def _taxes(held: Holding) -> Level:
    base = _sum(held, "taxes_base")
    return Level(base, base)


def _sum(held: Holding, name: str) -> Reckoned:
    """What is known of one of BASE_SUMS, and how many amounts of it are not."""
    if held.rated_sums is None:
        return Reckoned(getattr(held, name), ZERO)
    index = BASE_SUMS.index(name)
    return Reckoned(held.rated_sums[index], held.rated_sums[len(BASE_SUMS) + index])


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
        Part(d.closing, Contribution(*(number_of(d.realized_gain), number_of(d.realized_gain_base)) * 2), d)
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
        cost, cost_base = (lot.cost_basis, lot.cost_basis_base) if gain else (NIL, NIL)
        fx_gain = cost_now - lot.cost_basis_base
        parts.append(LotPart(lot, value, value_base, value - cost, value_base - cost_base, fx_gain))
    return parts


def _costs_now(held: Holding, lots: Sequence[Lot], fx_rate: ExchangeRate[Local, Base]) -> list[Amount[Base]]:
    """What the lots cost, at the rate of the day valued; the newest takes what rounding leaves of the whole."""
    costs = [rounded(lot.cost_basis * fx_rate) if lot.cost_basis else NIL for lot in lots]
    whole = rounded(held.cost_basis * fx_rate) if held.cost_basis else NIL
    costs[-1] += whole - total(costs)
    return costs
