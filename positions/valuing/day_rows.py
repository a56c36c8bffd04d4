"""Reading the stored daily values: all of some days, or only those that returns are made from.

Of a history of years hardly a day says anything that the values around it do not (see `analytics.performance`). The
database finds those that do, and only they travel. Nor do returns need all of a day's figures, and a number takes as
long to be read as the row that it stands in: what no return is made of is left where it is.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from django.db import connection

from portfolio.money import ZERO
from positions.analytics.days import Day

_COLUMNS = (
    "d.valuation_date, d.value, d.securities, d.cash, d.inflow, d.outflow, d.income, d.fees, d.taxes, d.fees_in_cost,"
    " d.flags, d.missing"
)
# Of most days these are 0 or empty, and nothing is read sooner than a zero.
_OF_RETURNS = "d.valuation_date, d.value, nullif(d.inflow, 0), nullif(d.outflow, 0), nullif(d.missing, '')"
_FEES = "nullif(d.fees, 0), nullif(d.fees_in_cost, 0)"
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
    rows = _read(_COLUMNS, f"{_OF_DAYS} ORDER BY d.valuation_date", portfolio_id=portfolio_id, first=first, last=last)
    return [_day(row) for row in rows]


def read_days_of_returns(portfolio_id: str, first: datetime.date, last: datetime.date, *, gross: bool) -> list[Day]:
    """The same days with what returns are made of: value and flows and, for gross returns, fees. The rest is 0."""
    where = f"{_OF_DAYS} ORDER BY d.valuation_date"
    return _returning(where, portfolio_id=portfolio_id, first=first, last=last, gross=gross)


def read_telling_days(
    portfolio_id: str, first: datetime.date, last: datetime.date, *, marks: Collection[datetime.date], gross: bool
) -> list[Day]:
    """Of these days at least those that `analytics.performance.telling_days` keeps, as `read_days_of_returns` does."""
    return _returning(
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


def _returning(where: str, *, gross: bool, **parameters: Any) -> list[Day]:
    fees = _FEES if gross else "NULL, NULL"
    rows = _read(f"{_OF_RETURNS}, {fees}", where, gross=gross, **parameters)
    return [
        Day(
            date,
            value,
            inflow=inflow or ZERO,
            outflow=outflow or ZERO,
            fees=fees or ZERO,
            fees_in_cost=fees_in_cost or ZERO,
            missing=missing or "",
        )
        for date, value, inflow, outflow, missing, fees, fees_in_cost in rows
    ]


def _read(columns: str, where: str, **parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM daily_valuations AS d WHERE {where}", parameters)  # noqa: S608 - as above
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def _day(row: Sequence[Any]) -> Day:
    *figures, flags, missing = row
    return Day._make([*figures, frozenset(flags) if flags else _NO_FLAGS, missing])
