"""Income: dividends and interest of a period, with the tax on them, by month and by holding."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from portfolio.money import ZERO, exact
from positions.analytics.unavailable import Unavailable, unavailable

Figure = Decimal | Unavailable


@dataclass(frozen=True, slots=True)
class IncomeFact:
    """Income of a holding on a day and the tax on it, in base; what is paid on a short holding is negative.

    A figure that cannot be converted is UNKNOWN. Income of the portfolio itself names no security: "".
    """

    date: datetime.date
    security_id: str
    income: Decimal
    taxes: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class IncomeSum:
    """Income and tax under a key, and what is left."""

    key: str
    income: Figure
    taxes: Figure
    net: Figure


@dataclass(frozen=True, slots=True)
class Income:
    """The months ("2025-03") in which there was income, in order; the holdings by security_id; and all of it."""

    months: tuple[IncomeSum, ...]
    holdings: tuple[IncomeSum, ...]
    total: IncomeSum


def income(facts: Iterable[IncomeFact], *, start: datetime.date, end: datetime.date) -> Income:
    """The income of the period (start, end]."""
    within = [fact for fact in facts if start < fact.date <= end]
    months: dict[str, list[IncomeFact]] = {}
    holdings: dict[str, list[IncomeFact]] = {}
    for fact in within:
        months.setdefault(f"{fact.date:%Y-%m}", []).append(fact)
        holdings.setdefault(fact.security_id, []).append(fact)
    return Income(
        tuple(_sum(month, months[month]) for month in sorted(months)),
        tuple(_sum(holding, holdings[holding]) for holding in sorted(holdings)),
        _sum("", within),
    )


def _sum(key: str, facts: Iterable[IncomeFact]) -> IncomeSum:
    total = taxes = ZERO
    with exact():
        for fact in facts:
            total += fact.income
            taxes += fact.taxes
        return IncomeSum(key, _figure(total), _figure(taxes), _figure(total - taxes))


def _figure(amount: Decimal) -> Figure:
    return unavailable("MISSING_FX_RATE") if amount.is_nan() else amount
