"""Valuation: what a holding is worth on a day, from the price and the rates of that day (FINANCE.md 6).

The price used is the later of the last market price on or before the day and the last own trade; the market price where
both are of one day. Prices are as quoted on their day: a split booked after the price's day divides it.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from decimal import Decimal

from portfolio.amounts import (
    NIL,
    UNKNOWN_AMOUNT,
    UNKNOWN_RATE,
    Amount,
    Base,
    ExchangeRate,
    Local,
    Quoted,
    rate_of,
    same_money,
)
from portfolio.money import ONE, rounded
from positions.engine.holdings import Holding
from positions.engine.rates import RateTable
from positions.engine.trading_days import trading_days_between

STALE_AFTER_TRADING_DAYS = 5


@dataclass(frozen=True, slots=True)
class MarketPrice:
    """A quote, and the product of the portfolio's splits of the security up to the end of the quote's day.

    `from_trade`: it is not of the market, but of an own trade under another symbol.
    """

    price: Amount[Quoted]
    currency: str
    price_date: datetime.date
    split_ratio: Decimal = ONE
    from_trade: bool = False


@dataclass(frozen=True, slots=True)
class Valuation:
    """A holding on a day. A figure without a price or a rate is UNKNOWN; `missing` says which of the two it is."""

    price: Amount[Local] | None
    price_date: datetime.date | None
    price_source: str | None
    fx_rate: ExchangeRate[Local, Base]
    market_value: Amount[Local]
    market_value_base: Amount[Base]
    unrealized_gain: Amount[Local]
    unrealized_gain_base: Amount[Base]
    unrealized_fx_gain_base: Amount[Base]
    missing: str
    flags: tuple[str, ...]


def value_holding(
    held: Holding,
    *,
    day: datetime.date,
    market_price: MarketPrice | None,
    price_factor: Decimal,
    base_currency: str,
    rates: RateTable,
    exchange: str | None = None,
) -> Valuation:
    """The value of a security's holding at the end of a day. Needs the arithmetic of `portfolio.money.exact`.

    `exchange` says which days are trading days, for `STALE`.
    """
    flags: set[str] = set()
    price, price_date, source = _price_used(held, day, market_price, rates, flags)
    rate = rates.market(held.currency, base_currency, day)
    if rate and rate.stale_on(day):
        flags.add("STALE_FX_RATE")
    if price_date and is_stale(price_date, day, exchange):
        flags.add("STALE")
    fx_rate = rate_of(rate.value, Local, Base) if rate else UNKNOWN_RATE
    cost_base = UNKNOWN_AMOUNT if held.unrated_lots else held.cost_basis_base
    value, value_base = worth_of(held.quantity, UNKNOWN_AMOUNT if price is None else price, price_factor, fx_rate)
    return Valuation(
        price=None if price is None else rounded(price),
        price_date=price_date,
        price_source=source,
        fx_rate=fx_rate,
        market_value=value,
        market_value_base=value_base,
        unrealized_gain=value - held.cost_basis,
        unrealized_gain_base=value_base - cost_base,
        unrealized_fx_gain_base=(rounded(held.cost_basis * fx_rate) if held.cost_basis else NIL) - cost_base,
        missing="MISSING_PRICE" if price is None and held.quantity else "MISSING_FX_RATE",
        flags=tuple(sorted(flags)),
    )


def worth_of(
    quantity: Decimal, price: Amount[Local], price_factor: Decimal, fx_rate: ExchangeRate[Local, Base]
) -> tuple[Amount[Local], Amount[Base]]:
    """What a quantity is worth at a price and a rate, in the holding's currency and in base; of nothing, nothing."""
    value = rounded(quantity * price * price_factor) if quantity else NIL
    return value, rounded(value * fx_rate) if value else NIL


def is_stale(price_date: datetime.date, day: datetime.date, exchange: str | None) -> bool:
    """Whether more than 5 trading days lie after the price's day; few days are few trading days, on any exchange."""
    if (day - price_date).days <= STALE_AFTER_TRADING_DAYS:
        return False
    return trading_days_between(price_date, day, exchange) > STALE_AFTER_TRADING_DAYS


def _price_used(
    held: Holding, day: datetime.date, market: MarketPrice | None, rates: RateTable, flags: set[str]
) -> tuple[Amount[Local] | None, datetime.date | None, str | None]:
    own_date = held.trade_price_date
    if market and (own_date is None or market.price_date >= own_date):
        price, currency, price_date, ratio_then = market.price, market.currency, market.price_date, market.split_ratio
        source = "TRADE" if market.from_trade else "MARKET"
    elif own_date is not None and held.trade_price is not None and held.trade_price_currency is not None:
        price, currency, price_date, source = held.trade_price, held.trade_price_currency, own_date, "TRADE"
        ratio_then = held.trade_split_ratio
    else:
        return None, None, None
    if source == "TRADE":
        flags.add("FROM_TRADE")
    if held.split_ratio != ratio_then:
        price = price * ratio_then / held.split_ratio
    if currency == held.currency:
        return same_money(price, Local), price_date, source
    flags.add("CONVERTED")
    rate = rates.market(currency, held.currency, day)
    if rate and rate.stale_on(day):
        flags.add("STALE_FX_RATE")
    return price * rate_of(rate.value, Quoted, Local) if rate else UNKNOWN_AMOUNT, price_date, source
