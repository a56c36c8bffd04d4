"""Explanations as an answer gives them: the parts of a figure with the facts, prices and rates they rest on.

Where there are more parts than are listed, those furthest back are one part with their sum, so that the parts of every
answer add up to its figure.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from portfolio.money import ONE, ZERO, plain
from positions.engine.entry import Entry, Terms
from positions.engine.lots import Holding
from positions.engine.rates import RateTable
from positions.engine.valuation import Valuation
from positions.explanation import LotPart, Part
from positions.figures import Snapshot, disposal_answer, figure, lot_answer

PARTS_MAX = 1000
OWN_TRADES = ("BUY", "SELL", "REINVESTMENT", "REDEMPTION")
"""The types whose price is one that a holding can be valued at."""


class Line(NamedTuple):
    """A part as it is listed: what it contributes, what of it is known in base, its day, and how its facts are told."""

    amount: Decimal
    amount_base: Decimal
    known_base: Decimal
    day: datetime.date
    facts: Callable[[], dict[str, Any]]


class Explained(NamedTuple):
    """A figure, in its own money and in base, and its parts; `missing` says why where an amount is unknown."""

    value: Decimal
    value_base: Decimal
    lines: Sequence[Line]
    missing: str = "MISSING_FX_RATE"


def explanation_answer(explained: Explained, *, in_base: bool = True) -> dict[str, Any]:
    """`value`, `parts` and their totals. `in_base`: the figure has a value in base (a quantity has none).

    What is unknown of a part's base amount has left again with another part where the value is known all the same: then
    what is known of the parts adds up to it. Needs the arithmetic of `portfolio.money.exact`.
    """
    value, value_base, lines, missing = explained
    older, listed = lines[:-PARTS_MAX], lines[-PARTS_MAX:]
    shown = [*([_left_out(older)] if older else []), *listed]
    known = not value_base.is_nan()
    total_base = sum((line.known_base if known else line.amount_base for line in shown), ZERO)

    def base(amount: Decimal) -> Any:
        return figure(amount, missing) if in_base else None

    return {
        "value": figure(value, missing),
        "value_base": base(value_base),
        "parts_total": figure(sum((line.amount for line in shown), ZERO), missing),
        "parts_total_base": base(total_base),
        "parts_max": PARTS_MAX,
        "parts_left_out": len(older),
        "parts": [
            {**line.facts(), "amount": figure(line.amount, missing), "amount_base": base(line.amount_base)}
            for line in shown
        ],
    }


def _left_out(lines: Sequence[Line]) -> Line:
    days = [line.day for line in lines]
    return Line(
        sum((line.amount for line in lines), ZERO),
        sum((line.amount_base for line in lines), ZERO),
        sum((line.known_base for line in lines), ZERO),
        max(days),
        lambda: {"kind": "LEFT_OUT", "count": len(lines), "date": min(days), "last_date": max(days)},
    )


# --- parts --------------------------------------------------------------------------------------------------------


def entry_lines(parts: Iterable[Part], terms: Terms, local_currency: str) -> list[Line]:
    """What entries or disposals contributed, in booking order."""

    def line(part: Part) -> Line:
        def facts() -> dict[str, Any]:
            disposal = {"disposal": disposal_answer(part.disposal)} if part.disposal else {}
            kind = "DISPOSAL" if part.disposal else "TRANSACTION"
            return {"kind": kind, **entry_answer(part.entry, terms, local_currency), **disposal}

        return Line(part.amount, part.amount_base, part.known_base, part.entry.date, facts)

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

        return Line(part.amount, part.amount_base, part.amount_base, part.lot.key.acquisition_date, facts)

    return [line(part) for part in parts]


def revaluation_line(gain: Decimal, rate: dict[str, Any] | None, day: datetime.date) -> Line:
    """What the rate of the day adds to the cost of cash, or takes from it."""
    return Line(ZERO, gain, gain, day, lambda: {"kind": "REVALUATION", "date": day, "rate": rate})


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
        "rate": _rate_used(entry, terms),
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


# --- rates and prices ---------------------------------------------------------------------------------------------


def _rate_used(entry: Entry, terms: Terms) -> dict[str, Any]:
    if entry.rate_is_own and entry.currency != terms.base_currency:
        return {
            "from_currency": entry.currency,
            "to_currency": terms.base_currency,
            "rate": plain(entry.rate),
            "source": "DEALT",
            "rate_date": entry.date,
            "stale": False,
            "quotes": [],
        }
    return rate_answer(terms.rates, entry.currency, terms.base_currency, entry.date)


def rate_answer(rates: RateTable, from_currency: str, to_currency: str, day: datetime.date) -> dict[str, Any]:
    """The market rate of a day: how it was found, and in which quotes."""
    found = rates.market(from_currency, to_currency, day)
    answer: dict[str, Any] = {"from_currency": from_currency, "to_currency": to_currency}
    if found is None:
        return {**answer, "rate": figure(Decimal("NaN")), "source": None, "rate_date": None, "stale": False, "quotes": []}
    if len(found.quotes) > 1:
        source = "CROSS"
    elif found.quotes:
        source = "DIRECT" if found.quotes[0].from_currency == from_currency else "INVERSE"
    else:
        source = "SAME"
    quotes = [(quote, rates.market(*quote)) for quote in found.quotes]
    return {
        **answer,
        "rate": plain(found.value),
        "source": source,
        "rate_date": found.quoted_date if found.quotes else day,
        "stale": found.stale_on(day),
        "quotes": [{**quote._asdict(), "rate": plain(rate.value)} for quote, rate in quotes if rate],
    }


def price_answer(
    held: Holding, snapshot: Snapshot, valuation: Valuation, entries: Sequence[Entry]
) -> dict[str, Any] | None:
    """The price that a holding was valued at, and how it came from what was quoted; None where there is none.

    `entries` are those booked: one of them is the own trade that a price may be of.
    """
    if valuation.price_date is None:
        return None
    security_id, market = held.key.security_id, snapshot.price_of(held)
    own_date = held.trade_price_date
    trade = None
    if market and (own_date is None or market.price_date >= own_date):
        quoted, currency, ratio_then = market.price, market.currency, market.split_ratio
    else:
        quoted, currency, ratio_then = held.trade_price, held.trade_price_currency or "", held.trade_split_ratio
        trade = next((e for e in reversed(entries) if e.date == own_date and _is_own_trade(e, security_id)), None)
    instrument = snapshot.instruments.get(security_id)
    carried = held.carried_from if market and security_id not in snapshot.market_prices and not trade else None
    return {
        "price": figure(valuation.price, valuation.missing),
        "price_date": valuation.price_date,
        "price_source": valuation.price_source,
        "quoted_price": figure(quoted),
        "quoted_currency": currency,
        "split_ratio": plain(held.split_ratio / ratio_then),
        "price_factor": plain(instrument.price_factor if instrument else ONE),
        "conversion": None
        if currency == held.currency
        else rate_answer(snapshot.rates, currency, held.currency, snapshot.as_of),
        "transaction_id": trade.transaction_id if trade else None,
        "carried_from": carried,
        "flags": list(valuation.flags),
    }


def _is_own_trade(entry: Entry, security_id: str) -> bool:
    return entry.transaction_type in OWN_TRADES and entry.security_id == security_id
