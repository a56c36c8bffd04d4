"""Cost methods: how a purchase joins the lots, and which lot a disposal takes next. The table is at the foot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from positions.engine.lots import Holding, Lot


@dataclass(frozen=True, slots=True)
class CostMethod:
    """`join` puts what was acquired into a holding; `choose` gives the lot that a disposal takes from next."""

    join: Callable[[Holding, Lot], None]
    choose: Callable[[Holding], Lot]


COST_METHODS: dict[str, CostMethod] = {
    "FIFO": CostMethod(join=Holding.add, choose=Holding.front),
    "AVCO": CostMethod(join=Holding.pool, choose=Holding.front),
}
