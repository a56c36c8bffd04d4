"""Cost methods: how what was acquired joins the lots, and which lots a disposal takes. The table is at the foot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from portfolio.amounts import number_of
from portfolio.money import ZERO
from positions.engine.holdings import Holding
from positions.engine.lots import Lot, LotKey

UNIT_COST_STEP = Decimal("1e-12")
"""How exactly HIFO compares unit costs."""
_DIGITS_COMPARED = 40

NamedLots = Sequence[tuple[str, Decimal]]
"""Lots named for a disposal, each by the transaction that opened it, and how much of it."""
Choice = Iterable[tuple[Lot, Decimal]]
"""Lots and how much (unsigned) to take of each: each part is taken before the next is asked for."""


@dataclass(frozen=True, slots=True)
class CostMethod:
    """`join` puts into a holding what was acquired, `carry` the lots that come with a history of their own (oldest
    first), `choose` gives what a disposal of a quantity takes, the lots named for it in hand.
    """

    join: Callable[[Holding, Lot], None]
    carry: Callable[[Holding, Sequence[Lot]], None]
    choose: Callable[[Holding, Decimal, NamedLots], Choice]


def _walk(order: Callable[[Holding], Iterator[Lot]]) -> Callable[[Holding, Decimal, NamedLots], Choice]:
    """Take lots whole in an order until the quantity is reached."""

    def choose(held: Holding, quantity: Decimal, _: NamedLots) -> Choice:
        left = quantity
        lots = order(held)
        while left:
            lot = next(lots)
            part = min(left, abs(lot.quantity))
            yield lot, part
            left -= part

    return choose


def _dearest_first(held: Holding) -> Iterator[Lot]:
    """Highest local unit cost first, without sign; of equal ones the older. A cost that is unknown comes last."""
    return iter(sorted(held.open_lots(), key=lambda lot: (-_unit_cost(lot), lot.key)))


def _unit_cost(lot: Lot) -> Decimal:
    if lot.cost_basis.is_nan():
        return -Decimal("inf")
    unit_cost = abs(number_of(lot.cost_basis) / lot.quantity)
    return unit_cost if unit_cost.adjusted() > _DIGITS_COMPARED else unit_cost.quantize(UNIT_COST_STEP)


def _named_first(held: Holding, quantity: Decimal, named: NamedLots) -> Choice:
    """The lots named, as far as they are there; what is not named falls to the oldest, and the holding is flagged."""
    lots = held.open_lots()
    opened_by: dict[str, list[Lot]] = {}
    for lot in lots:
        opened_by.setdefault(lot.key.opening_transaction_id, []).append(lot)
    parts: dict[LotKey, tuple[Lot, Decimal]] = {}
    left = quantity
    for opening_transaction_id, most in named:
        left -= _put_aside(opened_by.get(opening_transaction_id, ()), min(most, left), parts)
    if left:
        held.flag("LOTS_NOT_NAMED")
        _put_aside(lots, left, parts)
    return list(parts.values())


def _put_aside(lots: Iterable[Lot], most: Decimal, parts: dict[LotKey, tuple[Lot, Decimal]]) -> Decimal:
    """Add to the parts at most so much of the lots, in their order, as is not among them yet; how much it was."""
    left = most
    for lot in lots:
        _, aside = parts.get(lot.key, (lot, ZERO))
        part = min(left, abs(lot.quantity) - aside)
        if part:
            parts[lot.key] = (lot, aside + part)
        left -= part
        if not left:
            break
    return most - left


_FIFO = _walk(Holding.oldest_first)

COST_METHODS: dict[str, CostMethod] = {
    "FIFO": CostMethod(Holding.add, Holding.carry, _FIFO),
    "LIFO": CostMethod(Holding.add, Holding.carry, _walk(Holding.newest_first)),
    "HIFO": CostMethod(Holding.add, Holding.carry, _walk(_dearest_first)),
    "AVCO": CostMethod(Holding.pool, Holding.carry_into_pool, _FIFO),
    "SPECIFIC": CostMethod(Holding.add, Holding.carry, _named_first),
}
