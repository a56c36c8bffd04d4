"""The calculators' tables in bulk: state in, rows out, one statement a table for many portfolios."""

from __future__ import annotations

import datetime
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from django.db import connection
from psycopg import Connection

from positions.engine.booking import BookingProblem, Disposal
from positions.engine.lots import Holding, HoldingKey, Kind, Lot, LotKey
from positions.engine.moves import Move
from positions.engine.postings import POSTED_SUMS, Place, Posting
from positions.models import PortfolioState

LOTS_READ_AT_FIRST = 64
"""How many lots of a holding are read before it is known how many a disposal takes."""

FIGURES = {
    "currency": "text",
    "quantity": "numeric",
    "cost_basis": "numeric",
    "cost_basis_base": "numeric",
    "unrated_lots": "int4",
    "realized_gain": "numeric",
    "realized_gain_base": "numeric",
    "realized_fx_gain_base": "numeric",
    "income": "numeric",
    "income_base": "numeric",
    "fees_base": "numeric",
    "taxes_base": "numeric",
    "fees_in_cost_base": "numeric",
    "money_in_base": "numeric",
    "money_out_base": "numeric",
    "inflow_base": "numeric",
    "outflow_base": "numeric",
    "split_ratio": "numeric",
    "trade_price": "numeric",
    "trade_price_currency": "text",
    "trade_price_date": "date",
    "trade_split_ratio": "numeric",
    "carried_from": "text",
    "carried_date": "date",
    "carried_ratio": "numeric",
    "carried_price": "numeric",
    "carried_price_currency": "text",
    "carried_price_date": "date",
    "rated_sums": "numeric[]",
}
_figures_of = attrgetter(*FIGURES)
_HOLDING = {"portfolio_id": "text", "kind": "text", "security_id": "text"} | FIGURES | {"flags": "text[]"}
LOT_KEY_COLUMNS = {
    "acquisition_date": "date",
    "acquisition_time_us": "int8",
    "opening_transaction_id": "text",
    "opening_portfolio_id": "text",
}
_BY_AGE = ", ".join(LOT_KEY_COLUMNS)
_FROM_THE_NEWEST = ", ".join(f"{column} DESC" for column in LOT_KEY_COLUMNS)
_LOT = {"quantity": "numeric", "cost_basis": "numeric", "cost_basis_base": "numeric"}

POSITIONS = _HOLDING | {"first_date": "date"}
POSITION_DAYS = _HOLDING | {"position_date": "date"}
LOTS = {"portfolio_id": "text", "security_id": "text"} | LOT_KEY_COLUMNS | _LOT
CASH_MOVEMENTS = {
    "portfolio_id": "text",
    "currency": "text",
    "movement_date": "date",
    "movement_time_us": "int8",
    "movement_rank": "int2",
    "transaction_id": "text",
    "leg": "int2",
    "security_id": "text",
    "amount": "numeric",
    "amount_base": "numeric",
    "income": "numeric",
    **dict.fromkeys(POSTED_SUMS, "numeric"),
    "flags": "text[]",
    "place": "text[]",
}
DISPOSALS = {
    "portfolio_id": "text",
    "security_id": "text",
    "currency": "text",
    **LOT_KEY_COLUMNS,
    "closing_transaction_id": "text",
    "disposal_date": "date",
    "disposal_time_us": "int8",
    "piece": "int4",
    "quantity": "numeric",
    "proceeds": "numeric",
    "cost_basis": "numeric",
    "realized_gain": "numeric",
    "proceeds_base": "numeric",
    "cost_basis_base": "numeric",
    "realized_gain_base": "numeric",
    "realized_fx_gain_base": "numeric",
}
EXCEPTIONS = {
    "portfolio_id": "text",
    "transaction_id": "text",
    "transaction_date": "date",
    "code": "text",
    "security_id": "text",
    "quantity": "numeric",
    "detail": "text",
}
GIVEN_LOTS = {
    "portfolio_id": "text",
    "transaction_id": "text",
    "transaction_date": "date",
    "transaction_time_us": "int8",
    "transaction_rank": "int2",
    "security_id": "text",
    "transferred": "numeric",
    "currency": "text",
    "base_currency": "text",
    **LOT_KEY_COLUMNS,
    **_LOT,
}
TRANSFER_LINKS = {
    "portfolio_id": "text",
    "transaction_id": "text",
    "transaction_date": "date",
    "transaction_time_us": "int8",
    "transaction_rank": "int2",
    "security_id": "text",
    "quantity": "numeric",
    "linked_portfolio_id": "text",
    "linked_transaction_id": "text",
    "received": "text",
}
MOVES = {
    "portfolio_id": "text",
    "transaction_id": "text",
    "move_date": "date",
    "source_id": "text",
    "target_id": "text",
    "quantity": "numeric",
    "split_ratio": "numeric",
    "cost_basis": "numeric",
    "cost_basis_base": "numeric",
    "booked_base": "numeric",
}
TABLES: Mapping[str, Mapping[str, str]] = {
    "positions": POSITIONS,
    "position_days": POSITION_DAYS,
    "lots": LOTS,
    "cash_movements": CASH_MOVEMENTS,
    "disposals": DISPOSALS,
    "booking_exceptions": EXCEPTIONS,
    "given_lots": GIVEN_LOTS,
    "transfer_links": TRANSFER_LINKS,
    "moves": MOVES,
}

