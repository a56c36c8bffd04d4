"""Figures as an answer gives them: the words of the contract, decimals as strings, and a reason where one is missing.

Everything a reader is told about a portfolio at the end of a day is made here from holdings, lots and disposals,
wherever these come from: read from the tables, or booked just now for `evaluate`.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from portfolio.amounts import NIL, UNKNOWN_AMOUNT, Amount, Base, Local, Number, rate_of, total
from portfolio.money import CONTEXT, DECIMALS_KEPT, ONE, exact, plain, rounded
from positions.engine.booking import BookingProblem, Disposal
from positions.engine.carried import Quotes, carried_price
from positions.engine.entry import Entry, InstrumentTerms
from positions.engine.holdings import Holding, Kind
from positions.engine.lots import Lot
from positions.engine.rates import RateTable
from positions.engine.valuation import MarketPrice, Valuation, value_holding

Figure = str | dict[str, str]

_DETAILS = {
    "MISSING_PRICE": "no price on or before the day, neither of the market nor of an own trade",
    "MISSING_FX_RATE": "no exchange rate on or before the day leads from one currency to the other",
    "NO_CAPITAL": "the portfolio is worth nothing that the holding could be a part of",
}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A portfolio at the end of a day: its holdings, and the market they are valued at."""

    base_currency: str
    as_of: datetime.date
    cash_tracked: bool
    holdings: Sequence[Holding]
    market_prices: Mapping[str, MarketPrice]
    instruments: Mapping[str, InstrumentTerms]
    rates: RateTable
    quotes_before: Quotes
    """The last market price of a security on or before an earlier day: what a change of symbol carries."""
    provisional: frozenset[str] = frozenset()
    """Securities whose figures rest on attributes, of theirs or of the portfolio, that have not arrived yet."""
    provisional_portfolio: bool = False

    def price_of(self, held: Holding) -> MarketPrice | None:
        """The market price of a security held; where it never had one, nor was traded, what its old symbol's was."""
        quoted = self.market_prices.get(held.key.security_id)
        if quoted or held.trade_price is not None or not held.carried_from:
            return quoted
        holdings = {h.key.security_id: h for h in self.holdings if h.key.kind is Kind.SECURITY}
        return carried_price(held, holdings, self.instruments, self.quotes_before)


def provisional_ones(
    security_ids: Iterable[str], instruments: Mapping[str, InstrumentTerms], *, portfolio_unknown: bool
) -> frozenset[str]:
    """Those of the securities that are provisional: all of them in a portfolio that is."""
    return frozenset(security_ids if portfolio_unknown else (s for s in security_ids if s not in instruments))


def figure(number: Number | None, missing: str = "MISSING_FX_RATE") -> Figure | None:
    """A number or amount as a plain decimal string; where it is unknown, the code and a sentence that say why."""
    if number is None:
        return None
    return unavailable(missing) if number.is_nan() else plain(number)


def rate_figure(rate: Number) -> Figure:
    """A rate as it is told: as quoted or dealt; a quotient or a product to 18 decimals and at least 18 digits.

    What is worked out with a rate is worked out with all its digits: see `engine.rates`.
    """
    if rate.is_nan():
        return unavailable("MISSING_FX_RATE")
    number = Decimal(plain(rate))
    decimals = max(DECIMALS_KEPT, DECIMALS_KEPT - 1 - number.adjusted())
    return plain(CONTEXT.quantize(number, ONE.scaleb(-decimals)))


def unavailable(code: str) -> dict[str, str]:
    """What stands in the place of a figure that cannot be computed."""
    return {"unavailable": code, "detail": _DETAILS[code]}


def portfolio_answer(snapshot: Snapshot, *, closed: bool) -> dict[str, Any]:
    """`positions`, `cash` and `totals` of the contract. `closed`: holdings of nothing are listed too."""
    with exact():
        return _portfolio_answer(snapshot, closed=closed)


