"""What a figure of a security is made of, day by day, from its stored days: the last of them, and the state before.

The days of a holding carry its running figures, so that the state before the days that are listed is the sum of all
that came before, and none of it is read.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any

from django.db import connection
from django.db.models import Count, Min

from portfolio.amounts import number_of
from portfolio.money import ZERO
from positions.engine.holdings import Holding, HoldingKey, Kind
from positions.explaining import listing
from positions.explaining.explanation import MEASURES, Contribution, Level, Reckoned, contribution
from positions.explaining.listing import LeftOut, Line
from positions.models import PositionDay

_FIGURES = (
    "currency",
    "quantity",
    "cost_basis",
    "cost_basis_base",
    "unrated_lots",
    "income",
    "income_base",
    "fees_base",
    "taxes_base",
    "rated_sums",
)
Day = tuple[datetime.date, Holding]


def day_parts(
    *, portfolio_id: str, security_id: str, figure: str, until: datetime.date
) -> tuple[LeftOut | None, list[Line]]:
    """What each of the last days up to one changed of the figure, in order, and what was left out before them."""
    key = HoldingKey(Kind.SECURITY, security_id)
    days = _last_days(portfolio_id, key, until)
    before = days.pop(0) if len(days) > listing.PARTS_MAX else None
    empty = Holding(key, "")
    levels = [level_of(figure, held) for held in (before[1] if before else empty, *(held for _, held in days))]
    lines = []
    for (level, following), (day, _) in zip(pairwise(levels), days, strict=True):
        changed = contribution(level, following)
        if changed:
            lines.append(Line(changed, day, partial(_facts, security_id, day)))
    if before is None:
        return None, lines
    contributed = contribution(level_of(figure, empty), levels[0]) or listing.NOTHING
    return _left_out(portfolio_id, security_id, before[0], contributed), lines


def level_of(figure: str, held: Holding) -> Level:
    """A running figure of a holding as a row has it, without its lots: where the cost of some of them is unknown, all
    that changes of the holding counts as a change of that.
    """
    if figure != "cost_basis":
        return MEASURES[figure](held)
    unknown = (held.quantity, str(held.cost_basis), held.cost_basis_base, held.unrated_lots)
    local = Reckoned(ZERO, unknown) if held.cost_basis.is_nan() else Reckoned(number_of(held.cost_basis))
    return Level(local, Reckoned(number_of(held.cost_basis_base), unknown if held.unrated_lots else None))


def _last_days(portfolio_id: str, key: HoldingKey, until: datetime.date) -> list[Day]:
    """The last days of the security, one more than are listed, the oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT position_date, {", ".join(_FIGURES)} FROM position_days
            WHERE portfolio_id = %s AND kind = %s AND security_id = %s AND position_date <= %s
            ORDER BY position_date DESC LIMIT %s
            """,  # noqa: S608 - the columns are the table's own
            [portfolio_id, key.kind.value, key.security_id, until, listing.PARTS_MAX + 1],
        )
        rows: Sequence[Sequence[Any]] = cursor.fetchall()
    return [(day, Holding(key, **dict(zip(_FIGURES, row, strict=True)))) for day, *row in reversed(rows)]


def _left_out(portfolio_id: str, security_id: str, last: datetime.date, contributed: Contribution) -> LeftOut:
    rows = PositionDay.objects.filter(portfolio_id=portfolio_id, kind=Kind.SECURITY, security_id=security_id)
    told = rows.filter(position_date__lte=last).aggregate(number=Count("pk"), first=Min("position_date"))
    return LeftOut(told["number"], contributed, told["first"], last)


def _facts(security_id: str, day: datetime.date) -> dict[str, Any]:
    return {"kind": "DAY", "date": day, "security_id": security_id}
