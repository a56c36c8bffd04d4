"""Explaining the cash of a currency from the stored movements: what each transaction posted to it, in booking order.

Every entry of a portfolio may move cash, so booking it anew would be booking everything; its movements are rows, and
the pool is folded again from two numbers of each.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from django.db import connection

from portfolio.amounts import Base, Local, amount_of, number_of
from portfolio.money import UNKNOWN
from portfolio.problems import Unknown
from positions.calculating.cash_days import IN_BOOKING_ORDER
from positions.calculating.market import market
from positions.calculating.terms import terms_of
from positions.checking.exceptions import stored_exceptions
from positions.engine.entry import enrich
from positions.engine.lots import Holding, HoldingKey, Kind
from positions.engine.postings import move
from positions.explaining.answers import (
    PARTS_MAX,
    Explained,
    Line,
    added_up,
    entry_answer,
    holding_answer,
    revaluation_line,
)
from positions.explaining.explanation import MEASURES, Contribution, contribution
from positions.explaining.market import rate_answer
from positions.figures import Snapshot, balance_base_in
from positions.models import Position
from positions.queries import exceptions_of
from positions.variants.asked import Reading
from transactions.entries import counting


class Row(NamedTuple):
    """A movement: of which transaction, its day, what it adds in the currency and in base."""

    transaction_id: str
    day: datetime.date
    amount: Decimal
    amount_base: Decimal


_COLUMNS = {
    "cash": ("amount", "amount_base"),
    "income": ("income", "income_base"),
    "fees": ("fees_base", "fees_base"),
    "taxes": ("taxes_base", "taxes_base"),
}


def stored_cash_answer(found: Reading, figure: str, key: HoldingKey) -> dict[str, Any]:
    """The explanation of a figure of the cash of a currency, as it is stored. Raises Unknown.

    Needs the arithmetic of `portfolio.money.exact`.
    """
    state, day, currency = found.state, found.as_of, key.security_id
    begun = Position.objects.filter(
        portfolio_id=state.portfolio_id, kind=Kind.CASH, security_id=currency, first_date__lte=day
    )
    if not begun.exists():
        raise Unknown(f"No transaction of the portfolio {state.portfolio_id} up to {day} has to do with {currency!r}.")
    held = Holding(key, currency)
    parts = list(_parts(figure, held, _movements(state.portfolio_id, currency, day, figure)))
    facts = _facts_of(found, [transaction_id for transaction_id, _, _ in parts[-PARTS_MAX:]])
    lines = [_line(*part, facts) for part in parts]
    market.refresh()
    rate = rate_answer(market.rates, currency, state.base_currency, day)
    explained = Explained(*added_up(figure, held), lines)
    if figure == "cash":
        explained = cash_explained(held, lines, number_of(balance_base_in(held, _snapshot(found, held))), rate, day)
    exceptions = stored_exceptions(
        exceptions_of(portfolio_id=state.portfolio_id, until=day),
        base_currencies={state.portfolio_id: state.base_currency},
    )
    return {
        **holding_answer(figure, held, state.base_currency, explained),
        "price": None,
        "rate": rate if figure == "cash" else None,
        "exceptions": [problem for problem in exceptions if problem["currency"] == currency],
        "provisional": state.provisional,
    }


def cash_explained(
    held: Holding, lines: Sequence[Line], balance_base: Decimal, rate: dict[str, Any], day: datetime.date
) -> Explained:
    """A balance: what each entry moved, at its average cost in base; and what the rate of the day makes of that."""
    known_gain = balance_base - number_of(held.cost_basis_base)
    gain = UNKNOWN if held.unrated_lots else known_gain
    revaluation = [revaluation_line(gain, known_gain, rate, day)] if gain else []
    return Explained(held.quantity, balance_base, [*lines, *revaluation])


def _parts(figure: str, held: Holding, rows: Sequence[Row]) -> Iterator[tuple[str, datetime.date, Contribution]]:
    """What each transaction contributed, while its movements are taken into the holding."""
    measure = MEASURES[figure]
    level = measure(held)
    for (transaction_id, day), steps in groupby(rows, key=itemgetter(0, 1)):
        for _, _, amount, amount_base in steps:
            _take_in(figure, held, amount, amount_base)
        before, level = level, measure(held)
        contributed = contribution(before, level)
        if contributed:
            yield transaction_id, day, contributed


def _take_in(figure: str, held: Holding, amount: Decimal, amount_base: Decimal) -> None:
    if figure == "cash":
        move(held, amount_of(amount, Local), amount_of(amount_base, Base))
        return
    if figure == "income":
        held.income += amount_of(amount, Local)
    held.add_up(**{f"{figure}_base": amount_of(amount_base, Base)})


def _line(
    transaction_id: str, day: datetime.date, contributed: Contribution, facts: Callable[[], dict[str, dict[str, Any]]]
) -> Line:
    return Line(contributed, day, lambda: {"kind": "TRANSACTION", **facts().get(transaction_id, {})})


def _facts_of(found: Reading, transaction_ids: Sequence[str]) -> Callable[[], dict[str, dict[str, Any]]]:
    """How the facts of some transactions, by id, are found: all at once, when the first are asked for."""

    @cache
    def facts() -> dict[str, dict[str, Any]]:
        portfolio_id, base_currency = found.state.portfolio_id, found.state.base_currency
        ledger = counting(portfolio_ids=[portfolio_id], transaction_ids=transaction_ids, until=found.as_of)
        (terms,) = terms_of(ledger, market.rates).values()
        terms = replace(terms, base_currency=base_currency)
        entries = [enrich(entry, terms) for entry in ledger[portfolio_id]]
        return {entry.transaction_id: entry_answer(entry, terms, entry.currency) for entry in entries}

    return facts


def _snapshot(found: Reading, held: Holding) -> Snapshot:
    return Snapshot(
        base_currency=found.state.base_currency,
        as_of=found.as_of,
        cash_tracked=found.state.cash_tracked,
        holdings=[held],
        market_prices={},
        instruments={},
        rates=market.rates,
        quotes_before=lambda *_: None,
    )


def _movements(portfolio_id: str, currency: str, until: datetime.date, figure: str) -> list[Row]:
    """What was posted to the cash up to a day, in booking order; an empty sum is nothing."""
    amount, amount_base = _COLUMNS[figure]
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT m.transaction_id, m.movement_date, COALESCE(m.{amount}, 0), COALESCE(m.{amount_base}, 0)
            FROM cash_movements AS m
            WHERE m.portfolio_id = %s AND m.currency = %s AND m.movement_date <= %s
              AND (m.{amount} IS NOT NULL OR m.{amount_base} IS NOT NULL)
            ORDER BY {IN_BOOKING_ORDER}
            """,  # noqa: S608 - the columns are this module's own
            [portfolio_id, currency, until],
        )
        return [Row(*row) for row in cursor.fetchall()]
