"""A difference that reconciliation found: two numbers that should be one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from portfolio.money import ONE, ZERO, exact

TOLERANCE = ONE.scaleb(-8)
"""Sums that were rounded in different places may differ by this much, in units of money; rows copied may not at all."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What stands in the rows, and what other rows, or the ledger, say should."""

    portfolio_id: str
    holding: str
    """A security, a currency's cash, or "" for the portfolio."""
    figure: str
    stored: Any
    expected: Any

    @property
    def by(self) -> Decimal | None:
        """By how much; None where that cannot be said."""
        numbers = (self.stored, self.expected)
        if not all(isinstance(number, Decimal) and number.is_finite() for number in numbers):
            return None
        with exact():
            difference: Decimal = self.stored - self.expected
            return difference


@dataclass(frozen=True, slots=True)
class Comparison:
    """Compares what belongs to one portfolio."""

    portfolio_id: str

    def equal(self, holding: str, stored: Mapping[str, Any], expected: Mapping[str, Any]) -> Iterator[Difference]:
        """Those of the expected figures that are not stored just so; unknown is equal to unknown."""
        for figure, value in expected.items():
            if not _same(stored.get(figure), value):
                yield Difference(self.portfolio_id, holding, figure, stored.get(figure), value)

    def close(
        self, holding: str, figure: str, stored: Decimal, expected: Decimal, tolerance: Decimal = TOLERANCE
    ) -> Iterator[Difference]:
        """The figure, where it lies further off than rounding. What is unknown on both sides agrees."""
        if stored.is_nan() and expected.is_nan():
            return
        with exact():
            is_close = not (stored.is_nan() or expected.is_nan()) and abs(stored - expected) <= tolerance
        if not is_close:
            yield Difference(self.portfolio_id, holding, figure, stored, expected)

    def zero(self, holding: str, figure: str, residual: Decimal) -> Iterator[Difference]:
        """The residual, where it is more than rounding; one that is unknown says nothing."""
        return iter(()) if residual.is_nan() else self.close(holding, figure, residual, ZERO)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Decimal) and isinstance(other, Decimal) and one.is_nan() and other.is_nan():
        return True
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)
