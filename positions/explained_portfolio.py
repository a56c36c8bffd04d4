"""A figure of a whole portfolio, in base: what each of its holdings contributes, and where that is explained."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from portfolio.money import UNKNOWN, ZERO
from positions.engine.lots import Holding, HoldingKey, Kind
from positions.explanation_answers import Explained, Line
from positions.figures import Snapshot, balance_base_in, figure, valuation_in

Contribution = tuple[Decimal, Decimal, str]
"""In the holding's own money, in base, and why where that is unknown."""

_NO_RATE = "MISSING_FX_RATE"
_BOTH_KINDS = ("income", "fees", "taxes")


def explained_portfolio(name: str, snapshot: Snapshot, link: Callable[[HoldingKey], str]) -> Explained:
    """The figure of the contract's totals with its parts; holdings that contribute nothing are left out.

    Needs the arithmetic of `portfolio.money.exact`.
    """
    kinds = [Kind.CASH] if name == "cash" else [*Kind] if name in _BOTH_KINDS else [Kind.SECURITY]
    holdings = [held for held in snapshot.holdings if held.key.kind in kinds]
    lines = []
    for held in sorted(holdings, key=lambda held: (held.key.kind is Kind.CASH, held.key.security_id)):
        contribution = _contribution(name, held, snapshot)
        if contribution[0] or contribution[1]:
            lines.append(_line(held, contribution, snapshot.as_of, link(held.key)))
    total = sum((line.amount_base for line in lines), ZERO)
    return Explained(total, total, lines, next((line.missing for line in lines if line.amount_base.is_nan()), _NO_RATE))


def _contribution(name: str, held: Holding, snapshot: Snapshot) -> Contribution:
    if name == "cash":
        balance = held.quantity if snapshot.cash_tracked else ZERO
        return balance, balance_base_in(held, snapshot) if snapshot.cash_tracked else ZERO, _NO_RATE
    if name in ("market_value", "unrealized_gain"):
        valuation = valuation_in(held, snapshot)
        if name == "market_value":
            return valuation.market_value, valuation.market_value_base, valuation.missing
        return valuation.unrealized_gain, valuation.unrealized_gain_base, valuation.missing
    if name == "cost_basis":
        return held.cost_basis, UNKNOWN if held.unrated_lots else held.cost_basis_base, _NO_RATE
    base: Decimal = getattr(held, f"{name}_base")
    return (base if name in ("fees", "taxes") else getattr(held, name)), base, _NO_RATE


def _line(held: Holding, contribution: Contribution, day: datetime.date, address: str) -> Line:
    local, base, missing = contribution
    is_security = held.key.kind is Kind.SECURITY

    def facts() -> dict[str, Any]:
        return {
            "kind": "HOLDING",
            "date": day,
            "security_id": held.key.security_id if is_security else None,
            "currency": held.currency,
            "local": figure(local, missing),
            "explained_at": address,
        }

    return Line(base, base, base, base, day, facts, missing)
