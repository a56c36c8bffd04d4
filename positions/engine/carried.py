"""The price that a change of symbol carries: what a unit was worth under the old symbol, until the new has a price.

At the change the new holding notes under which symbol it was held, until when, and what the old one's last own trade
was, already in the new one's price factor. `carried_ratio` is the new holding's split ratio over the old one's at that
moment: whatever quote of the old symbol is looked up later is read in units of the new one through it. A symbol that
was changed more than once is followed back as far as it takes to find a price.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal

from portfolio.money import ONE
from positions.engine.entry import InstrumentTerms
from positions.engine.holdings import Holding
from positions.engine.valuation import MarketPrice

Quotes = Callable[[str, datetime.date], MarketPrice | None]
"""The last market price of a security on or before a day."""


def carried_price(
    held: Holding, holdings: Mapping[str, Holding], instruments: Mapping[str, InstrumentTerms], quotes: Quotes
) -> MarketPrice | None:
    """What the symbols before had for a price when they were changed, in the holding's own units; None if nothing.

    Needs the arithmetic of `portfolio.money.exact`.
    """
    ratio, until = ONE, datetime.date.max
    symbol: Holding | None = held
    while symbol and symbol.carried_from and symbol.carried_date and symbol.carried_date <= until:
        ratio, until = ratio * symbol.carried_ratio, symbol.carried_date
        found = _later(quotes(symbol.carried_from, until), _own_trade(symbol))
        if found:
            quoted_as = symbol.key.security_id if found.from_trade else symbol.carried_from
            price = found.price * _factor(instruments, quoted_as) / _factor(instruments, held.key.security_id)
            return replace(found, price=price, split_ratio=found.split_ratio * ratio)
        symbol = holdings.get(symbol.carried_from)
    return None


def _own_trade(symbol: Holding) -> MarketPrice | None:
    if symbol.carried_price is None or symbol.carried_price_currency is None or symbol.carried_price_date is None:
        return None
    return MarketPrice(symbol.carried_price, symbol.carried_price_currency, symbol.carried_price_date, from_trade=True)


def _later(quote: MarketPrice | None, trade: MarketPrice | None) -> MarketPrice | None:
    if quote and trade:
        return trade if trade.price_date > quote.price_date else quote
    return quote or trade


def _factor(instruments: Mapping[str, InstrumentTerms], security_id: str) -> Decimal:
    instrument = instruments.get(security_id)
    return instrument.price_factor if instrument else ONE
