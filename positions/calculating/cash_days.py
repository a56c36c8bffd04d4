"""The cash of a currency made again from its movements, from a day on.

What a day adds to the sums is added up by the database. Only the pool of a foreign currency depends on the order of its
movements, because what leaves it leaves at the average cost of that moment: these are read one by one, three values
each. The state before the day is that of the last day before it.
"""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connection

from portfolio.amounts import UNKNOWN_AMOUNT, Base, Local, amount_of
from portfolio.money import ZERO, exact
from positions.calculating.replacing import Difference, replace
from positions.calculating.rows import holding_row
from positions.calculating.stored_holdings import holding_of
from positions.calculating.tables import FIGURES, Row
from positions.engine.holdings import Holding, HoldingKey, Kind
from positions.engine.postings import POSTED_SUMS, begin, move

_SUMS = {name: f"m.{name}" for name in POSTED_SUMS} | {
    "money_in_base": "CASE WHEN m.amount > 0 THEN m.amount_base END",
    "money_out_base": "CASE WHEN m.amount < 0 THEN -m.amount_base END",
}
_ASKED = "unnest(%s::text[], %s::text[], %s::date[]) AS asked(portfolio_id, currency, from_date)"
_MOVEMENTS = """
    cash_movements AS m ON m.portfolio_id = asked.portfolio_id AND m.currency = asked.currency
        AND m.movement_date >= asked.from_date
"""
_DAYS = """
    t.portfolio_id = asked.portfolio_id AND t.kind = 'CASH' AND t.security_id = asked.currency
        AND t.position_date >= asked.from_date
"""
IN_BOOKING_ORDER = """
    m.movement_date, COALESCE(m.place[1]::int8, m.movement_time_us), COALESCE(m.place[2]::int2, m.movement_rank),
    COALESCE(m.place[3] COLLATE "C", m.transaction_id), COALESCE(m.place[4] COLLATE "C", m.portfolio_id),
    m.place IS NOT NULL, m.movement_time_us, m.movement_rank, m.transaction_id, m.leg
"""
"""The order of `engine.postings.Place`, of movements `m` of one portfolio."""
_CASH = "t.portfolio_id = asked.portfolio_id AND t.kind = 'CASH' AND t.security_id = asked.currency"


class CashName(NamedTuple):
    """The cash of a currency among all portfolios."""

    portfolio_id: str
    currency: str


class _Day(NamedTuple):
    """What a day adds: money, income in the currency, and each base sum with how many unknown amounts it has."""

    date: datetime.date
    quantity: Decimal
    income: Decimal
    sums: Mapping[str, tuple[Decimal, int]]


def replay_cash(
    from_dates: Mapping[CashName, datetime.date], base_currencies: Mapping[str, str]
) -> tuple[Difference, Difference]:
    """Make the days from the given one on, and the positions, of each cash; what has changed of positions and of days.

    Base money is worth itself, so its pool follows from the day's sum.
    """
    asked = _columns(from_dates)
    foreign = {name: day for name, day in from_dates.items() if name.currency != base_currencies[name.portfolio_id]}
    cash = _before(asked)
    days, moves, flags = _days(asked), _moves(foreign), _flags(asked)
    rows: list[Row] = []
    with exact():
        for name in from_dates:
            held = cash.get(name) or Holding(HoldingKey(Kind.CASH, name.currency), name.currency)
            for day in days[name]:
                _add(held, day, moves[name, day.date] if name in foreign else None)
                held.flag(*flags[name, day.date])
                rows.append(holding_row(name.portfolio_id, held, day.date))
            cash[name] = held
    positions = [
        holding_row(name.portfolio_id, held, held.first_date) for name, held in cash.items() if held.first_date
    ]
    return (
        replace("positions", _ASKED, _CASH, asked, positions),
        replace("position_days", _ASKED, _DAYS, asked, rows),
    )


