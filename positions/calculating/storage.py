"""Writing the calculators' tables in bulk: one statement a table for many portfolios."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

from django.db import connection
from psycopg import Connection

from positions.calculating.tables import POSITION_CHANGES, TABLES, Row
from positions.models import PortfolioState

_STATE = {
    "computed_seq": "int8",
    "market_seq": "int8",
    "interests_seq": "int8",
    "base_currency": "text",
    "cost_basis_method": "text",
    "cash_tracked": "bool",
    "provisional": "bool",
    "last_date": "date",
    "last_time_us": "int8",
    "last_rank": "int2",
    "last_transaction_id": "text",
    "error": "text",
    "computed_at": "timestamptz",
}
_state_values = attrgetter(*_STATE)


def copy_rows(table: str, rows: Sequence[Row]) -> None:
    """COPY rows into one of TABLES."""
    _copy(table, TABLES[table], rows)


def note_changes(rows: Sequence[Row]) -> None:
    """COPY rows into position_changes."""
    _copy("position_changes", POSITION_CHANGES, rows)


def _copy(table: str, columns: Iterable[str], rows: Sequence[Row]) -> None:
    if not rows:
        return
    connection.ensure_connection()
    database: Connection[Any] = connection.connection
    # As text: of rows that are mostly decimals it is a quarter faster than the binary format.
    with database.cursor() as cursor, cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def delete_portfolios(portfolio_ids: Sequence[str]) -> dict[str, datetime.date]:
    """Empty every table of the portfolios. Gives the first day that each had rows of."""
    if not portfolio_ids:
        return {}
    with connection.cursor() as cursor:
        for table in TABLES.keys() - {"position_days"}:
            cursor.execute(f"DELETE FROM {table} WHERE portfolio_id = ANY(%s)", [list(portfolio_ids)])  # noqa: S608
        cursor.execute(
            """
            WITH gone AS (
                DELETE FROM position_days WHERE portfolio_id = ANY(%s) RETURNING portfolio_id, position_date
            )
            SELECT portfolio_id, min(position_date) FROM gone GROUP BY portfolio_id
            """,
            [list(portfolio_ids)],
        )
        return dict(cursor.fetchall())


def delete_keys(table: str, key_columns: Sequence[str], keys: Sequence[Row]) -> None:
    """Delete the rows of a table that have these keys."""
    if not keys:
        return
    types = TABLES[table]
    arrays = ", ".join(f"%s::{types[column]}[]" for column in key_columns)
    match = " AND ".join(f"{table}.{column} = gone.{column}" for column in key_columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM {table} USING unnest({arrays}) AS gone({', '.join(key_columns)}) WHERE {match}",  # noqa: S608
            [list(column) for column in zip(*keys, strict=True)],
        )


def update_states(states: Sequence[PortfolioState]) -> None:
    """Write the states of the portfolios back, all columns."""
    arrays = ", ".join(f"%s::{column_type}[]" for column_type in _STATE.values())
    assignments = ", ".join(f"{column} = new.{column}" for column in _STATE)
    columns = [list(column) for column in zip(*map(_state_values, states), strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE portfolio_states AS state SET {assignments}
            FROM unnest(%s::text[], {arrays}) AS new(portfolio_id, {", ".join(_STATE)})
            WHERE state.portfolio_id = new.portfolio_id
            """,  # noqa: S608 - as above
            [[state.portfolio_id for state in states], *columns],
        )
