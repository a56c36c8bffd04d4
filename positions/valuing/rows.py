"""The daily valuations as stored: only rows that differ are written."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from django.db import connection
from psycopg import Connection

from positions.analytics.days import Day
from positions.calculating.tables import Row
from positions.models import ValuationState
from positions.valuing.timelines import Span

FIGURES = ("value", "securities", "cash", "inflow", "outflow", "income", "fees", "taxes", "fees_in_cost")
_COLUMNS = ("portfolio_id", "valuation_date", *FIGURES, "flags", "missing")
_figures_of = attrgetter(*FIGURES)


class DayKey(NamedTuple):
    """What a row is known by."""

    portfolio_id: str
    date: datetime.date


def replace_days(valued: Iterable[tuple[str, Sequence[Day]]], *, stored: Sequence[Span]) -> int:
    """Make these days the portfolios' rows, and say how many were written. Only days of the spans `stored` had rows."""
    standing = _standing(stored)
    rows: list[Row] = []
    gone: list[DayKey] = []
    for portfolio_id, days in valued:
        for day in days:
            row = row_of(portfolio_id, day)
            key = DayKey(portfolio_id, day.date)
            if key in standing:
                if _is_same(standing[key], row):
                    continue
                gone.append(key)
            rows.append(row)
    _delete(gone)
    _copy(rows)
    return len(rows)


def row_of(portfolio_id: str, day: Day) -> Row:
    """A day as a row."""
    return (portfolio_id, day.date, *_figures_of(day), sorted(day.flags), day.missing)


def cut_ends(ends: Mapping[str, tuple[datetime.date, datetime.date] | None]) -> None:
    """Delete the portfolios' rows before the first and after the last day given; all of them where none are."""
    if not ends:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM daily_valuations AS d
            USING unnest(%s::text[], %s::date[], %s::date[]) AS kept (portfolio_id, first_date, last_date)
            WHERE d.portfolio_id = kept.portfolio_id
                AND (d.valuation_date < kept.first_date OR d.valuation_date > kept.last_date)
            """,
            [
                list(ends),
                [days[0] if days else datetime.date.max for days in ends.values()],
                [days[1] if days else datetime.date.min for days in ends.values()],
            ],
        )


def update_states(states: Sequence[ValuationState]) -> None:
    """Write the states of the portfolios back, all columns."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE valuation_states AS state SET
                computed_seq = new.computed_seq, market_seq = new.market_seq, base_currency = new.base_currency,
                first_date = new.first_date, last_date = new.last_date,
                quoted_in = string_to_array(new.quoted_in, ','), error = new.error, computed_at = new.computed_at
            FROM unnest(
                %s::text[], %s::int8[], %s::int8[], %s::text[], %s::date[], %s::date[], %s::text[], %s::text[],
                %s::timestamptz[]
            ) AS new (
                portfolio_id, computed_seq, market_seq, base_currency, first_date, last_date, quoted_in, error,
                computed_at
            )
            WHERE state.portfolio_id = new.portfolio_id
            """,
            [
                [state.portfolio_id for state in states],
                [state.computed_seq for state in states],
                [state.market_seq for state in states],
                [state.base_currency for state in states],
                [state.first_date for state in states],
                [state.last_date for state in states],
                [",".join(sorted(state.quoted_in)) for state in states],
                [state.error for state in states],
                [state.computed_at for state in states],
            ],
        )


def _standing(spans: Sequence[Span]) -> dict[DayKey, Row]:
    if not spans:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT {", ".join(f"d.{name}" for name in _COLUMNS)}
            FROM unnest(%s::text[], %s::date[], %s::date[]) AS asked (portfolio_id, first_date, last_date)
            JOIN daily_valuations AS d ON d.portfolio_id = asked.portfolio_id
                AND d.valuation_date BETWEEN asked.first_date AND asked.last_date
            """,  # noqa: S608 - the columns are this module's own
            [list(column) for column in zip(*spans, strict=True)],
        )
        return {DayKey(row[0], row[1]): row for row in cursor.fetchall()}


def _is_same(one: Row, other: Row) -> bool:
    # An unknown figure is equal to nothing, itself included.
    return all(a == b or (a != a and b != b) for a, b in zip(one, other, strict=True))  # noqa: PLR0124


def _delete(keys: Sequence[DayKey]) -> None:
    if not keys:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM daily_valuations AS d USING unnest(%s::text[], %s::date[]) AS gone (portfolio_id, day)
            WHERE d.portfolio_id = gone.portfolio_id AND d.valuation_date = gone.day
            """,
            [[key.portfolio_id for key in keys], [key.date for key in keys]],
        )


def _copy(rows: Sequence[Row]) -> None:
    if not rows:
        return
    connection.ensure_connection()
    database: Connection[Any] = connection.connection
    with database.cursor() as cursor, cursor.copy(f"COPY daily_valuations ({', '.join(_COLUMNS)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
