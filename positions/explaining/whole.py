"""A figure of a whole portfolio, in base: what each of its holdings contributes, and where that is explained."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from portfolio.amounts import number_of
from portfolio.money import ZERO
from positions.engine.holdings import Holding, HoldingKey, Kind
from positions.explaining.answers import added_up
from positions.explaining.explanation import Contribution
from positions.explaining.listing import Explained, Line
from positions.figures import Snapshot, balance_base_in, figure, valuation_in

Amounts = tuple[Decimal, Decimal, str]
"""What a holding contributes: in the holding's own money, in base, and why where that is unknown."""

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
        amounts = _amounts(name, held, snapshot)
        if amounts[0] or amounts[1]:
            lines.append(_line(held, amounts, snapshot.as_of, link(held.key)))
    total = sum((line.contributed.amount_base for line in lines), ZERO)
    return Explained(
        total, total, lines, next((line.missing for line in lines if line.contributed.amount_base.is_nan()), _NO_RATE)
    )


def _amounts(name: str, held: Holding, snapshot: Snapshot) -> Amounts:
    if name == "cash":
        if not snapshot.cash_tracked:
            return ZERO, ZERO, _NO_RATE
        return held.quantity, number_of(balance_base_in(held, snapshot)), _NO_RATE
    if name in ("market_value", "unrealized_gain"):
        valuation = valuation_in(held, snapshot)
        return number_of(getattr(valuation, name)), number_of(getattr(valuation, f"{name}_base")), valuation.missing
    if name == "realized_gain":
        return number_of(held.realized_gain), number_of(held.realized_gain_base), _NO_RATE
    return *added_up(name, held), _NO_RATE


def _line(held: Holding, amounts: Amounts, day: datetime.date, address: str) -> Line:
    local, base, missing = amounts
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

    return Line(Contribution(base, base, base, base), day, facts, missing)
