"""Which price is used, in whose units, and how old it may be."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest

from portfolio.amounts import Base, Local, Quoted, amount_of
from portfolio.money import ONE, UNKNOWN, exact
from positions.engine.holdings import Holding, HoldingKey, Kind
from positions.engine.lots import Lot, LotKey
from positions.engine.rates import RateTable
from positions.engine.valuation import MarketPrice, value_holding

D = Decimal


def january(number):
    return datetime.date(2025, 1, number)


def holding(quantity=10, cost=100, cost_base=None, *, currency="USD", own=None, splits=ONE, own_splits=ONE):
    """A holding with one lot; `own` is the price and day of the last own trade."""
    held = Holding(HoldingKey(Kind.SECURITY, "AAPL"), currency, january(1))
    if quantity:
        base = cost if cost_base is None else cost_base
        costs = amount_of(D(cost), Local), amount_of(D(base), Base)
        held.add(Lot(LotKey(january(1), 0, "T1", "P1"), D(quantity), *costs))
    if own:
        held.trade_price, held.trade_price_date = amount_of(D(own[0]), Quoted), january(own[1])
        held.trade_price_currency = currency
    held.split_ratio, held.trade_split_ratio = D(splits), D(own_splits)
    return held


def quote(price, number, currency="USD", splits=ONE):
    return MarketPrice(amount_of(D(price), Quoted), currency, january(number), D(splits))


def value(held, number, market=None, *, factor=ONE, rates=(), exchange=None):
    table = RateTable()
    for from_currency, to_currency, day, rate in rates:
        table.put(from_currency, to_currency, january(day), D(rate))
    with exact():
        return value_holding(
            held,
            day=january(number),
            market_price=market,
            price_factor=D(factor),
            base_currency="USD",
            rates=table,
            exchange=exchange,
        )


@pytest.mark.parametrize(
    ("own", "market", "price", "source"),
    [
        ((9, 2), (10, 3), 10, "MARKET"),
        ((9, 3), (10, 3), 10, "MARKET"),
        ((9, 4), (10, 3), 9, "TRADE"),
        ((9, 4), None, 9, "TRADE"),
        (None, (10, 3), 10, "MARKET"),
    ],
)
def test_the_later_of_market_and_own_price_is_used_and_the_market_of_one_day(own, market, price, source):
    valued = value(holding(own=own), 6, quote(*market) if market else None)
    assert (valued.price, valued.price_source) == (price, source)
    assert ("FROM_TRADE" in valued.flags) == (source == "TRADE")
    assert valued.market_value == 10 * price


def test_without_a_price_there_is_no_value():
    valued = value(holding(), 6)
    assert (valued.price, valued.missing) == (None, "MISSING_PRICE")
    assert valued.market_value.is_nan()
    assert valued.unrealized_gain.is_nan()
    assert valued.unrealized_gain_base.is_nan()


def test_nothing_held_is_worth_nothing_with_or_without_a_price():
    assert value(holding(0), 6).market_value_base == 0
    assert value(holding(0, currency="EUR"), 6).market_value_base == 0


def test_a_price_factor_multiplies_the_quote():
    assert value(holding(1000, 970), 6, quote("98.5", 6), factor="0.01").market_value == D("985")


@pytest.mark.parametrize(
    ("splits", "quoted_in", "price"), [(1, 1, 12), (2, 1, 6), (2, 2, 12), (6, 2, 4), ("0.5", 1, 24), ("0.5", "0.5", 12)]
)
def test_a_quote_is_restated_by_the_splits_since_its_day(splits, quoted_in, price):
    assert value(holding(splits=splits), 6, quote(12, 3, splits=quoted_in)).price == price


@pytest.mark.parametrize(("splits", "dealt_in", "price"), [(2, 1, 6), (2, 2, 12), (6, 2, 4)])
def test_an_own_price_is_restated_by_the_splits_since_its_trade(splits, dealt_in, price):
    assert value(holding(own=(12, 3), splits=splits, own_splits=dealt_in), 6).price == price


def test_a_restated_third_gives_back_the_value():
    # 3 units at 10 become one: 1/3 at 60 digits, and 10 x 3 again.
    with exact():
        third = ONE / 3
    assert value(holding(1, splits=third), 6, quote(10, 3)).price == 30


@pytest.mark.parametrize(("number", "stale"), [(2, False), (9, False), (10, True), (11, True)])
def test_a_price_of_thursdayis_stale_on_the_friday_of_the_next_week(number, stale):
    assert ("STALE" in value(holding(), number, quote(10, 2)).flags) is stale


@pytest.mark.parametrize(
    ("exchange", "number", "stale"),
    [
        # New York closed on Thursday 9 January 2025 in mourning of a president, and on Monday the 20th: of the days
        # from the 3rd on the 6th, 7th, 8th, 10th and 13th are the first five trading days after the 3rd.
        ("XNYS", 10, False),
        ("XNYS", 13, False),
        ("XNYS", 14, True),
        (None, 10, False),
        (None, 13, True),
        ("somewhere", 13, True),
        # What trades every day is stale after five days and one.
        ("24/7", 8, False),
        ("24/7", 9, True),
    ],
)
def test_a_price_of_friday_ages_by_the_trading_days_of_its_exchange(exchange, number, stale):
    assert ("STALE" in value(holding(), number, quote(10, 3), exchange=exchange).flags) is stale


def test_base_figures_are_at_the_rate_of_the_day():
    valued = value(holding(10, 1000, 1100, currency="EUR"), 6, quote(120, 6, "EUR"), rates=[("EUR", "USD", 6, "1.2")])
    # 1200 EUR at 1.20 are 1440; 1440 - 1100 = 340, of which 1000 x 1.20 - 1100 = 100 is FX.
    assert (valued.market_value_base, valued.unrealized_gain_base, valued.unrealized_fx_gain_base) == (1440, 340, 100)


def test_without_a_rate_local_figures_stand():
    valued = value(holding(10, 1000, 1100, currency="EUR"), 6, quote(120, 6, "EUR"))
    assert (valued.market_value, valued.unrealized_gain) == (1200, 200)
    assert valued.market_value_base.is_nan()
    assert valued.missing == "MISSING_FX_RATE"


def test_an_unknown_base_cost_makes_the_gain_in_base_unknown_and_not_the_value():
    valued = value(holding(10, 1000, UNKNOWN, currency="EUR"), 6, quote(1, 6, "EUR"), rates=[("EUR", "USD", 6, 1)])
    assert valued.market_value_base == 10
    assert valued.unrealized_gain_base.is_nan()


def test_a_rate_older_than_seven_days_is_used_and_flagged():
    rates = [("EUR", "USD", 1, "1.2")]
    assert value(holding(currency="EUR"), 8, quote(1, 8, "EUR"), rates=rates).flags == ()
    assert value(holding(currency="EUR"), 9, quote(1, 9, "EUR"), rates=rates).flags == ("STALE_FX_RATE",)


def test_a_quote_in_another_currency_is_converted_and_flagged():
    rates = [("USD", "EUR", 6, "0.9"), ("EUR", "USD", 6, "1.1")]
    valued = value(holding(currency="EUR"), 6, quote(10, 3, "USD"), rates=rates)
    assert (valued.price, valued.flags) == (D(9), ("CONVERTED",))


def test_a_quote_that_cannot_be_converted_misses_a_rate_and_not_a_price():
    valued = value(holding(currency="EUR"), 6, quote(10, 3, "CHF"))
    assert valued.price is not None
    assert valued.price.is_nan()
    assert valued.missing == "MISSING_FX_RATE"
