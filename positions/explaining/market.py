"""The market in an explanation: which rate or price was used, of which day, and how it came from what was quoted."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

from portfolio.money import ONE, UNKNOWN, plain
from positions.engine.entry import Entry, Terms
from positions.engine.holdings import Holding
from positions.engine.rates import Quote, Rate, RateTable
from positions.engine.valuation import Valuation
from positions.figures import Snapshot, figure, rate_figure

OWN_TRADES = ("BUY", "SELL", "REINVESTMENT", "REDEMPTION")
"""The types whose price is one that a holding can be valued at."""


def rate_used_answer(entry: Entry, terms: Terms) -> dict[str, Any]:
    """The rate to base that an entry was booked at."""
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
        return {
            **answer,
            "rate": figure(UNKNOWN),
            "source": None,
            "rate_date": None,
            "stale": False,
            "quotes": [],
        }
    if len(found.quotes) > 1:
        source = "CROSS"
    elif found.quotes:
        source = "DIRECT" if found.quotes[0].from_currency == from_currency else "INVERSE"
    else:
        source = "SAME"
    quotes = [(quote, rates.market(*quote)) for quote in found.quotes]
    return {
        **answer,
        "rate": rate_figure(found.value),
        "source": source,
        "rate_date": found.quoted_date if found.quotes else day,
        "stale": found.stale_on(day),
        "quotes": [_quote_answer(quote, rate) for quote, rate in quotes if rate],
    }


def _quote_answer(quote: Quote, rate: Rate) -> dict[str, Any]:
    return {
        "from_currency": quote.from_currency,
        "to_currency": quote.to_currency,
        "rate_date": quote.rate_date,
        "rate": rate_figure(rate.value),
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
    trade, quoted = None, held.trade_price
    if market and (own_date is None or market.price_date >= own_date):
        quoted, currency, ratio_then = market.price, market.currency, market.split_ratio
    else:
        currency, ratio_then = held.trade_price_currency or "", held.trade_split_ratio
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
