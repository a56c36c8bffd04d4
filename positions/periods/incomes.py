"""The income of a portfolio in a period: dividends and interest from the rows, the tax on them from the ledger.

The rows know what a holding earned on a day, and all taxes of it in one sum. Which of these are on income only the
transactions tell: the tax of the dividend or interest itself, and TAX and TAX_REFUND that name the security.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from portfolio.amounts import number_of
from portfolio.money import ZERO, exact
from positions.analytics.history import Timeline
from positions.analytics.income import IncomeFact, IncomeSum, income
from positions.analytics.periods import Period
from positions.calculating.market import market
from positions.calculating.terms import terms_of
from positions.engine.entry import Entry, enrich
from positions.engine.lots import HoldingKey, Kind
from positions.periods.answers import measured
from positions.periods.segments import HOLDING, holding_name, named
from positions.valuing.timelines import Span, read_timelines
from positions.variants.asked import Reading
from transactions.entries import counting
from transactions.queries import effective

INCOME_TYPES = ("DIVIDEND", "INTEREST", "INTEREST_CHARGE")
TAX_SIGNS: Mapping[str, int] = {"TAX": 1, "TAX_REFUND": -1}
_Key = tuple[HoldingKey, datetime.date]


def income_answer(found: Reading, period: Period) -> dict[str, Any]:
    """The income by month and by holding, with the tax on it, in base."""
    with exact():
        facts = list(_facts(_timelines(found, period), period, _taxes(found, period)))
    of_period = income(facts, start=period.start, end=period.end)
    return {
        "months": [{"month": one.key, **_figures(one)} for one in of_period.months],
        "holdings": [{**named(HOLDING, one.key), **_figures(one)} for one in of_period.holdings],
        "total": _figures(of_period.total),
    }


def _figures(one: IncomeSum) -> dict[str, Any]:
    return {"income": measured(one.income), "taxes": measured(one.taxes), "net": measured(one.net)}


def _timelines(found: Reading, period: Period) -> Mapping[HoldingKey, Timeline]:
    if found.variant:
        return found.variant.history.timelines
    span = Span(found.mark.portfolio_id, period.start, period.end)
    return read_timelines(span, figures=("currency", "income_base", "rated_sums"))


def _facts(
    timelines: Mapping[HoldingKey, Timeline], period: Period, taxes: Mapping[_Key, Decimal]
) -> Iterator[IncomeFact]:
    """What each holding earned on each day, and the taxes of days on which it earned nothing too."""
    left = dict(taxes)
    for key, timeline in timelines.items():
        for earlier, state, date in timeline.changes(period.start, period.end):
            earned = number_of(state.grown("income_base", earlier))
            tax = left.pop((key, date), ZERO)
            if earned or tax:
                yield IncomeFact(date, holding_name(key), earned, tax)
    for (key, date), tax in left.items():
        yield IncomeFact(date, holding_name(key), ZERO, tax)


def _taxes(found: Reading, period: Period) -> dict[_Key, Decimal]:
    """The taxes on income by holding and day, in base."""
    sums: dict[_Key, Decimal] = {}
    for entry in _entries(found, period):
        tax = _tax_of(entry)
        if tax:
            kind, name = (Kind.SECURITY, entry.security_id) if entry.security_id else (Kind.CASH, entry.currency)
            key = (HoldingKey(kind, name), entry.date)
            sums[key] = sums.get(key, ZERO) + tax
    return sums


def _tax_of(entry: Entry) -> Decimal:
    sign = TAX_SIGNS.get(entry.transaction_type)
    own = entry.base(entry.tax)
    return number_of(own if sign is None else sign * entry.base(entry.gross) + own)


def _entries(found: Reading, period: Period) -> Iterator[Entry]:
    """The transactions of the period that may carry tax on income, as the positions asked for know them."""
    portfolio_id = found.mark.portfolio_id
    rows = effective(known_at=found.known_at).filter(
        portfolio_id=portfolio_id,
        transaction_date__gt=period.start,
        transaction_date__lte=period.end,
        transaction_type__in=[*INCOME_TYPES, *TAX_SIGNS],
    )
    taxed = [
        transaction_id
        for transaction_id, kind, security_id in rows.values_list("transaction_id", "transaction_type", "security_id")
        if kind not in TAX_SIGNS or security_id
    ]
    entries = counting(portfolio_ids=[portfolio_id], until=period.end, known_at=found.known_at, transaction_ids=taxed)
    if found.variant:
        terms = found.variant.terms
    else:
        market.refresh()
        (terms,) = terms_of(entries, market.rates).values()
        terms = replace(terms, base_currency=found.state.base_currency)
    return (enrich(entry, terms) for entry in entries[portfolio_id])
