"""Explaining a figure of a portfolio: its entries are booked again and watched, or its holdings are listed.

Of a security only the entries that hang together with it are booked; cash takes in what every entry of the portfolio
moves. Without either, the parts are the holdings, each of which has an explanation of its own.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from portfolio.knowledge import settled_moment
from portfolio.money import OutOfRange, UNKNOWN, ZERO, exact
from portfolio.problems import InvalidContent, Unknown
from portfolio.queries import AnyUser
from portfolio.reading import visible_portfolio
from positions.apart import apart
from positions.asked import Reading
from positions.chains import ChainTooLong
from positions.engine.booking import Books
from positions.engine.entry import Entry
from positions.engine.lots import Holding, HoldingKey, Kind
from positions.explanation import IN_BASE, MEASURES, Watch, disposal_parts, lot_parts
from positions.explanation_answers import (
    Explained,
    Line,
    entry_lines,
    explanation_answer,
    lot_lines,
    price_answer,
    rate_answer,
    revaluation_line,
)
from positions.figures import Snapshot, balance_base_in, exception_answer, valuation_in
from positions.ledger_parts import entries_of_component, entries_of_portfolio
from positions.queries import one_snapshot, pending_of, state_of
from positions.variants import Asked, Variant, book_entries

BOOKED_BESIDE_MAX = 2_000
"""Up to so many entries are booked where they are asked for; more are booked apart, few at a time."""

OF_SECURITIES = ("quantity", "cost_basis", "realized_gain", "unrealized_gain", "market_value")
OF_CASH = ("cash",)
OF_BOTH = ("income", "fees", "taxes")
FIGURES = (*OF_SECURITIES, *OF_CASH, *OF_BOTH)


class _Seen:
    """The watch, and the entries in the order booked, of a booking that is to be explained."""

    def __init__(self, key: HoldingKey, figure: str) -> None:
        self.key, self.figure = key, figure
        self.entries: list[Entry] = []
        self.watch: Watch | None = None

    def of(self, books: Books) -> Callable[[Entry], None]:
        """What is called before each entry is booked."""
        measure = MEASURES.get(self.figure)
        self.watch = Watch(books, self.key, measure) if measure else None

        def before_entry(entry: Entry) -> None:
            self.entries.append(entry)
            if self.watch:
                self.watch.before_entry(entry)

        return before_entry