POSITION_CHANGES = {"portfolio_id": "text", "computed_seq": "int8", "changed_from": "date"}
"""Appended to by every calculation, and deleted from by those who follow: not among TABLES."""

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

Row = tuple[Any, ...]


class HoldingName(NamedTuple):
    """A holding among all portfolios."""

    portfolio_id: str
    key: HoldingKey


# --- rows ---------------------------------------------------------------------------------------------------------


_NO_LOT = (None, None, None, None)


def holding_row(portfolio_id: str, held: Holding, date: datetime.date | None) -> Row:
    """A row of positions (with the holding's first date) or of position_days (with the day)."""
    kind, security_id = held.key
    return (portfolio_id, kind.value, security_id, *_figures_of(held), sorted(held.flags), date)


def lot_row(portfolio_id: str, security_id: str, lot: Lot) -> Row:
    """A row of lots."""
    return (portfolio_id, security_id, *lot.key, lot.quantity, lot.cost_basis, lot.cost_basis_base)


_posted_sums = attrgetter("amount", "amount_base", "income", *POSTED_SUMS)


def movement_row(portfolio_id: str, posting: Posting, place: Place | None) -> Row:
    """A row of cash_movements; `place` of an entry that does not stand at its own."""
    entry = posting.entry
    return (
        portfolio_id,
        posting.currency,
        *entry.key,
        posting.leg,
        entry.security_id,
        *[amount or None for amount in _posted_sums(posting)],
        list(posting.flags) or None,
        [str(place.key.time_us), str(place.key.rank), place.key.transaction_id, place.portfolio_id] if place else None,
    )


def disposal_row(portfolio_id: str, disposal: Disposal) -> Row:
    """A row of disposals."""
    closing = disposal.closing
    return (
        portfolio_id,
        disposal.security_id,
        disposal.currency,
        *(disposal.opening or _NO_LOT),
        closing.transaction_id,
        closing.key.date,
        closing.key.time_us,
        disposal.piece,
        disposal.quantity,
        disposal.proceeds,
        disposal.cost_basis,
        disposal.realized_gain,
        disposal.proceeds_base,
        disposal.cost_basis_base,
        disposal.realized_gain_base,
        disposal.realized_fx_gain_base,
    )


def exception_row(portfolio_id: str, problem: BookingProblem) -> Row:
    """A row of booking_exceptions."""
    entry = problem.entry
    return (
        portfolio_id,
        entry.transaction_id,
        entry.date,
        problem.code,
        entry.security_id,
        problem.quantity,
        problem.detail,
    )


def move_row(portfolio_id: str, move: Move) -> Row:
    """A row of moves."""
    return (
        portfolio_id,
        move.transaction_id,
        move.date,
        move.source_id,
        move.target_id,
        move.quantity,
        move.split_ratio,
        move.cost_basis,
        move.cost_basis_base,
        move.booked_base,
    )


# --- reading ------------------------------------------------------------------------------------------------------


