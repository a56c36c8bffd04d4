"""Reading what a statement is made of: the states at both ends of its period, and what moved in kind between them.

However long the period and its history, so much is read of every holding, and of every move the one holding that says
what it is worth. The history this makes is whole on the two days, and on the days of the moves as far as they need it.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection

from positions.analytics.history import History, Quote, Timeline
from positions.calculating.market import market
from positions.calculating.tables import FIGURES
from positions.engine.lots import Holding, HoldingKey, Kind
from positions.engine.moves import Move
from positions.models import PortfolioState
from positions.valuing.timelines import Span, read_histories

_MOVE = tuple(Move.__dataclass_fields__)


class _Ends:
    """What has been read so far, by day."""

    def __init__(self) -> None:
        self.states: dict[HoldingKey, dict[datetime.date, Holding]] = {}
        self.quotes: dict[str, dict[datetime.date, Quote]] = {}
        self.moves: list[Move] = []

    def add(self, history: History) -> None:
        for key, timeline in history.timelines.items():
            self.states.setdefault(key, {}).update(zip(timeline.dates, timeline.states, strict=True))
        for security_id, quotes in history.quotes.items():
            self.quotes.setdefault(security_id, {}).update((quote.date, quote) for quote in quotes)

    def history(self, of: History) -> History:
        """The whole; what it is not made of is as in one of its histories."""
        return History(
            base_currency=of.base_currency,
            cash_tracked=of.cash_tracked,
            timelines={
                key: Timeline(sorted(states), [states[day] for day in sorted(states)])
                for key, states in self.states.items()
            },
            moves=self.moves,
            quotes={name: [quotes[day] for day in sorted(quotes)] for name, quotes in self.quotes.items()},
            instruments=of.instruments,
            rates=of.rates,
        )


def read_ends(state: PortfolioState, start: datetime.date, end: datetime.date) -> History:
    """The portfolio at the end of `start` and of `end`, with the moves of (start, end].

    The caller has one database snapshot.
    """
    market.refresh()
    ends = _Ends()
    of_new_symbols = _read_moves(state.portfolio_id, start, end, ends)
    spans = [Span(state.portfolio_id, day, day) for day in sorted({start, end, *of_new_symbols})]
    histories = read_histories(spans, states={state.portfolio_id: state})
    for history in histories:
        ends.add(history)
    # A holding's moves may all be over before the end; of the end all holdings are read.
    return ends.history(histories[-1])


def _read_moves(portfolio_id: str, start: datetime.date, end: datetime.date, ends: _Ends) -> set[datetime.date]:
    """The moves after `start`, with the state and the quote that each is valued at, and the state of the quote's day.

    Of which days all must be read, because a price was carried from an old symbol.
    """
    columns = [f"m.{'move_date' if name == 'date' else name}" for name in _MOVE]
    state_columns = ", ".join(f"d.{name}" for name in FIGURES)
    of_valued = f"""
        SELECT d.position_date, {state_columns} FROM position_days AS d
        WHERE d.portfolio_id = m.portfolio_id AND d.kind = 'SECURITY'
            AND d.security_id = coalesce(m.target_id, m.source_id) AND d.position_date <=
    """  # noqa: S608 - the columns are the table's own
    wholly: set[datetime.date] = set()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT {", ".join(columns)}, q.price_date, q.price, q.currency, h.*, r.*
            FROM moves AS m
            CROSS JOIN LATERAL ({of_valued} m.move_date ORDER BY d.position_date DESC LIMIT 1) AS h
            LEFT JOIN LATERAL (
                SELECT p.price_date, p.price, p.currency FROM market_prices AS p
                WHERE p.security_id = coalesce(m.target_id, m.source_id) AND p.superseded_at IS NULL
                    AND p.price_date <= m.move_date
                ORDER BY p.price_date DESC LIMIT 1
            ) AS q ON true
            LEFT JOIN LATERAL ({of_valued} q.price_date ORDER BY d.position_date DESC LIMIT 1) AS r ON true
            WHERE m.portfolio_id = %s AND m.move_date > %s AND m.move_date <= %s
            ORDER BY m.move_date, m.transaction_id
            """,  # noqa: S608 - as above
            [portfolio_id, start, end],
        )
        for row in cursor:
            move = Move(*row[: len(_MOVE)])
            rest = row[len(_MOVE) :]
            ends.moves.append(move)
            if rest[0] is not None:
                ends.quotes.setdefault(move.valued_id, {})[rest[0]] = Quote(*rest[:3])
            for held, day in _states(move.valued_id, rest[3:]):
                ends.states.setdefault(held.key, {})[day] = held
                if held.carried_from:
                    wholly.add(move.date)
    return wholly


def _states(security_id: str, columns: Sequence[Any]) -> Iterable[tuple[Holding, datetime.date]]:
    width = len(FIGURES) + 1
    for day, *figures in (columns[:width], columns[width:]):
        if day is not None:
            yield Holding(HoldingKey(Kind.SECURITY, security_id), **dict(zip(FIGURES, figures, strict=True))), day