def _add(held: Holding, day: _Day, moves: Sequence[tuple[Decimal, Decimal]] | None) -> None:
    """Add to the cash what the day adds; `moves` are those of a foreign currency, in their order."""
    begin(held, day.date)
    held.income += amount_of(day.income, Local)
    for name, (rated, unrated) in day.sums.items():
        if rated:
            held.add_up(**{name: amount_of(rated, Base)})
        for _ in range(unrated):
            held.add_up(**{name: UNKNOWN_AMOUNT})
    if moves is None:
        held.quantity += day.quantity
        held.cost_basis, held.cost_basis_base = held.balance, amount_of(held.quantity, Base)
    else:
        for amount, value in moves:
            move(held, amount_of(amount, Local), amount_of(value, Base))


# --- reading ------------------------------------------------------------------------------------------------------


def _before(asked: list[list[Any]]) -> dict[CashName, Holding]:
    """Each cash as it stood before its day; one that had not begun is left out."""
    columns = ", ".join(f"d.{name}" for name in FIGURES)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT asked.portfolio_id, d.kind, d.security_id, {columns}, d.flags, p.first_date
            FROM {_ASKED}
            CROSS JOIN LATERAL (
                SELECT * FROM position_days AS before
                WHERE before.portfolio_id = asked.portfolio_id AND before.kind = 'CASH'
                  AND before.security_id = asked.currency AND before.position_date < asked.from_date
                ORDER BY before.position_date DESC LIMIT 1
            ) AS d
            JOIN positions AS p ON p.portfolio_id = d.portfolio_id AND p.kind = d.kind AND p.security_id = d.security_id
            """,  # noqa: S608 - the columns are the table's own
            asked,
        )
        found = [(portfolio_id, holding_of(row)) for portfolio_id, *row in cursor.fetchall()]
    return {CashName(portfolio_id, held.key.security_id): held for portfolio_id, held in found}


def _days(asked: list[list[Any]]) -> dict[CashName, list[_Day]]:
    sums = [
        f"COALESCE(sum({sql}) FILTER (WHERE {sql} <> 'NaN'), 0), count(*) FILTER (WHERE {sql} = 'NaN')"
        for sql in _SUMS.values()
    ]
    days: dict[CashName, list[_Day]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT m.portfolio_id, m.currency, m.movement_date, COALESCE(sum(m.amount), 0), COALESCE(sum(m.income), 0),
                   {", ".join(sums)}
            FROM {_ASKED} JOIN {_MOVEMENTS}
            GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
            """,  # noqa: S608 - as above
            asked,
        )
        for portfolio_id, currency, date, quantity, income, *parts in cursor.fetchall():
            pairs = zip(parts[::2], parts[1::2], strict=True)
            day = _Day(date, quantity, income, dict(zip(_SUMS, pairs, strict=True)))
            days[CashName(portfolio_id, currency)].append(day)
    return days


def _moves(
    from_dates: Mapping[CashName, datetime.date],
) -> dict[tuple[CashName, datetime.date], list[tuple[Decimal, Decimal]]]:
    """The movements of each day in the order they are booked in."""
    moves: dict[tuple[CashName, datetime.date], list[tuple[Decimal, Decimal]]] = defaultdict(list)
    if not from_dates:
        return moves
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT m.portfolio_id, m.currency, m.movement_date, m.amount, m.amount_base
            FROM {_ASKED} JOIN {_MOVEMENTS}
            WHERE m.amount IS NOT NULL
            ORDER BY {IN_BOOKING_ORDER}
            """,  # noqa: S608 - as above
            _columns(from_dates),
        )
        for portfolio_id, currency, date, amount, value in cursor.fetchall():
            moves[CashName(portfolio_id, currency), date].append((amount, ZERO if value is None else value))
    return moves


def _columns(from_dates: Mapping[CashName, datetime.date]) -> list[list[Any]]:
    return [[name.portfolio_id for name in from_dates], [name.currency for name in from_dates], [*from_dates.values()]]


def _flags(asked: list[list[Any]]) -> dict[tuple[CashName, datetime.date], list[str]]:
    flags: dict[tuple[CashName, datetime.date], list[str]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT DISTINCT m.portfolio_id, m.currency, m.movement_date, flag
            FROM {_ASKED} JOIN {_MOVEMENTS} CROSS JOIN LATERAL unnest(m.flags) AS flag
            """,  # noqa: S608 - as above
            asked,
        )
        for portfolio_id, currency, date, flag in cursor.fetchall():
            flags[CashName(portfolio_id, currency), date].append(flag)
    return flags