def read_holdings(
    names: Sequence[HoldingName], *, lots_needed: Iterable[HoldingName], newest_first: Collection[str] = ()
) -> dict[HoldingName, Holding]:
    """The stored holdings among those named, as they stand after the last entry booked.

    Of those in `lots_needed` the oldest lots are read too (in the portfolios `newest_first`, the newest); the rest of
    any holding's lots is read when asked for.
    """
    found: dict[HoldingName, Holding] = {}
    if not names:
        return found
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT p.portfolio_id, p.kind, p.security_id, {", ".join(f"p.{name}" for name in FIGURES)},
                   p.flags, p.first_date
            FROM unnest(%s::text[], %s::text[], %s::text[]) AS asked(portfolio_id, kind, security_id)
            JOIN positions AS p USING (portfolio_id, kind, security_id)
            """,  # noqa: S608 - the columns are this module's own
            _columns(names),
        )
        for portfolio_id, *row in cursor.fetchall():
            held = holding_of(row)
            found[HoldingName(portfolio_id, held.key)] = held
            if held.key.kind is Kind.SECURITY:
                held.more = _reader_of_lots(portfolio_id, held.key.security_id, _BY_AGE, offset=0)
    needed = [name for name in lots_needed if name in found]
    _read_first_lots([name for name in needed if name.portfolio_id not in newest_first], found, _BY_AGE)
    _read_first_lots([name for name in needed if name.portfolio_id in newest_first], found, _FROM_THE_NEWEST)
    return found


def holding_of(row: Sequence[Any]) -> Holding:
    """A holding without its lots, from a row of kind, security_id, FIGURES, flags and first_date."""
    kind, security_id, *figures, flags, first_date = row
    key = HoldingKey(Kind(kind), security_id)
    return Holding(key, **dict(zip(FIGURES, figures, strict=True)), flags=frozenset(flags), first_date=first_date)


def _read_first_lots(names: Sequence[HoldingName], found: Mapping[HoldingName, Holding], order: str) -> None:
    if not names:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT asked.portfolio_id, asked.security_id, {", ".join(f"first.{n}" for n in LOT_KEY_COLUMNS | _LOT)}
            FROM unnest(%s::text[], %s::text[], %s::text[]) AS asked(portfolio_id, kind, security_id)
            CROSS JOIN LATERAL (
                SELECT * FROM lots
                WHERE lots.portfolio_id = asked.portfolio_id AND lots.security_id = asked.security_id
                ORDER BY {order} LIMIT {LOTS_READ_AT_FIRST}
            ) AS first
            """,  # noqa: S608 - as above
            _columns(names),
        )
        for portfolio_id, security_id, *lot in cursor.fetchall():
            found[HoldingName(portfolio_id, HoldingKey(Kind.SECURITY, security_id))].lots.append(_lot(lot))
    for name in names:
        held = found[name]
        held.lots = deque(sorted(held.lots, key=attrgetter("key")))
        all_read = len(held.lots) < LOTS_READ_AT_FIRST
        reader = _reader_of_lots(name.portfolio_id, name.key.security_id, order, offset=LOTS_READ_AT_FIRST)
        held.more = None if all_read else reader


def _reader_of_lots(portfolio_id: str, security_id: str, order: str, *, offset: int) -> Any:
    def read() -> list[Lot]:
        with connection.cursor() as cursor:
            cursor.execute(
                f"""
                SELECT {", ".join(LOT_KEY_COLUMNS | _LOT)} FROM lots WHERE portfolio_id = %s AND security_id = %s
                ORDER BY {order} OFFSET %s
                """,  # noqa: S608 - as above
                [portfolio_id, security_id, offset],
            )
            return [_lot(row) for row in cursor.fetchall()]

    return read


def _lot(row: Sequence[Any]) -> Lot:
    return Lot(LotKey(*row[:4]), *row[4:])


def _columns(names: Sequence[HoldingName]) -> list[list[str]]:
    return [
        [name.portfolio_id for name in names],
        [name.key.kind.value for name in names],
        [name.key.security_id for name in names],
    ]


# --- writing ------------------------------------------------------------------------------------------------------


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
