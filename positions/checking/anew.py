"""Stored rows beside the same booked anew from the ledger: what a calculation would write, had it to start again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db import connection

from positions.analytics.series import daily_values
from positions.calculating.links import Offer, offers
from positions.calculating.market import market
from positions.calculating.tables import LOT_KEY_COLUMNS, TABLES, Row
from positions.calculating.terms import terms_of
from positions.calculating.writing import book_portfolio
from positions.checking.differences import Comparison, Difference
from positions.engine.entry import key_of
from positions.engine.holdings import HoldingKey, Kind
from positions.models import PortfolioState
from positions.periods.segments import holding_name
from positions.valuing.day_rows import read_days
from positions.valuing.rows import FIGURES
from positions.valuing.timelines import FOR_VALUES, Span, read_histories
from transactions.entries import effective, whole_ledgers

KEYS: Mapping[str, Sequence[str]] = {
    "positions": ("kind", "security_id"),
    "position_days": ("kind", "security_id", "position_date"),
    "lots": ("security_id", *LOT_KEY_COLUMNS),
    "disposals": ("security_id", "disposal_date", "closing_transaction_id", "piece"),
    "booking_exceptions": ("transaction_id", "code"),
    "given_lots": ("security_id", "transaction_id", *LOT_KEY_COLUMNS),
    "transfer_links": ("security_id", "transaction_id"),
    "moves": ("transaction_id", "move_date"),
    "cash_movements": ("currency", "transaction_id", "leg"),
}
"""What a row of each table is known by within its portfolio."""


def rows_are_as_booked_anew(compare: Comparison) -> Iterator[Difference]:
    """Every row that the calculators write of a portfolio, but its daily values."""
    portfolio_id = compare.portfolio_id
    market.refresh()
    entries = sorted(effective(whole_ledgers(portfolio_ids=[portfolio_id])[portfolio_id]), key=key_of)
    (terms,) = terms_of({portfolio_id: entries}, market.rates).values()
    offer = offers({portfolio_id: entries}, anew={portfolio_id}).get(portfolio_id, Offer())
    booked = book_portfolio(terms, entries, {}, offer, anew=True, last_date=None)
    for table, columns in TABLES.items():
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {', '.join(columns)} FROM {table} WHERE portfolio_id = %s", [portfolio_id])  # noqa: S608
            stored = _by_key(table, cursor.fetchall())
        expected = _by_key(table, booked.rows[table])
        for key in sorted(stored.keys() | expected.keys(), key=repr):
            yield from _row_differs(compare, table, key, stored.get(key), expected.get(key))


def days_are_as_valued_anew(compare: Comparison, state: PortfolioState, span: Span) -> Iterator[Difference]:
    """Every daily value."""
    (history,) = read_histories([span], states={span.portfolio_id: state}, figures=FOR_VALUES)
    stored = {day.date: day for day in read_days(*span)}
    for day in daily_values(history, span.first, span.last):
        found = stored.get(day.date)
        if found != day:
            yield from compare.equal(
                "",
                {f"daily {name} of {day.date}": getattr(found, name, None) for name in _OF_A_DAY},
                {f"daily {name} of {day.date}": getattr(day, name) for name in _OF_A_DAY},
            )


_OF_A_DAY = (*FIGURES, "flags", "missing")


def _by_key(table: str, rows: Sequence[Row]) -> dict[Row, dict[str, Any]]:
    columns = list(TABLES[table])
    places = [columns.index(name) for name in KEYS[table]]
    return {tuple(row[place] for place in places): dict(zip(columns, row, strict=True)) for row in rows}


def _row_differs(
    compare: Comparison,
    table: str,
    key: Row,
    stored: Mapping[str, Any] | None,
    expected: Mapping[str, Any] | None,
) -> Iterator[Difference]:
    told = expected or stored or {}
    holding = next((told[name] for name in ("security_id", "target_id", "source_id") if told.get(name)), "")
    if table == "cash_movements" or told.get("kind") == Kind.CASH:
        holding = holding_name(HoldingKey(Kind.CASH, told.get("currency", "")))
    place = " ".join(str(part) for name, part in zip(KEYS[table], key, strict=True) if name not in _SAID_ALREADY)
    where = f"{table} {place}".rstrip()
    if stored is None or expected is None:
        yield Difference(
            compare.portfolio_id, holding, where, *("no row" if row is None else "a row" for row in (stored, expected))
        )
        return
    for difference in compare.equal(holding, stored, expected):
        yield Difference(
            compare.portfolio_id, holding, f"{where}: {difference.figure}", difference.stored, difference.expected
        )


_SAID_ALREADY = ("kind", "security_id", "currency")
