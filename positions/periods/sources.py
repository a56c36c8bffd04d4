"""What the figures of an answer rest on: the prices and rates of a day, and what is missing or doubtful in them.

Of holdings at the end of a day the remarks name each with its code, and the sources say in few words how many prices
are the market's and how old they are, and which rate each currency was converted at. What is valued day by day has a
remark for each code instead, with the days that it concerns (see `valuing.day_rows`).
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from portfolio.money import exact
from positions.analytics.history import History
from positions.analytics.statement import Statement
from positions.analytics.unavailable import unavailable
from positions.engine.holdings import Holding, HoldingKey, Kind
from positions.engine.rates import RateTable
from positions.engine.valuation import Valuation
from positions.figures import Snapshot, figure, rate_figure, valuation_in

REMARKS_MAX = 100
"""So many remarks about the data behind an answer are listed."""

Remarks = Sequence[Mapping[str, Any]]
Valuations = Mapping[HoldingKey, Valuation]
"""What securities held at the end of a day were valued at."""


class Price(NamedTuple):
    """Where the price of a holding is from, of which day it is, and what is flagged there; no source is no price."""

    source: str | None
    date: datetime.date | None
    flags: Collection[str]


@dataclass(frozen=True, slots=True)
class Sources:
    """What an answer says of the data behind it."""

    remarks: Remarks
    days: Sequence[Mapping[str, Any]] = ()
    """The prices and rates of each day that holdings were valued at."""


def missing_price() -> dict[str, str]:
    """Stands in the place of a price."""
    return {"unavailable": "MISSING_PRICE", "detail": unavailable("MISSING_PRICE").detail}


def valued_at(valuation: Valuation | None) -> dict[str, Any] | None:
    """Which price and rate a holding was valued at; None of what is not priced."""
    if valuation is None:
        return None
    return {
        "price": figure(valuation.price, "MISSING_FX_RATE") if valuation.price is not None else missing_price(),
        "price_date": valuation.price_date,
        "price_source": valuation.price_source,
        "fx_rate": rate_figure(valuation.fx_rate),
    }


# --- remarks ------------------------------------------------------------------------------------------------------


def remark(code: str, key: HoldingKey) -> dict[str, Any]:
    """A code, and the holding that it is about."""
    return {"code": code, "security_id" if key.kind is Kind.SECURITY else "currency": key.security_id}


def remarks_listed(remarks: Remarks) -> dict[str, Any]:
    """Remarks as an answer has room for, what is missing before what is doubtful, and whether there are more."""
    of_most_weight = sorted(remarks, key=lambda one: not one["code"].startswith("MISSING_"))
    return {"remarks": of_most_weight[:REMARKS_MAX], "more_remarks": len(remarks) > REMARKS_MAX}


def statement_remarks(statement: Statement) -> Iterator[dict[str, Any]]:
    """What is missing or doubtful in the values that the period opens and closes with, and of which holding."""
    for row in statement.holdings:
        for code in sorted(row.flags.union([row.missing] if row.missing else ())):
            yield remark(code, row.key)


def holding_remarks(snapshot: Snapshot, valuations: Valuations) -> Iterator[dict[str, Any]]:
    """What is missing or doubtful in the values of what is held."""
    for held in held_in(snapshot):
        valuation = valuations.get(held.key)
        if valuation is None:
            codes = _of_cash(held, snapshot)
        else:
            codes = {*valuation.flags, *([valuation.missing] if valuation.market_value_base.is_nan() else ())}
        if held.key.kind is Kind.SECURITY and held.key.security_id in snapshot.provisional:
            codes.add("PROVISIONAL")
        for code in sorted(codes):
            yield remark(code, held.key)


def _of_cash(held: Holding, snapshot: Snapshot) -> set[str]:
    rate = snapshot.rates.market(held.currency, snapshot.base_currency, snapshot.as_of)
    if rate is None:
        return {"MISSING_FX_RATE"}
    return {"STALE_FX_RATE"} if rate.stale_on(snapshot.as_of) else set()


# --- the prices and rates of a day --------------------------------------------------------------------------------


def held_in(snapshot: Snapshot) -> list[Holding]:
    """What there is any of, by kind and name. Cash that is not tracked is none of the portfolio's."""
    tracked = snapshot.cash_tracked
    held = (one for one in snapshot.holdings if one.quantity and (tracked or one.key.kind is Kind.SECURITY))
    return sorted(held, key=lambda one: one.key)


