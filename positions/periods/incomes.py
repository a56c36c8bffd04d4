"""The income of a portfolio in a period: dividends and interest from the rows, the tax on them from the ledger.

The rows know what a holding has earned up to each of its days: where that grew, there was income, and the database
gives no other day. They know all taxes of a holding in one sum; which of these are on income only the transactions
tell: the tax of the dividend or interest itself, and TAX and TAX_REFUND that name the security.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Q

from portfolio.amounts import number_of
from portfolio.money import ZERO, exact
from positions.analytics.income import IncomeFact, IncomeSum, income
from positions.analytics.periods import Period
from positions.calculating.market import market
from positions.calculating.terms import terms_of
from positions.engine.entry import Entry, enrich
from positions.engine.holdings import BASE_SUMS, Holding, HoldingKey, Kind
from positions.periods.answers import measured
from positions.periods.frames import PeriodReading
from positions.periods.segments import HOLDING, holding_name, named
from positions.periods.sources import Remarks, Sources, remark
from positions.variants.asked import Reading
from transactions.entries import counting
from transactions.queries import effective

INCOME_TYPES = ("DIVIDEND", "INTEREST", "INTEREST_CHARGE")
TAX_SIGNS: Mapping[str, int] = {"TAX": 1, "TAX_REFUND": -1}
REMARKED = frozenset({"CONVERTED", "STALE_FX_RATE"})
"""Marks of a holding that concern what its income is in base."""
_Key = tuple[HoldingKey, datetime.date]


class _Earned(NamedTuple):
    """What a holding earned on a day, in base, and the marks that it had by then."""

    key: HoldingKey
    date: datetime.date
    income: Decimal
    flags: Iterable[str]


def income_answer(of: PeriodReading) -> dict[str, Any]:
    """The income by month and by holding, with the tax on it, in base."""
    found, period = of.found, of.period
    with exact():
        earned = list(_earned(found, period))
        taxes = _taxes(found, period)
        facts = list(_facts(earned, taxes))
    of_period = income(facts, start=period.start, end=period.end)
    figures = {
        "months": [{"month": one.key, **_figures(one)} for one in of_period.months],
        "holdings": [{**named(HOLDING, one.key), **_figures(one)} for one in of_period.holdings],
        "total": _figures(of_period.total),
    }
    return of.framed(figures, Sources(_remarks(earned, taxes)))


def _figures(one: IncomeSum) -> dict[str, Any]:
    return {"income": measured(one.income), "taxes": measured(one.taxes), "net": measured(one.net)}


def _remarks(earned: Iterable[_Earned], taxes: Mapping[_Key, Decimal]) -> Remarks:
    """What is missing or doubtful in the rates of a holding that earned something or was taxed."""
    codes: dict[HoldingKey, set[str]] = {}
    for key, _, amount, flags in earned:
        codes.setdefault(key, set()).update(REMARKED.intersection(flags), _missing(amount))
    for (key, _), tax in taxes.items():
        codes.setdefault(key, set()).update(_missing(tax))
    return [remark(code, key) for key in sorted(codes) for code in sorted(codes[key])]


def _missing(amount: Decimal) -> tuple[str, ...]:
    return ("MISSING_FX_RATE",) if amount.is_nan() else ()


def _facts(earned: Iterable[_Earned], taxes: Mapping[_Key, Decimal]) -> Iterator[IncomeFact]:
    """What each holding earned on each day, and the taxes of days on which it earned nothing too."""
    left = dict(taxes)
    for key, date, amount, _ in earned:
        yield IncomeFact(date, holding_name(key), amount, left.pop((key, date), ZERO))
    for (key, date), tax in left.items():
        yield IncomeFact(date, holding_name(key), ZERO, tax)


# --- what was earned ----------------------------------------------------------------------------------------------


def _earned(found: Reading, period: Period) -> Iterator[_Earned]:
    """The days of (start, end] on which a holding earned something."""
    changes = _booked(found, period) if found.variant else _stored(found.mark.portfolio_id, period)
    for before, state, date in changes:
        amount = number_of(state.grown("income_base", before))
        if amount:
            yield _Earned(state.key, date, amount, state.flags)


_Change = tuple[Holding | None, Holding, datetime.date]


def _booked(found: Reading, period: Period) -> Iterator[_Change]:
    assert found.variant, "asked of what was booked"
    for timeline in found.variant.history.timelines.values():
        yield from timeline.changes(period.start, period.end)


def _stored(portfolio_id: str, period: Period) -> Iterator[_Change]:
    """The states of the days that added to the income of their holding, each after the one before it."""
    with connection.cursor() as cursor:
        cursor.execute(
            _CHANGES,
            {"portfolio_id": portfolio_id, "start": period.start, "end": period.end, **_PLACES},
        )
        for kind, name, date, flags, *sums in cursor.fetchall():
            income_base, rated_sums, before_income, before_rated = sums
            key = HoldingKey(Kind(kind), name)
            state = Holding(key, "", income_base=income_base, rated_sums=rated_sums, flags=frozenset(flags))
            if before_income is None:
                yield None, state, date
            else:
                yield Holding(key, "", income_base=before_income, rated_sums=before_rated), state, date


_RATED = BASE_SUMS.index("income_base")
_PLACES = {"rated": _RATED + 1, "unrated": len(BASE_SUMS) + _RATED + 1}
"""Where the income stands in `rated_sums`, counted as the database does."""
_CHANGES = """
    SELECT kind, security_id, position_date, flags, income_base, rated_sums, before_income, before_rated
    FROM (
        SELECT d.*, lag(d.income_base) OVER earlier AS before_income, lag(d.rated_sums) OVER earlier AS before_rated
        FROM (
            SELECT kind, security_id, position_date, flags, income_base, rated_sums FROM position_days
            WHERE portfolio_id = %(portfolio_id)s AND position_date > %(start)s AND position_date <= %(end)s
            UNION ALL
            SELECT p.kind, p.security_id, h.* FROM positions AS p
            CROSS JOIN LATERAL (
                SELECT d.position_date, d.flags, d.income_base, d.rated_sums FROM position_days AS d
                WHERE d.portfolio_id = p.portfolio_id AND d.kind = p.kind AND d.security_id = p.security_id
                    AND d.position_date <= %(start)s
                ORDER BY d.position_date DESC LIMIT 1
            ) AS h
            WHERE p.portfolio_id = %(portfolio_id)s
        ) AS d
        WINDOW earlier AS (PARTITION BY d.kind, d.security_id ORDER BY d.position_date)
    ) AS s
    WHERE position_date > %(start)s AND (
        income_base IS DISTINCT FROM coalesce(before_income, 0)
        OR rated_sums[%(rated)s] IS DISTINCT FROM before_rated[%(rated)s]
        OR rated_sums[%(unrated)s] IS DISTINCT FROM before_rated[%(unrated)s]
    )
    ORDER BY kind, security_id, position_date
"""


# --- what was taxed -----------------------------------------------------------------------------------------------


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
    """The transactions of the period that carry tax on income, as the positions asked for know them."""
    portfolio_id = found.mark.portfolio_id
    rows = effective(known_at=found.known_at).filter(
        Q(transaction_type__in=INCOME_TYPES, tax__gt=0)
        | Q(transaction_type__in=list(TAX_SIGNS), security_id__isnull=False),
        portfolio_id=portfolio_id,
        transaction_date__gt=period.start,
        transaction_date__lte=period.end,
    )
    taxed = list(rows.values_list("transaction_id", flat=True))
    if not taxed:
        return iter(())
    entries = counting(portfolio_ids=[portfolio_id], until=period.end, known_at=found.known_at, transaction_ids=taxed)
    if found.variant:
        terms = found.variant.terms
    else:
        market.refresh()
        (terms,) = terms_of(entries, market.rates).values()
        terms = replace(terms, base_currency=found.state.base_currency)
    return (enrich(entry, terms) for entry in entries[portfolio_id])