def _portfolio_answer(snapshot: Snapshot, *, closed: bool) -> dict[str, Any]:
    securities = [held for held in snapshot.holdings if held.key.kind is Kind.SECURITY]
    securities.sort(key=lambda held: held.key.security_id)
    valued = [(held, valuation_in(held, snapshot)) for held in securities]
    cash = sorted((h for h in snapshot.holdings if h.key.kind is Kind.CASH), key=lambda held: held.key.security_id)
    balances = [(held, balance_base_in(held, snapshot)) for held in cash] if snapshot.cash_tracked else []
    securities_base = total(valuation.market_value_base for _, valuation in valued)
    cash_base = total(base for _, base in balances)
    value = securities_base + cash_base
    missing = next((v.missing for _, v in valued if v.market_value_base.is_nan()), "MISSING_FX_RATE")
    # A lot may have cost nobody knows how much in base, and be worth a known amount all the same.
    no_gain = next((v.missing for _, v in valued if v.unrealized_gain_base.is_nan()), "MISSING_FX_RATE")
    return {
        "positions": [
            _position_answer(held, valuation, value, missing, provisional=held.key.security_id in snapshot.provisional)
            for held, valuation in valued
            if held.first_date and (held.quantity or closed)
        ],
        "cash": [_cash_answer(held, base) for held, base in balances],
        "totals": {
            "value": figure(value, missing),
            "securities": figure(securities_base, missing),
            "cash": figure(cash_base),
            "cost_basis": figure(total(_cost_basis_base(held) for held in securities)),
            "realized_gain": figure(total(held.realized_gain_base for held in securities)),
            "unrealized_gain": figure(total(v.unrealized_gain_base for _, v in valued), no_gain),
            "income": figure(total(held.income_base for held in snapshot.holdings)),
            "fees": figure(total(held.fees_base for held in snapshot.holdings)),
            "taxes": figure(total(held.taxes_base for held in snapshot.holdings)),
        },
    }


def valuation_in(held: Holding, snapshot: Snapshot) -> Valuation:
    """What a security held is worth at the end of the day of the snapshot. Needs `portfolio.money.exact`."""
    security_id = held.key.security_id
    instrument = snapshot.instruments.get(security_id)
    return value_holding(
        held,
        day=snapshot.as_of,
        market_price=snapshot.price_of(held),
        price_factor=instrument.price_factor if instrument else ONE,
        base_currency=snapshot.base_currency,
        rates=snapshot.rates,
        exchange=instrument.exchange if instrument else None,
    )


def balance_base_in(held: Holding, snapshot: Snapshot) -> Amount[Base]:
    """A balance in base at the rate of the day of the snapshot; UNKNOWN without one. Needs `portfolio.money.exact`."""
    if not held.quantity:
        return NIL
    rate = snapshot.rates.market(held.currency, snapshot.base_currency, snapshot.as_of)
    return rounded(held.balance * rate_of(rate.value, Local, Base)) if rate else UNKNOWN_AMOUNT


def _cost_basis_base(held: Holding) -> Amount[Base]:
    return UNKNOWN_AMOUNT if held.unrated_lots else held.cost_basis_base


def _position_answer(
    held: Holding, valuation: Valuation, portfolio_value: Amount[Base], value_missing: str, *, provisional: bool
) -> dict[str, Any]:
    missing = valuation.missing
    weight: Figure | None
    if portfolio_value.is_nan() or portfolio_value:
        weight = figure(rounded(valuation.market_value_base / portfolio_value), value_missing)
    else:
        weight = unavailable("NO_CAPITAL")
    return {
        "security_id": held.key.security_id,
        "currency": held.currency,
        "quantity": plain(held.quantity),
        "cost_basis": figure(held.cost_basis),
        "cost_basis_base": figure(_cost_basis_base(held)),
        "average_cost": figure(rounded(held.cost_basis / held.quantity)) if held.quantity else None,
        "realized_gain": figure(held.realized_gain),
        "realized_gain_base": figure(held.realized_gain_base),
        "realized_fx_gain_base": figure(held.realized_fx_gain_base),
        "income": figure(held.income),
        "income_base": figure(held.income_base),
        "price": unavailable("MISSING_PRICE") if valuation.price is None else figure(valuation.price),
        "price_date": valuation.price_date,
        "price_source": valuation.price_source,
        "fx_rate": rate_figure(valuation.fx_rate),
        "market_value": figure(valuation.market_value, missing),
        "market_value_base": figure(valuation.market_value_base, missing),
        "unrealized_gain": figure(valuation.unrealized_gain, missing),
        "unrealized_gain_base": figure(valuation.unrealized_gain_base, missing),
        "unrealized_fx_gain_base": figure(valuation.unrealized_fx_gain_base),
        "weight": weight,
        "flags": sorted(held.flags.union(valuation.flags, ["PROVISIONAL"] if provisional else [])),
    }


