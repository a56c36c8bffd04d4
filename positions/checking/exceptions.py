"""Open exceptions with the money they affect: the gross amount of the transaction that was left out or differs.

The rows of exceptions name transactions; their money is read from the ledger beside them, being few.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from portfolio.money import exact
from positions.calculating.market import market
from positions.calculating.terms import terms_of
from positions.engine.entry import enrich
from positions.figures import exception_answer, figure, money_affected
from positions.models import BookingException
from positions.queries import exceptions_of
from positions.variants.asked import Reading
from transactions.entries import counting

_NO_MONEY = {"amount": None, "currency": None, "amount_base": None}


def exception_answers(found: Reading) -> list[dict[str, Any]]:
    """The exceptions of the portfolio asked for, up to the day asked about."""
    if found.variant:
        return [exception_answer(problem) for problem in found.variant.books.problems]
    state = found.state
    rows = exceptions_of(portfolio_id=state.portfolio_id, until=found.as_of)
    return stored_exceptions(rows, base_currencies={state.portfolio_id: state.base_currency})


def stored_exceptions(rows: Sequence[BookingException], *, base_currencies: Mapping[str, str]) -> list[dict[str, Any]]:
    """The exceptions of the rows, in their order, with their money; the bases are those of the stored figures."""
    ids: dict[str, list[str]] = {}
    for row in rows:
        ids.setdefault(row.portfolio_id, []).append(row.transaction_id)
    money: dict[tuple[str, str], dict[str, Any]] = {}
    for portfolio_id, of_portfolio in ids.items():
        found = counting(portfolio_ids=[portfolio_id], transaction_ids=of_portfolio, until=datetime.date.max)
        (terms,) = terms_of(found, market.rates).values()
        terms = replace(terms, base_currency=base_currencies[portfolio_id])
        with exact():
            for entry in found[portfolio_id]:
                money[portfolio_id, entry.transaction_id] = money_affected(enrich(entry, terms))
    return [
        {
            "code": row.code,
            "transaction_id": row.transaction_id,
            "security_id": row.security_id,
            "quantity": figure(row.quantity),
            "detail": row.detail,
            **money.get((row.portfolio_id, row.transaction_id), _NO_MONEY),
        }
        for row in rows
    ]
