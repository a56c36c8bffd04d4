"""Open exceptions with the money they affect: the gross amount of the transaction that was left out or differs.

The rows of exceptions name transactions; their money is read from the ledger beside those that are told. The ledger may
have grown since the rows were calculated: it is read as they know it, so that no answer mixes two calculations.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from django.db import connection

from portfolio.money import exact
from positions.calculating.market import market
from positions.calculating.terms import terms_of
from positions.engine.entry import Entry, enrich
from positions.figures import exception_answer, figure, money_affected
from positions.models import BookingException, PortfolioState
from positions.variants.asked import Reading
from transactions.entries import effective
from transactions.excerpts import versions_until

EXCEPTIONS_MAX = 1000
"""So many are listed in an answer; /data-quality/ lists all of them, page by page."""

_NO_MONEY = {"amount": None, "currency": None, "amount_base": None}


def open_exceptions(found: Reading, securities: Collection[str] | None = None) -> dict[str, Any]:
    """The exceptions up to the end of what was asked about, in the order of their days, as `exceptions_listed`: those
    of all securities, or of these.
    """
    count = EXCEPTIONS_MAX + 1
    if found.variant:
        problems = [p for p in found.variant.books.problems if securities is None or _names(p.entry, securities)]
        problems.sort(key=lambda problem: (problem.entry.date, problem.entry.transaction_id, problem.code))
        return exceptions_listed([exception_answer(problem) for problem in problems[:count]])
    rows = exceptions_of(state=found.state, until=found.as_of, securities=securities, count=count)
    return exceptions_listed(stored_exceptions(rows))


def _names(entry: Entry, securities: Collection[str]) -> bool:
    """Whether the transaction names one of the securities, be it as its target: `_NAMES` says the same of rows."""
    return entry.security_id in securities or entry.target_security_id in securities


def exceptions_listed(exceptions: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """As many exceptions as an answer has room for, and whether there are more."""
    return {
        "exceptions": list(exceptions[:EXCEPTIONS_MAX]),
        "more_exceptions": len(exceptions) > EXCEPTIONS_MAX,
    }


_AS_CALCULATED = """
    t.portfolio_id = %(portfolio_id)s AND t.change_seq <= %(computed_seq)s AND NOT EXISTS (
        SELECT FROM transactions AS higher
        WHERE higher.portfolio_id = t.portfolio_id AND higher.transaction_id = t.transaction_id
          AND higher.version > t.version AND higher.change_seq <= %(computed_seq)s
    )
"""
"""Of the versions of a transaction `t`: the one that the rows were made from."""
_NAMES = f"""
    e.security_id = ANY(%(names)s) OR e.transaction_id IN (
        SELECT t.transaction_id FROM transactions AS t
        WHERE t.target_security_id = ANY(%(names)s) AND {_AS_CALCULATED}
    )
"""  # noqa: S608 - texts of this module's own
_IS_IN = f"""
    EXISTS (
        SELECT FROM transactions AS t
        WHERE t.transaction_id = e.transaction_id AND %(names)s IN (t.currency, t.target_currency) AND {_AS_CALCULATED}
    )
"""


def exceptions_of(
    *, state: PortfolioState, until: datetime.date, securities: Collection[str] | None = None, count: int
) -> list[BookingException]:
    """The first exceptions of transactions up to a day: of all, or of those that name one of these securities, be it as
    their target.
    """
    if securities is None:
        return _first_exceptions(state, "TRUE", {"until": until, "count": count})
    return _first_exceptions(state, _NAMES, {"names": list(securities), "until": until, "count": count})


def exceptions_of_currency(
    *, state: PortfolioState, currency: str, until: datetime.date, count: int
) -> list[BookingException]:
    """The first exceptions of transactions up to a day that are in a currency, or exchange into it."""
    return _first_exceptions(state, _IS_IN, {"names": currency, "until": until, "count": count})


def _first_exceptions(state: PortfolioState, condition: str, parameters: dict[str, Any]) -> list[BookingException]:
    return list(
        BookingException.objects.raw(
            f"""
            SELECT e.* FROM booking_exceptions AS e
            WHERE e.portfolio_id = %(portfolio_id)s AND e.transaction_date <= %(until)s AND ({condition})
            ORDER BY e.transaction_date, e.transaction_id, e.code LIMIT %(count)s
            """,  # noqa: S608 - as above
            {"portfolio_id": state.portfolio_id, "computed_seq": state.computed_seq, **parameters},
        )
    )


def open_codes(portfolio_ids: Sequence[str], codes: Collection[str]) -> dict[str, list[str]]:
    """The portfolios that have open exceptions of these codes, with the codes they have, in order."""
    found: dict[str, list[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT p.portfolio_id, c.code
            FROM unnest(%s::text[]) AS p(portfolio_id) CROSS JOIN unnest(%s::text[]) AS c(code)
            WHERE EXISTS (
                SELECT FROM booking_exceptions AS e WHERE e.portfolio_id = p.portfolio_id AND e.code = c.code
            )
            """,
            [list(portfolio_ids), list(codes)],
        )
        for portfolio_id, code in sorted(cursor.fetchall()):
            found.setdefault(portfolio_id, []).append(code)
    return found


def exceptions_after(
    portfolio_id: str, codes: Sequence[str], after: tuple[str, str], *, count: int
) -> list[BookingException]:
    """The first `count` exceptions of a portfolio after a code and a transaction, in that order; no more are read."""
    rows: list[BookingException] = []
    for code in codes:
        if code >= after[0] and len(rows) < count:
            beyond = after[1] if code == after[0] else ""
            of_code = BookingException.objects.filter(portfolio_id=portfolio_id, code=code, transaction_id__gt=beyond)
            rows += of_code.order_by("transaction_id")[: count - len(rows)]
    return rows


def stored_exceptions(rows: Sequence[BookingException]) -> list[dict[str, Any]]:
    """The exceptions of the rows, in their order, with their money; in base that of the stored figures."""
    if not rows:
        return []
    named: dict[str, set[str]] = {}
    for row in rows:
        named.setdefault(row.portfolio_id, set()).add(row.transaction_id)
    states = PortfolioState.objects.only("base_currency", "computed_seq").in_bulk(list(named))
    computed = {portfolio_id: state.computed_seq for portfolio_id, state in states.items()}
    versions = versions_until(change_seqs=computed, transaction_ids=named)
    ledgers = {portfolio_id: effective(of_portfolio) for portfolio_id, of_portfolio in versions.items()}
    market.refresh()
    money: dict[tuple[str, str], dict[str, Any]] = {}
    with exact():
        for portfolio_id, today in terms_of(ledgers, market.rates).items():
            terms = replace(today, base_currency=states[portfolio_id].base_currency)
            for entry in ledgers[portfolio_id]:
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