def _cash_answer(held: Holding, balance_base: Amount[Base]) -> dict[str, Any]:
    return {
        "currency": held.currency,
        "balance": plain(held.quantity),
        "balance_base": figure(balance_base),
        "cost_base": figure(_cost_basis_base(held)),
        "realized_fx_gain_base": figure(held.realized_fx_gain_base),
        "unrealized_fx_gain_base": figure(balance_base - _cost_basis_base(held)),
    }


def lot_answer(security_id: str, lot: Lot) -> dict[str, Any]:
    """A lot of the contract: local money, and base."""
    with exact():
        return {
            "security_id": security_id,
            "transaction_id": lot.key.opening_transaction_id,
            "acquisition_date": lot.key.acquisition_date,
            "quantity": plain(lot.quantity),
            "unit_cost": figure(rounded(lot.cost_basis / lot.quantity)),
            "cost_basis": figure(lot.cost_basis),
            "cost_basis_base": figure(lot.cost_basis_base),
        }


def day_answer(day: datetime.date, held: Holding) -> dict[str, Any]:
    """A holding at the end of a day on which it changed."""
    return {
        "position_date": day,
        "quantity": plain(held.quantity),
        "cost_basis": figure(held.cost_basis),
        "cost_basis_base": figure(_cost_basis_base(held)),
        "realized_gain": figure(held.realized_gain),
        "realized_gain_base": figure(held.realized_gain_base),
        "income": figure(held.income),
        "income_base": figure(held.income_base),
    }


def disposal_answer(disposal: Disposal) -> dict[str, Any]:
    """A disposal of the contract, as it was just booked; one that closed nothing held has no opening."""
    opening = disposal.opening
    with exact():
        return {
            "security_id": disposal.security_id,
            "opening_transaction_id": opening.opening_transaction_id if opening else None,
            "closing_transaction_id": disposal.closing.transaction_id,
            "acquisition_date": opening.acquisition_date if opening else None,
            "disposal_date": disposal.closing.date,
            "days_held": (disposal.closing.date - opening.acquisition_date).days if opening else None,
            "quantity": plain(disposal.quantity),
            "proceeds": figure(disposal.proceeds),
            "cost_basis": figure(disposal.cost_basis),
            "realized_gain": figure(disposal.realized_gain),
            "proceeds_base": figure(disposal.proceeds_base),
            "cost_basis_base": figure(disposal.cost_basis_base),
            "realized_gain_base": figure(disposal.realized_gain_base),
            "realized_fx_gain_base": figure(disposal.realized_fx_gain_base),
        }


def exception_answer(problem: BookingProblem) -> dict[str, Any]:
    """An exception of the contract, with the money it affects."""
    with exact():
        return {
            "code": problem.code,
            "transaction_id": problem.entry.transaction_id,
            "security_id": problem.entry.security_id,
            "quantity": figure(problem.quantity),
            "detail": problem.detail,
            **money_affected(problem.entry),
        }


def money_affected(entry: Entry) -> dict[str, Any]:
    """The gross amount of a transaction, in the money of the trade and in base; null where it has none of its own."""
    return {
        "amount": figure(entry.gross or None),
        "currency": entry.currency,
        "amount_base": figure(entry.base(entry.gross) if entry.gross else None),
    }


def lots_answer(holdings: Iterable[Holding]) -> list[dict[str, Any]]:
    """The open lots of securities, by security and age."""
    securities = sorted((h for h in holdings if h.key.kind is Kind.SECURITY), key=lambda held: held.key.security_id)
    return [lot_answer(held.key.security_id, lot) for held in securities for lot in held.open_lots()]
