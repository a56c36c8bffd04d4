"""Reading the stored holdings that a calculation goes on from, with as many of their lots as it is likely to need."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from django.db import connection

from positions.calculating.tables import FIGURES, LOT_FIGURES, LOT_KEY_COLUMNS
from positions.engine.holdings import Holding, HoldingKey, Kind
from positions.engine.lots import Lot, LotKey

LOTS_READ_AT_FIRST = 64
"""How many lots of a holding are read before it is known how many a disposal takes."""

_LOT = (*LOT_KEY_COLUMNS, *LOT_FIGURES)
_BY_AGE = ", ".join(LOT_KEY_COLUMNS)
_FROM_THE_NEWEST = ", ".join(f"{column} DESC" for column in LOT_KEY_COLUMNS)


class HoldingName(NamedTuple):
    """A holding among all portfolios."""

    portfolio_id: str
    key: HoldingKey


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
            SELECT asked.portfolio_id, asked.security_id, {", ".join(f"first.{name}" for name in _LOT)}
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


def _reader_of_lots(portfolio_id: str, security_id: str, order: str, *, offset: int) -> Callable[[], list[Lot]]:
    def read() -> list[Lot]:
        with connection.cursor() as cursor:
            cursor.execute(
                f"""
                SELECT {", ".join(_LOT)} FROM lots WHERE portfolio_id = %s AND security_id = %s
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
