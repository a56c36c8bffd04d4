"""What a figure of a security is made of, from stored rows: the last disposals, or the newest lots; and of those before
how many there are and what they come to.
"""

from __future__ import annotations

import datetime
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connection

from portfolio.amounts import Base, Local, amount_of
from positions.api.serializers import DisposalSerializer
from positions.engine.holdings import Holding
from positions.engine.lots import Lot, LotKey
from positions.explaining import listing
from positions.explaining.explanation import Contribution
from positions.explaining.listing import LeftOut, Line
from positions.models import Disposal
from positions.models import Lot as LotRow

Facts = Callable[[Sequence[str]], Mapping[str, dict[str, Any]]]
"""The facts of the transactions of these ids."""


class _Rest(NamedTuple):
    """What rows before others come to."""

    number: int
    first_date: datetime.date
    last_date: datetime.date
    sums: Sequence[Decimal]


def disposal_parts(
    *, portfolio_id: str, security_id: str, until: datetime.date, facts: Facts
) -> tuple[LeftOut | None, list[Line]]:
    """The last disposals up to a day, in order, and what the others realised."""
    order = ("disposal_date", "disposal_time_us", "closing_transaction_id", "piece")
    rows = Disposal.objects.filter(portfolio_id=portfolio_id, security_id=security_id, disposal_date__lte=until)
    listed = list(reversed(rows.order_by(*(f"-{name}" for name in order))[: listing.PARTS_MAX]))
    closing = facts([row.closing_transaction_id for row in listed])
    lines = [_disposal_line(row, closing.get(row.closing_transaction_id, {})) for row in listed]
    if len(listed) < listing.PARTS_MAX:
        return None, lines
    sums = ("realized_gain", "realized_gain_base")
    known = ", ".join(f"coalesce(sum({name}) FILTER (WHERE {name} <> 'NaN'), 0)" for name in sums)
    rest = _before("disposals", order, listed[0], f"sum(realized_gain), sum(realized_gain_base), {known}")
    return rest and LeftOut(rest.number, Contribution(*rest.sums), rest.first_date, rest.last_date), lines


def _disposal_line(row: Disposal, facts: Mapping[str, Any]) -> Line:
    def told() -> dict[str, Any]:
        named = {"transaction_id": row.closing_transaction_id, "date": row.disposal_date}
        return {"kind": "DISPOSAL", **named, **facts, "disposal": DisposalSerializer(row).data}

    return Line(listing.whole(row.realized_gain, row.realized_gain_base), row.disposal_date, told)


def newest_lots(held: Holding, portfolio_id: str) -> tuple[Holding, Callable[[Sequence[Line]], LeftOut | None]]:
    """The holding with its newest lots and, as one, those before; and how the line of that one is left out."""
    order = ("acquisition_date", "acquisition_time_us", "opening_transaction_id", "opening_portfolio_id")
    rows = LotRow.objects.filter(portfolio_id=portfolio_id, security_id=held.key.security_id)
    listed = list(reversed(rows.order_by(*(f"-{name}" for name in order))[: listing.PARTS_MAX]))
    lots = deque(map(_lot, listed))
    rest = None
    if len(listed) == listing.PARTS_MAX:
        rest = _before("lots", order, listed[0], "sum(quantity), sum(cost_basis), sum(cost_basis_base)")
    if rest:
        quantity, cost, cost_base = rest.sums
        older = LotKey(rest.last_date, 0, "", "")
        lots.appendleft(Lot(older, quantity, amount_of(cost, Local), amount_of(cost_base, Base)))

    def left_out(lines: Sequence[Line]) -> LeftOut | None:
        if rest is None:
            return None
        return LeftOut(rest.number, lines[0].contributed, rest.first_date, rest.last_date, lines[0].missing)

    return replace(held, lots=lots, more=None), left_out


def _lot(row: LotRow) -> Lot:
    key = LotKey(row.acquisition_date, row.acquisition_time_us, row.opening_transaction_id, row.opening_portfolio_id)
    return Lot(key, row.quantity, amount_of(row.cost_basis, Local), amount_of(row.cost_basis_base, Base))


def _before(table: str, order: Sequence[str], first: Disposal | LotRow, sums: str) -> _Rest | None:
    """What the rows of a security before one of them come to, in the order given; None where there are none."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT count(*), min({order[0]}), max({order[0]}), {sums} FROM {table}
            WHERE portfolio_id = %s AND security_id = %s
              AND ({", ".join(order)}) < ({", ".join(["%s"] * len(order))})
            """,  # noqa: S608 - texts of this module's own
            [first.portfolio_id, first.security_id, *(getattr(first, name) for name in order)],
        )
        number, first_date, last_date, *found = cursor.fetchone()
    return _Rest(number, first_date, last_date, found) if number else None
