"""What comes, goes or changes hands in kind: units that move without a price being paid for them.

A move is a fact without a value. What it is worth is known at the end of its day (FINANCE.md 6 and 7), from prices and
rates that may still arrive, so it is valued when a statement or a day's value is made: see `analytics.history`.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from decimal import Decimal

from portfolio.amounts import Amount, Base, Local


@dataclass(frozen=True, slots=True)
class Move:
    """Units that came into the portfolio (no `source_id`), left it (no `target_id`) or passed from one to the other.

    `quantity` and `cost_basis` are in units and money of the target, or of the source where nothing is the target; both
    signed. Cost is without fee and tax, local and base. `split_ratio` is that holding's when the units moved: splits
    later on the day restate the quantity. `booked_base` is what counts where the day has no value for them.
    """

    date: datetime.date
    transaction_id: str
    source_id: str | None
    target_id: str | None
    quantity: Decimal
    split_ratio: Decimal
    cost_basis: Amount[Local]
    cost_basis_base: Amount[Base]
    booked_base: Amount[Base]

    @property
    def valued_id(self) -> str:
        """The security whose price says what the units are worth."""
        valued = self.target_id or self.source_id
        assert valued, "something moves"
        return valued