def valuations_in(snapshot: Snapshot, held: Iterable[Holding]) -> dict[HoldingKey, Valuation]:
    """What those of the holdings that are securities are valued at."""
    with exact():
        return {one.key: valuation_in(one, snapshot) for one in held if one.key.kind is Kind.SECURITY}


def sources_in(snapshot: Snapshot, valuations: Valuations) -> Sources:
    """Those of an answer about what is held at the end of a day."""
    return Sources(list(holding_remarks(snapshot, valuations)), [_of_snapshot(snapshot, _prices(valuations))])


def sources_of_positions(snapshot: Snapshot, positions: Sequence[Mapping[str, Any]]) -> Sources:
    """The same from positions as they are answered, with the marks of their cost; what is closed needs no price."""
    remarks, prices = [], []
    for one in positions:
        if one["quantity"] == "0":
            continue
        value, key = one["market_value_base"], HoldingKey(Kind.SECURITY, one["security_id"])
        missing = [value["unavailable"]] if isinstance(value, Mapping) else []
        remarks += [remark(code, key) for code in sorted({*one["flags"], *missing})]
        prices.append(Price(one["price_source"], one["price_date"], one["flags"]))
    cash = (held for held in held_in(snapshot) if held.key.kind is Kind.CASH)
    of_cash = [remark(code, held.key) for held in cash for code in _of_cash(held, snapshot)]
    return Sources([*of_cash, *remarks], [_of_snapshot(snapshot, prices)])


def _of_snapshot(snapshot: Snapshot, prices: Sequence[Price]) -> dict[str, Any]:
    base_currency, rates = snapshot.base_currency, snapshot.rates
    return day_sources(snapshot.as_of, held_in(snapshot), prices, base_currency=base_currency, rates=rates)


def _prices(valuations: Valuations) -> list[Price]:
    return [Price(one.price_source, one.price_date, one.flags) for one in valuations.values()]


def ends_of_statement(history: History, statement: Statement) -> list[dict[str, Any]]:
    """The prices and rates that a period opens and closes with."""
    opened = {row.key: row.opened_at for row in statement.holdings if row.opened_at}
    closed = {row.key: row.closed_at for row in statement.holdings if row.closed_at}
    return [_of_history(history, statement.start, opened), _of_history(history, statement.end, closed)]


def ends_of_history(history: History, start: datetime.date, end: datetime.date) -> list[dict[str, Any]]:
    """The same of a history that no statement was made of."""
    ends = []
    for day in (start, end):
        with exact():
            valuations = {
                held.key: history.value(held, day)
                for held in history.holdings_on(day)
                if held.quantity and held.key.kind is Kind.SECURITY
            }
        ends.append(_of_history(history, day, valuations))
    return ends


def _of_history(history: History, day: datetime.date, valuations: Valuations) -> dict[str, Any]:
    tracked = history.cash_tracked
    held = [h for h in history.holdings_on(day) if h.quantity and (tracked or h.key.kind is Kind.SECURITY)]
    return day_sources(day, held, _prices(valuations), base_currency=history.base_currency, rates=history.rates)


def day_sources(
    day: datetime.date,
    held: Iterable[Holding],
    prices: Sequence[Price],
    *,
    base_currency: str,
    rates: RateTable,
) -> dict[str, Any]:
    """How many prices of a day are the market's, of own trades, missing and stale, and of which day the oldest is; and
    the rate of each currency held, with the day of its quote (of a crossed one, the older).
    """
    of_prices = [price.source for price in prices]
    dates = [price.date for price in prices if price.date]
    currencies = sorted({one.currency for one in held} - {base_currency})
    return {
        "date": day,
        "prices": {
            "market": of_prices.count("MARKET"),
            "trade": of_prices.count("TRADE"),
            "missing": of_prices.count(None),
            "stale": sum("STALE" in price.flags for price in prices),
            "oldest_date": min(dates, default=None),
        },
        "rates": [_rate_answer(currency, base_currency, day, rates) for currency in currencies],
    }


def _rate_answer(currency: str, base_currency: str, day: datetime.date, rates: RateTable) -> dict[str, Any]:
    found = rates.market(currency, base_currency, day)
    return {
        "currency": currency,
        "fx_rate": rate_figure(found.value) if found else _missing_rate(),
        "rate_date": found.quoted_date if found else None,
    }


def _missing_rate() -> dict[str, str]:
    return {"unavailable": "MISSING_FX_RATE", "detail": unavailable("MISSING_FX_RATE").detail}
