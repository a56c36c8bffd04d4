"""Reading the stored daily values: all of some days, or only those that returns are made from.

Of a history of years hardly a day says anything that the values around it do not (see `analytics.performance`). The
database finds those that do, and only they travel.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from django.db import connection

from positions.analytics.days import Day

_COLUMNS = (
    "d.valuation_date, d.value, d.securities, d.cash, d.inflow, d.outflow, d.income, d.fees, d.taxes, d.fees_in_cost,"
    " d.flags, d.missing"
)
_OF_DAYS = "d.portfolio_id = %(portfolio_id)s AND d.valuation_date BETWEEN %(first)s AND %(last)s"
_NO_FLAGS: frozenset[str] = frozenset()


class Remark(NamedTuple):
    """What is flagged or missing on some days: on how many, and between which."""

    code: str
    days: int
    first: datetime.date
    last: datetime.date


def read_days(portfolio_id: str, first: datetime.date, last: datetime.date) -> list[Day]:
    """The rows of these days, both ends included, in order."""
    return _read(f"{_OF_DAYS} ORDER BY d.valuation_date", portfolio_id=portfolio_id, first=first, last=last)


def read_telling_days(
    portfolio_id: str, first: datetime.date, last: datetime.date, *, marks: Collection[datetime.date], gross: bool
) -> list[Day]:
    """Of these days' rows at least those that `analytics.performance.telling_days` keeps, in order."""
    return _read(
        f"""{_OF_DAYS} AND d.valuation_date IN (
            SELECT t.valuation_date + beside
            FROM (
                SELECT d.valuation_date FROM daily_valuations AS d
                WHERE {_OF_DAYS} AND (
                    d.inflow <> 0 OR d.outflow <> 0 OR d.value <= 0 OR d.value = 'NaN'
                    OR (%(gross)s AND (d.fees <> 0 OR d.fees_in_cost <> 0))
                )
            ) AS t CROSS JOIN generate_series(-1, 1) AS beside
            UNION SELECT unnest(%(marks)s::date[])
        ) ORDER BY d.valuation_date""",  # noqa: S608 - texts of this module's own
        portfolio_id=portfolio_id,
        first=first,
        last=last,
        marks=list(marks),
        gross=gross,
    )


def read_remarks(portfolio_id: str, first: datetime.date, last: datetime.date) -> list[Remark]:
    """What is flagged or missing on these days."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT code, count(*), min(valuation_date), max(valuation_date)
            FROM daily_valuations AS d
            CROSS JOIN unnest(CASE d.missing WHEN '' THEN d.flags ELSE d.flags || d.missing END) AS code
            WHERE {_OF_DAYS} AND (d.flags <> '{{}}' OR d.missing <> '')
            GROUP BY code ORDER BY code
            """,  # noqa: S608 - as above
            {"portfolio_id": portfolio_id, "first": first, "last": last},
        )
        return [Remark(*row) for row in cursor.fetchall()]


def remarks_of(days: Iterable[Day]) -> list[Remark]:
    """The same of days that are no rows."""
    found: dict[str, Remark] = {}
    for day in days:
        for code in day.flags.union([day.missing] if day.missing else ()):
            before = found.get(code)
            found[code] = Remark(code, before.days + 1 if before else 1, before.first if before else day.date, day.date)
    return [found[code] for code in sorted(found)]


def remark_answer(remark: Remark) -> dict[str, Any]:
    """The remark as it is answered."""
    return {"code": remark.code, "days": remark.days, "first": remark.first, "last": remark.last}


def _read(where: str, **parameters: Any) -> list[Day]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_COLUMNS} FROM daily_valuations AS d WHERE {where}", parameters)  # noqa: S608 - as above
        return [_day(row) for row in cursor.fetchall()]


def _day(row: Sequence[Any]) -> Day:
    *figures, flags, missing = row
    return Day(*[*figures, frozenset(flags) if flags else _NO_FLAGS, missing])
