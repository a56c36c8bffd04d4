"""How the units of each holding were multiplied through time, noted while booking.

A price is as quoted on its day; to read it in the units of a later day one must know the splits between.
"""

from __future__ import annotations

import datetime
from bisect import bisect_right
from collections.abc import Callable
from decimal import Decimal

from portfolio.money import ONE
from positions.engine.booking import Books
from positions.engine.lots import HoldingKey


class SplitHistory:
    """The split ratio of each holding at the end of every day on which it changed."""

    def __init__(self) -> None:
        self._days: dict[HoldingKey, tuple[list[datetime.date], list[Decimal]]] = {}

    def watch(self, books: Books) -> Callable[[datetime.date, set[HoldingKey]], None]:
        """What `engine.booking.book` calls at the end of each day."""

        def end_of_day(day: datetime.date, touched: set[HoldingKey]) -> None:
            for key in touched:
                ratio = books.holdings[key].split_ratio
                days, ratios = self._days.setdefault(key, ([], []))
                if ratio != (ratios[-1] if ratios else ONE):
                    days.append(day)
                    ratios.append(ratio)

        return end_of_day

    def ratio(self, key: HoldingKey, day: datetime.date) -> Decimal:
        """The product of the splits up to the end of the day."""
        days, ratios = self._days.get(key, ([], []))
        index = bisect_right(days, day)
        return ratios[index - 1] if index else ONE
