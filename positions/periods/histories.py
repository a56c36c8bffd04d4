"""Reading what a statement is made of: the states at both ends of its period, and what moved in kind between them.

However long the period and its history, so much is read of every holding, and of every move the one holding that says
what it is worth. The history this makes is whole on the two days, and on the days of the moves as far as they need it.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Sequence
from typing import Any

from django.db import connection

from positions.analytics.history import History, Quote, Timeline
from positions.calculating.market import market
from positions.calculating.tables import FIGURES
from positions.engine.entry import InstrumentTerms
from positions.engine.holdings import Holding, HoldingKey, Kind
from positions.engine.moves import Move
from positions.models import PortfolioState
from positions.valuing.timelines import Span, read_histories

_MOVE = tuple(Move.__dataclass_fields__)


_FIGURES = ", ".join(f"d.{name}" for name in FIGURES)
_QUOTE = """
    SELECT told.price_date, told.price, told.currency FROM market_prices AS told
    WHERE told.security_id = {security_id} AND told.superseded_at IS NULL AND told.price_date <= {day}
    ORDER BY told.price_date DESC LIMIT 1
"""


class _Ends:
    """What has been read so far, by day."""

    def __init__(self) -> None:
        self.states: dict[HoldingKey, dict[datetime.date, Holding]] = {}
        self.quotes: dict[str, dict[datetime.date, Quote]] = {}
        self.moves: list[Move] = []
        self.instruments: dict[str, InstrumentTerms] = {}
        self.carried: set[datetime.date] = set()
        """The days on which a price may be one that an old symbol left: what it is takes more than one holding."""

    def add_quoted(self, key: HoldingKey, day: datetime.date, row: Sequence[Any]) -> None:
        """Add a state of the day, the quote it is valued at, and, where it is another, the state of the quote's day."""
        quote, states = row[:3], row[3:]
        if quote[0] is not None:
            self.quotes.setdefault(key.security_id, {})[quote[0]] = Quote(*quote)
        for state_date, *figures in (states[:_WIDTH], states[_WIDTH:]):
            if state_date is not None:
                held = Holding(key, **dict(zip(FIGURES, figures, strict=True)))
                self.states.setdefault(key, {})[state_date] = held
                if held.carried_from:
                    self.carried.add(day)

    def add(self, history: History) -> None:
        """Add all of a history."""
        for key, timeline in history.timelines.items():
            self.states.setdefault(key, {}).update(zip(timeline.dates, timeline.states, strict=True))
        for security_id, quotes in history.quotes.items():
            self.quotes.setdefault(security_id, {}).update((quote.date, quote) for quote in quotes)
        self.instruments.update(history.instruments)

    def history(self, state: PortfolioState) -> History:
        """The whole."""
        return History(
            base_currency=state.base_currency,
            cash_tracked=state.cash_tracked,
            timelines={
                key: Timeline(sorted(states), [states[day] for day in sorted(states)])
                for key, states in self.states.items()
            },
            moves=self.moves,
            quotes={name: [quotes[day] for day in sorted(quotes)] for name, quotes in self.quotes.items()},
            instruments=self.instruments,
            rates=market.rates,
        )


_WIDTH = len(FIGURES) + 1


def read_ends(state: PortfolioState, start: datetime.date, end: datetime.date) -> History:
    """The portfolio at the end of `start` and of `end`, with the moves of (start, end].

    The caller has one database snapshot, and has refreshed the market's memory in it.
    """
    ends = _Ends()
    _read_holdings(state.portfolio_id, {start, end}, ends)
    _read_moves(state.portfolio_id, start, end, ends)
    wholly = [Span(state.portfolio_id, day, day) for day in sorted(ends.carried)]
    for history in read_histories(wholly, states={state.portfolio_id: state}):
        ends.add(history)
    return ends.history(state)


def _read_holdings(portfolio_id: str, days: Collection[datetime.date], ends: _Ends) -> None:
    """Every holding at the end of the days, with its instrument, the quote it is valued at and the state it is quoted
    in.
    """
    of_holding = f"""
        SELECT d.position_date, {_FIGURES} FROM position_days AS d
        WHERE d.portfolio_id = p.portfolio_id AND d.kind = p.kind AND d.security_id = p.security_id AND d.position_date
    """  # noqa: S608 - the columns are the table's own
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT p.kind, p.security_id, asked.day, i.security_id, i.currency, i.price_factor, i.exchange,
                   q.*, h.*, r.*
            FROM unnest(%(days)s::date[]) AS asked (day)
            JOIN positions AS p ON p.portfolio_id = %(portfolio_id)s
            CROSS JOIN LATERAL ({of_holding} <= asked.day ORDER BY d.position_date DESC LIMIT 1) AS h
            LEFT JOIN instruments AS i ON p.kind = 'SECURITY' AND i.security_id = p.security_id
            LEFT JOIN LATERAL ({_QUOTE.format(security_id="p.security_id", day="asked.day")}) AS q
                ON p.kind = 'SECURITY' AND h.quantity <> 0
            LEFT JOIN LATERAL ({of_holding} <= q.price_date AND q.price_date < h.position_date
                ORDER BY d.position_date DESC LIMIT 1) AS r ON true
            """,  # noqa: S608 - texts of this module's own
            {"days": list(days), "portfolio_id": portfolio_id},
        )
        for kind, security_id, day, told, currency, price_factor, exchange, *row in cursor.fetchall():
            if told is not None:
                ends.instruments[security_id] = InstrumentTerms(currency, price_factor, exchange)
            ends.add_quoted(HoldingKey(Kind(kind), security_id), day, row)


def _read_moves(portfolio_id: str, start: datetime.date, end: datetime.date, ends: _Ends) -> None:
    """The moves after `start`, each with the state and the quote it is valued at, and the state of the quote's day."""
    columns = [f"m.{'move_date' if name == 'date' else name}" for name in _MOVE]
    of_valued = f"""
        SELECT d.position_date, {_FIGURES} FROM position_days AS d
        WHERE d.portfolio_id = m.portfolio_id AND d.kind = 'SECURITY'
            AND d.security_id = coalesce(m.target_id, m.source_id) AND d.position_date <=
    """  # noqa: S608 - the columns are the table's own
    quote = _QUOTE.format(security_id="coalesce(m.target_id, m.source_id)", day="m.move_date")
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT {", ".join(columns)}, q.*, h.*, r.*
            FROM moves AS m
            CROSS JOIN LATERAL ({of_valued} m.move_date ORDER BY d.position_date DESC LIMIT 1) AS h
            LEFT JOIN LATERAL ({quote}) AS q ON true
            LEFT JOIN LATERAL ({of_valued} q.price_date ORDER BY d.position_date DESC LIMIT 1) AS r ON true
            WHERE m.portfolio_id = %s AND m.move_date > %s AND m.move_date <= %s
            ORDER BY m.move_date, m.transaction_id
            """,  # noqa: S608 - as above
            [portfolio_id, start, end],
        )
        for row in cursor.fetchall():
            move = Move(*row[: len(_MOVE)])
            ends.moves.append(move)
            ends.add_quoted(HoldingKey(Kind.SECURITY, move.valued_id), move.date, row[len(_MOVE) :])
