"""What a holding sums up in base, also where an amount is unknown."""

from __future__ import annotations

from copy import copy
from decimal import Decimal

from portfolio.amounts import UNKNOWN_AMOUNT, Amount, Base, amount_of
from positions.engine.holdings import BASE_SUMS, Holding, HoldingKey, Kind


def holding() -> Holding:
    return Holding(HoldingKey(Kind.SECURITY, "AAPL"), "USD")


def dollars(number: int) -> Amount[Base]:
    return amount_of(Decimal(number), Base)


def test_a_sum_with_an_unknown_amount_is_unknown_for_good() -> None:
    held = holding()
    held.add_up(income_base=dollars(10))
    held.add_up(income_base=UNKNOWN_AMOUNT)
    held.add_up(income_base=dollars(5))
    assert held.income_base.is_nan()


def test_what_was_added_after_an_unknown_amount_is_known_all_the_same() -> None:
    held = holding()
    held.add_up(income_base=dollars(10), fees_base=dollars(1))
    first = copy(held)
    held.add_up(income_base=UNKNOWN_AMOUNT)
    second = copy(held)
    held.add_up(income_base=dollars(5), fees_base=dollars(2))
    assert first.grown("income_base", None) == 10
    assert second.grown("income_base", first).is_nan()
    assert held.grown("income_base", second) == 5
    assert held.grown("income_base", None).is_nan()
    # The other sums are untouched by it: 1 and then 2 more.
    assert held.grown("fees_base", None) == 3
    assert held.grown("fees_base", first) == 2


def test_every_sum_starts_at_nothing() -> None:
    assert all(getattr(holding(), name) == 0 for name in BASE_SUMS)
