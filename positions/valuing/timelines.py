"""Reading what daily values and statements are made of: for many portfolios at once, and no more than the days need.

Of every holding the last state before the first day asked for is read, and the states within; of every security held in
these days the last quote before them, and the quotes within. What is older is only read where something of these days
rests on it: a quote is as of its own day, so the splits booked by then must be known, and a change of symbol carries
the price that the old symbol had when it was changed.
"""

from __future__ import annotations

import datetime
from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from django.db import connection

from positions.analytics.history import History, Quote, Timeline
from positions.calculating.market import instrument_terms, market
from positions.calculating.tables import FIGURES
from positions.engine.holdings import Holding, HoldingKey, Kind
from positions.engine.moves import Move
from positions.models import PortfolioState
from positions.valuing.quotes import Days, last_quotes, quotes_within

FOR_VALUES = (
    "currency",
    "quantity",
    "income_base",
    "fees_base",
    "taxes_base",
    "fees_in_cost_base",
    "inflow_base",
    "outflow_base",
    "split_ratio",
    "trade_price",
    "trade_price_currency",
    "trade_price_date",
    "trade_split_ratio",
    "carried_from",
    "carried_date",
    "carried_ratio",
    "carried_price",
    "carried_price_currency",
    "carried_price_date",
    "rated_sums",
)
"""The figures of a holding that daily values need; a statement needs all."""
FOR_GAINS = (*FOR_VALUES, "money_in_base", "money_out_base")
"""And those that its gains need day by day."""
_MOVE = tuple(Move.__dataclass_fields__)


class Span(NamedTuple):
    """Days of a portfolio, both ends included."""

    portfolio_id: str
    first: datetime.date
    last: datetime.date


@dataclass(slots=True)
class _Read:
    """What has been read for one span so far."""

    span: Span
    dates: dict[HoldingKey, list[datetime.date]] = field(default_factory=dict)
    states: dict[HoldingKey, list[Holding]] = field(default_factory=dict)
    moves: list[Move] = field(default_factory=list)
    quotes: dict[str, list[Quote]] = field(default_factory=dict)

    def add(self, held: Holding, day: datetime.date) -> None:
        """Put a state in its place; one of a day that is there already is the same."""
        dates = self.dates.setdefault(held.key, [])
        states = self.states.setdefault(held.key, [])
        if not dates or dates[-1] < day:
            dates.append(day)
            states.append(held)
        elif day not in dates:
            insort(dates, day)
            states.insert(dates.index(day), held)

    def priced(self) -> set[str]:
        """The securities that need a price on some of these days."""
        held = {key.security_id for key, states in self.states.items() if any(state.quantity for state in states)}
        return held | {move.valued_id for move in self.moves}

    def carried(self) -> set[tuple[str, datetime.date]]:
        """The old symbols whose price was carried, with the days on which they were changed."""
        return {
            (state.carried_from, state.carried_date)
            for states in self.states.values()
            for state in states
            if state.carried_from and state.carried_date
        }

    def history(self, state: PortfolioState, **of_market: Any) -> History:
        """The whole."""
        return History(
            base_currency=state.base_currency,
            cash_tracked=state.cash_tracked,
            timelines={key: Timeline(dates, self.states[key]) for key, dates in self.dates.items()},
            moves=self.moves,
            quotes=self.quotes,
            **of_market,
        )


def read_histories(
    spans: Sequence[Span],
    *,
    states: Mapping[str, PortfolioState],
    figures: Collection[str] = tuple(FIGURES),
    securities: Collection[str] | None = None,
) -> list[History]:
    """The histories that the days of each span are made of, in the same order; of these securities alone, where they
    are named: they must then be all that changed into one another.

    `states` are those of the portfolios. The caller has one database snapshot, and has refreshed the market's memory
    in it.
    """
    reads = [_Read(span) for span in spans]
    if not reads:
        return []
    only = None if securities is None else list(securities)
    _read_states(reads, tuple(figures), only)
    _read_moves(reads, only)
    _read_quotes(reads)
    _read_carried_quotes(reads)
    _read_earlier_states(reads, tuple(figures))
    instruments = instrument_terms(
        {key.security_id for read in reads for key in read.states if key.kind is Kind.SECURITY}
    )
    return [read.history(states[read.span.portfolio_id], instruments=instruments, rates=market.rates) for read in reads]


# --- holdings and moves -------------------------------------------------------------------------------------------


def _read_states(reads: Sequence[_Read], figures: Sequence[str], only: list[str] | None) -> None:
    """The last state of each holding before the first day, and those within."""
    columns = ", ".join(f"d.{name}" for name in figures)
    of_holding = """
        FROM position_days AS d
        WHERE d.portfolio_id = p.portfolio_id AND d.kind = p.kind AND d.security_id = p.security_id
    """
    states = f"""
        SELECT asked.number, p.kind, p.security_id, h.*
        FROM {_ASKED}
        JOIN positions AS p ON p.portfolio_id = asked.portfolio_id
            AND (%(only)s::text[] IS NULL OR (p.kind = 'SECURITY' AND p.security_id = ANY(%(only)s)))
        CROSS JOIN LATERAL (
            (SELECT d.position_date, {columns} {of_holding}
                AND d.position_date < asked.first_date ORDER BY d.position_date DESC LIMIT 1)
            UNION ALL
            (SELECT d.position_date, {columns} {of_holding}
                AND d.position_date BETWEEN asked.first_date AND asked.last_date ORDER BY d.position_date)
        ) AS h
    """  # noqa: S608 - the columns are the table's own
    with connection.cursor() as cursor:
        cursor.execute(states, _asked(reads) | {"only": only})
        keys: dict[tuple[str, str], HoldingKey] = {}
        state_of = _state_maker(figures)
        for number, kind, security_id, day, *row in cursor.fetchall():
            # There may be a hundred thousand of them, of a hundred keys.
            key = keys.get((kind, security_id))
            if key is None:
                key = keys[kind, security_id] = HoldingKey(Kind(kind), security_id)
            reads[number - 1].add(state_of(key, row), day)


