"""Explanations as an answer gives them: the parts of a figure with the facts, prices and rates they rest on."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from portfolio.amounts import number_of
from portfolio.money import UNKNOWN, ZERO, plain
from positions.engine.entry import Entry, Terms
from positions.engine.holdings import Holding, Kind
from positions.explaining.explanation import IN_BASE, Contribution, LotPart, Part
from positions.explaining.listing import Explained, Line, explanation_answer
from positions.explaining.market import rate_answer, rate_used_answer
from positions.figures import disposal_answer, figure, lot_answer


def holding_answer(figure: str, held: Holding, base_currency: str, explained: Explained) -> dict[str, Any]:
    """The explanation of a figure of one holding, but for the market it was valued in."""
    units, is_security = figure == "quantity", held.key.kind is Kind.SECURITY
    return {
        "figure": figure,
        "scope": held.key.kind.value,
        "security_id": held.key.security_id if is_security else None,
        "currency": None if units else base_currency if figure in IN_BASE else held.currency,
        "base_currency": base_currency,
        **explanation_answer(explained, in_base=not units),
    }


def added_up(figure: str, held: Holding) -> tuple[Decimal, Decimal]:
    """A figure that entries add to, in its own money and in base."""
    cost_base = UNKNOWN if held.unrated_lots else number_of(held.cost_basis_base)
    match figure:
        case "quantity":
            return held.quantity, ZERO
        case "cost_basis":
            return number_of(held.cost_basis), cost_base
        case "cash":
            return held.quantity, cost_base
        case "income":
            return number_of(held.income), number_of(held.income_base)
    amount = number_of(held.fees_base if figure == "fees" else held.taxes_base)
    return amount, amount


# --- parts --------------------------------------------------------------------------------------------------------


def entry_lines(parts: Iterable[Part], terms: Terms, local_currency: str) -> list[Line]:
    """What entries or disposals contributed, in booking order."""

    def line(part: Part) -> Line:
        def facts() -> dict[str, Any]:
            disposal = {"disposal": disposal_answer(part.disposal)} if part.disposal else {}
            kind = "DISPOSAL" if part.disposal else "TRANSACTION"
            return {"kind": kind, **entry_answer(part.entry, terms, local_currency), **disposal}

        return Line(part.contributed, part.entry.date, facts)

    return [line(part) for part in parts]


def lot_lines(parts: Iterable[LotPart], security_id: str, missing: str) -> list[Line]:
    """What open lots contribute, oldest first."""

    def line(part: LotPart) -> Line:
        def facts() -> dict[str, Any]:
            return {
                "kind": "LOT",
                "transaction_id": part.lot.key.opening_transaction_id,
                "date": part.lot.key.acquisition_date,
                "security_id": security_id,
                "lot": lot_answer(security_id, part.lot),
                "market_value": figure(part.market_value, missing),
                "market_value_base": figure(part.market_value_base, missing),
                "fx_gain_base": figure(part.fx_gain_base),
            }

        contributed = Contribution(*(number_of(part.amount), number_of(part.amount_base)) * 2)
        return Line(contributed, part.lot.key.acquisition_date, facts, missing)

    return [line(part) for part in parts]


def revaluation_line(gain: Decimal, known_gain: Decimal, rate: dict[str, Any], day: datetime.date) -> Line:
    """What the rate of the day adds to the cost of cash, or takes from it."""

    def facts() -> dict[str, Any]:
        return {"kind": "REVALUATION", "date": day, "rate": rate}

    return Line(Contribution(ZERO, gain, ZERO, known_gain), day, facts)


def entry_answer(entry: Entry, terms: Terms, local_currency: str) -> dict[str, Any]:
    """The facts of an entry: as submitted, its gross amount, and the rates used."""
    answer = {
        "transaction_id": entry.transaction_id,
        "date": entry.date,
        "transaction_type": entry.transaction_type,
        "security_id": entry.security_id,
        "target_security_id": entry.target_security_id or None,
        "quantity": plain(entry.quantity) if entry.quantity else None,
        "price": figure(entry.price),
        "gross": plain(entry.gross),
        "fee": plain(entry.fee),
        "tax": plain(entry.tax),
        "currency": entry.currency,
        "rate": rate_used_answer(entry, terms),
        "conversion": None,
        "acquisition_rate": None,
    }
    if entry.target_currency:
        answer |= {"target_currency": entry.target_currency, "target_amount": plain(entry.target_amount)}
    elif entry.currency != local_currency:
        answer["conversion"] = rate_answer(terms.rates, entry.currency, local_currency, entry.date)
    if entry.acquisition_date and not entry.linked and not entry.rate_is_own:
        answer["acquisition_rate"] = rate_answer(
            terms.rates, entry.currency, terms.base_currency, entry.acquisition_date
        )
    return answer
