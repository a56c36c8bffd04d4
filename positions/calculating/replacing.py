"""Replacing stored rows by those just made, of which most are the same: only what differs is written."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection

from positions.calculating.storage import copy_rows
from positions.calculating.tables import TABLES, Row

SECURITIES = "unnest(%s::text[], %s::text[]) AS asked(portfolio_id, security_id)"
_OF_THE_SECURITY = "t.portfolio_id = asked.portfolio_id AND t.security_id = asked.security_id"
OF_SECURITIES = {
    "positions": f"t.kind = 'SECURITY' AND {_OF_THE_SECURITY}",
    "position_days": f"t.kind = 'SECURITY' AND {_OF_THE_SECURITY}",
    "lots": _OF_THE_SECURITY,
    "disposals": _OF_THE_SECURITY,
    "booking_exceptions": _OF_THE_SECURITY,
    "given_lots": _OF_THE_SECURITY,
    "moves": "t.portfolio_id = asked.portfolio_id AND asked.security_id IN (t.source_id, t.target_id)",
}
"""Which rows of each table are of one of the securities asked for."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The rows that were stored and are no more, and those that were not and are now."""

    gone: Sequence[Row]
    come: Sequence[Row]

    @property
    def rows(self) -> list[Row]:
        """Those of either kind."""
        return [*self.gone, *self.come]


def replace(table: str, asked: str, condition: str, parameters: Sequence[Any], rows: Collection[Row]) -> Difference:
    """Let the rows of one of TABLES that meet the condition be these rows; what was different."""
    columns = ", ".join(f"t.{column}" for column in TABLES[table])
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT t.id, {columns} FROM {asked} JOIN {table} AS t ON {condition}",  # noqa: S608 - this package's own
            parameters,
        )
        stored = {_comparable(row): (row_id, row) for row_id, *row in cursor.fetchall()}
        made = {_comparable(row): row for row in rows}
        gone = [stored[row] for row in stored.keys() - made.keys()]
        come = [made[row] for row in made.keys() - stored.keys()]
        if gone:
            ids = [row_id for row_id, _ in gone]
            cursor.execute(f"DELETE FROM {table} WHERE id = ANY(%s)", [ids])  # noqa: S608 - as above
    copy_rows(table, come)
    return Difference([tuple(row) for _, row in gone], come)


def _comparable(row: Sequence[Any]) -> Row:
    """The row with nothing in it that is not equal to itself, and nothing that can be changed."""
    return tuple(map(_value, row))


def _value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return "NaN" if value.is_nan() else value
    return tuple(value) if isinstance(value, list) else value