def _state_maker(figures: Sequence[str]) -> Callable[[HoldingKey, Sequence[Any]], Holding]:
    """What makes a state of its key and these figures; all else in it is as in a holding of nothing.

    Nobody books into a state that was read, so its empty lots are the same for all: three containers a state would be
    most of the memory that a long history takes.
    """
    nothing = Holding(HoldingKey(Kind.CASH, ""), "")
    names = [one.name for one in fields(Holding)][1:]
    others = [name for name in names if name not in figures]
    of_others = tuple(getattr(nothing, name) for name in others)
    told = [*figures, *others]
    in_order = itemgetter(*(told.index(name) for name in names))
    return lambda key, row: Holding(key, *in_order((*row, *of_others)))


def _read_earlier_states(reads: Sequence[_Read], figures: Sequence[str]) -> None:
    """The states on the days of quotes that are older than what has been read of their security."""
    wanted = []
    for number, read in enumerate(reads):
        for security_id, quotes in read.quotes.items():
            dates = read.dates.get(HoldingKey(Kind.SECURITY, security_id))
            older = quotes[: bisect_left(quotes, dates[0], key=attrgetter("date"))] if dates else ()
            wanted += [(number, security_id, quote.date) for quote in older]
    if not wanted:
        return
    columns = ", ".join(f"d.{name}" for name in figures)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT asked.number, asked.security_id, h.*
            FROM unnest(%s::int4[], %s::text[], %s::text[], %s::date[])
                AS asked (number, portfolio_id, security_id, day)
            CROSS JOIN LATERAL (
                SELECT d.position_date, {columns} FROM position_days AS d
                WHERE d.portfolio_id = asked.portfolio_id AND d.kind = 'SECURITY'
                    AND d.security_id = asked.security_id AND d.position_date <= asked.day
                ORDER BY d.position_date DESC LIMIT 1
            ) AS h
            """,  # noqa: S608 - as above
            [
                [number for number, _, _ in wanted],
                [reads[number].span.portfolio_id for number, _, _ in wanted],
                [security_id for _, security_id, _ in wanted],
                [day for _, _, day in wanted],
            ],
        )
        state_of = _state_maker(figures)
        for number, security_id, day, *row in cursor.fetchall():
            reads[number].add(state_of(HoldingKey(Kind.SECURITY, security_id), row), day)


def _read_moves(reads: Sequence[_Read], only: list[str] | None) -> None:
    columns = ", ".join("m.move_date" if name == "date" else f"m.{name}" for name in _MOVE)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT asked.number, {columns}
            FROM {_ASKED}
            JOIN moves AS m ON m.portfolio_id = asked.portfolio_id
                AND m.move_date BETWEEN asked.first_date AND asked.last_date
                AND (%(only)s::text[] IS NULL OR m.source_id = ANY(%(only)s) OR m.target_id = ANY(%(only)s))
            ORDER BY m.move_date, m.transaction_id
            """,  # noqa: S608 - as above
            _asked(reads) | {"only": only},
        )
        for number, *row in cursor:
            reads[number - 1].moves.append(Move(*row))


# --- quotes -------------------------------------------------------------------------------------------------------


def _read_quotes(reads: Sequence[_Read]) -> None:
    """The last quote of each security before the first day, and those within; of portfolios alike, once."""
    asked: dict[Days, list[_Read]] = {}
    for read in reads:
        for security_id in read.priced():
            asked.setdefault(Days(security_id, read.span.first, read.span.last), []).append(read)
    for days, quotes in quotes_within(asked).items():
        for read in asked[days]:
            read.quotes[days.security_id] = quotes


def _read_carried_quotes(reads: Sequence[_Read]) -> None:
    """The last quote of an old symbol on the day on which it was changed."""
    asked: dict[Days, list[_Read]] = {}
    for read in reads:
        for security_id, day in read.carried():
            asked.setdefault(Days(security_id, day, day), []).append(read)
    for days, quotes in last_quotes(asked).items():
        for read in asked[days]:
            read.quotes[days.security_id] = sorted({*read.quotes.get(days.security_id, ()), *quotes})


_ASKED = """
    unnest(%(portfolio_ids)s::text[], %(firsts)s::date[], %(lasts)s::date[]) WITH ORDINALITY
        AS asked (portfolio_id, first_date, last_date, number)
"""


def _asked(reads: Sequence[_Read]) -> dict[str, Any]:
    return {
        "portfolio_ids": [read.span.portfolio_id for read in reads],
        "firsts": [read.span.first for read in reads],
        "lasts": [read.span.last for read in reads],
    }
