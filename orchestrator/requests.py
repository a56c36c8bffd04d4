"""Holding the rows of calculations, requesting what is owed of them, and dispatching it.

The two kinds are requested differently and are dispatched alike. Positions are owed up to the portfolio's mark, and
with what the market changed under them. Valuations are owed upon every positions done: up to its counters, so that
whatever reaches the positions (a rate, an instrument's attributes) reaches the values after it; beside that prices ask
for them, and each new day.

Valuations wait for a quiet moment of their portfolio: while its positions owe anything, be it trades recorded a moment
ago or what the market has changed, or have been done but `quiet_s` ago, so that more may well follow, values would only
be made again. Positions that have failed are not waited for, and none longer than VALUATIONS_WAIT_MAX_S: where trades
never cease, values are made every so often. That one waits is noted nowhere: it is owed, and whoever looks finds out
again (`orchestrator.quiet` looks when the moment is over, the sweep whenever it comes by).

Rows are locked in the order of (portfolio_id, kind), the missing ones made first.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping
from typing import NamedTuple

from django.conf import settings
from django.db import connection

from orchestrator.models import Calculation
from portfolio.dates import day_of
from portfolio.streaming.messages import PositionCalculation, ValuationCalculation

TIMEOUT_DOUBLINGS_MAX = 5
POSITIONS, VALUATIONS = Calculation.Kind.POSITIONS, Calculation.Kind.VALUATIONS

Dispatch = PositionCalculation | ValuationCalculation


class Task(NamedTuple):
    """The calculations of one kind for one portfolio: what a row is known by."""

    portfolio_id: str
    kind: Calculation.Kind


def take(*, tasks: Collection[Task], if_there: Collection[Task] = (), skip_locked: bool = False) -> list[Task]:
    """Hold the rows of these calculations until the transaction ends, adding those of `tasks` that are missing.

    Gives those held: not those of portfolios without a mark (they do not exist) nor, if asked, those that others hold.
    """
    if not tasks and not if_there:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO calculations (portfolio_id, kind)
            SELECT asked.portfolio_id, asked.kind
            FROM unnest(%(portfolio_ids)s::text[], %(kinds)s::text[]) AS asked (portfolio_id, kind)
            JOIN portfolio_changes AS m ON m.portfolio_id = asked.portfolio_id
            WHERE NOT EXISTS (
                SELECT 1 FROM calculations AS c WHERE c.portfolio_id = asked.portfolio_id AND c.kind = asked.kind
            )
            ORDER BY m.portfolio_id, asked.kind ON CONFLICT DO NOTHING
            """,
            _columns(tasks),
        )
        cursor.execute(
            f"""
            SELECT c.portfolio_id, c.kind
            FROM unnest(%(portfolio_ids)s::text[], %(kinds)s::text[]) AS asked (portfolio_id, kind)
            JOIN calculations AS c ON c.portfolio_id = asked.portfolio_id AND c.kind = asked.kind
            ORDER BY c.portfolio_id, c.kind FOR NO KEY UPDATE OF c {"SKIP LOCKED" if skip_locked else ""}
            """,  # noqa: S608 - only this app's own constants are written in
            _columns({*tasks, *if_there}),
        )
        return [Task(portfolio_id, Calculation.Kind(kind)) for portfolio_id, kind in cursor.fetchall()]


def of_kind(tasks: Collection[Task], kind: Calculation.Kind) -> list[str]:
    """The portfolios among the tasks of one kind."""
    return [task.portfolio_id for task in tasks if task.kind is kind]


def request_positions(*, wanted: Mapping[str, int], now: datetime.datetime) -> None:
    """Raise what is requested of these portfolios to their marks, and to the market_seq given for each (0: none).

    Where that requests something new, earlier failures no longer count, and what has failed is tried anew.
    """
    if not wanted:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE calculations AS c SET
                requested_seq = greatest(c.requested_seq, m.change_seq),
                requested_market_seq = greatest(c.requested_market_seq, w.market_seq),
                {_REQUESTED}
            FROM unnest(%(portfolio_ids)s::text[], %(market_seqs)s::bigint[]) AS w (portfolio_id, market_seq)
            JOIN portfolio_changes AS m ON m.portfolio_id = w.portfolio_id
            WHERE c.portfolio_id = w.portfolio_id AND c.kind = 'POSITIONS'
                AND (m.change_seq > c.requested_seq OR w.market_seq > c.requested_market_seq)
            """,  # noqa: S608 - only this app's own constants are written in
            {"portfolio_ids": list(wanted), "market_seqs": list(wanted.values()), "now": now},
        )


def request_valuations(*, wanted: Mapping[str, int], a_new_day: Collection[str] = (), now: datetime.datetime) -> None:
    """Raise what is requested of the valuations of these portfolios to what their positions have done, and to the
    market_seq given for each (0: none); in the portfolios of `a_new_day`, also where only the day is new.
    """
    if not wanted:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE calculations AS c SET
                requested_seq = greatest(c.requested_seq, p.done_seq),
                requested_market_seq = greatest(c.requested_market_seq, p.done_market_seq, w.market_seq),
                requested_date = greatest(c.requested_date, %(today)s),
                {_REQUESTED}
            FROM unnest(%(portfolio_ids)s::text[], %(market_seqs)s::bigint[]) AS w (portfolio_id, market_seq)
            JOIN calculations AS p ON p.portfolio_id = w.portfolio_id AND p.kind = 'POSITIONS'
            WHERE c.portfolio_id = w.portfolio_id AND c.kind = 'VALUATIONS' AND (
                p.done_seq > c.requested_seq
                OR p.done_market_seq > c.requested_market_seq
                OR w.market_seq > c.requested_market_seq
                OR (c.requested_date < %(today)s AND c.portfolio_id = ANY(%(a_new_day)s::text[]))
            )
            """,  # noqa: S608 - as above
            {
                "portfolio_ids": list(wanted),
                "market_seqs": list(wanted.values()),
                "a_new_day": list(a_new_day),
                "today": day_of(now),
                "now": now,
            },
        )


def dispatch(*, tasks: Collection[Task], quiet_s: float, now: datetime.datetime) -> list[Dispatch]:
    """Send on its way what is owed of these calculations and not on its way yet: the messages to publish.

    Valuations that wait for their positions, until these have stood still for `quiet_s`, stay.
    """
    if not tasks:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE calculations AS c SET
                state = 'DISPATCHED', dispatched_at = %(now)s, attempts = c.attempts + 1, not_before = NULL,
                dispatched_seq = c.requested_seq,
                dispatched_market_seq = c.requested_market_seq,
                dispatched_date = c.requested_date
            FROM unnest(%(portfolio_ids)s::text[], %(kinds)s::text[]) AS held (portfolio_id, kind)
            WHERE c.portfolio_id = held.portfolio_id AND c.kind = held.kind AND {due("c")}
                AND NOT (c.kind = 'VALUATIONS' AND EXISTS (
                    SELECT 1 FROM calculations AS p JOIN portfolio_changes AS m ON m.portfolio_id = p.portfolio_id
                    WHERE p.portfolio_id = c.portfolio_id AND p.kind = 'POSITIONS' AND {waits("c", "p", "m")}
                ))
            RETURNING c.kind, c.portfolio_id, c.requested_seq, c.requested_market_seq, c.requested_date, c.interests_seq
            """,  # noqa: S608 - as above
            {**_columns(tasks), **due_parameters(now), **waits_parameters(quiet_s)},
        )
        return [_message(row) for row in sorted(cursor.fetchall())]


def owed(row: str) -> str:
    """SQL: whether something requested of a row (its alias) is not done. `Calculation.pending` says the same."""
    return (
        f"({row}.requested_seq > {row}.done_seq OR {row}.requested_market_seq > {row}.done_market_seq"
        f" OR {row}.requested_date > {row}.done_date)"
    )


def due(row: str) -> str:
    """SQL: whether a row (its alias) is to be dispatched now; asked with `due_parameters`."""
    return f"""(
        {owed(row)} AND CASE {row}.state
            WHEN 'IDLE' THEN true
            WHEN 'FAILED' THEN {row}.failures < %(failures_max)s AND {row}.not_before <= %(now)s
            ELSE {row}.dispatched_at <= %(now)s - %(timeout_s)s * interval '1 second'
                * 2 ^ least(greatest({row}.attempts - 1, 0), %(doublings_max)s)
        END
    )"""


def waits(values: str, positions: str, mark: str) -> str:
    """SQL: whether valuations (a row's alias) wait for their positions (theirs) to have done what their portfolio's
    mark (its alias) and the market ask for, and to stand still; asked with `due_parameters` and `waits_parameters`.

    Patience begins with what is owed, and anew with each done: where values are slow they do not take all there is.
    Never NULL, so that it may be negated: where one of the rows is missing, nothing waits.
    """
    return f"""((
        {positions}.state <> 'FAILED' AND (
            {mark}.change_seq > {positions}.done_seq OR {owed(positions)}
            OR {positions}.done_at > %(now)s - %(quiet_s)s * interval '1 second'
        )
        AND greatest({values}.requested_at, {values}.done_at) > %(now)s - %(wait_max_s)s * interval '1 second'
    ) IS TRUE)"""


def due_parameters(now: datetime.datetime) -> dict[str, datetime.datetime | float]:
    """What `due` is asked with."""
    return {
        "now": now,
        "timeout_s": settings.DISPATCH_TIMEOUT_S,
        "doublings_max": TIMEOUT_DOUBLINGS_MAX,
        "failures_max": settings.CALCULATION_ATTEMPTS_MAX,
    }


def waits_parameters(quiet_s: float) -> dict[str, float]:
    """What `waits` is asked with, beside `due_parameters`."""
    return {"quiet_s": quiet_s, "wait_max_s": settings.VALUATIONS_WAIT_MAX_S}


_REQUESTED = f"""
    requested_at = CASE WHEN {owed("c")} THEN c.requested_at ELSE %(now)s END,
    attempts = CASE c.state WHEN 'FAILED' THEN 0 ELSE c.attempts END,
    failures = 0,
    not_before = CASE c.state WHEN 'FAILED' THEN %(now)s END
"""
"""What a request changes beside the counters."""


def _columns(tasks: Collection[Task]) -> dict[str, list[str]]:
    return {
        "portfolio_ids": [task.portfolio_id for task in tasks],
        "kinds": [task.kind.value for task in tasks],
    }


def _message(row: tuple[str, str, int, int, datetime.date, int]) -> Dispatch:
    kind, portfolio_id, seq, market_seq, day, interests_seq = row
    if kind == VALUATIONS:
        return ValuationCalculation(
            portfolio_id=portfolio_id, requested_seq=seq, requested_market_seq=market_seq, requested_date=day
        )
    return PositionCalculation(
        portfolio_id=portfolio_id, requested_seq=seq, requested_market_seq=market_seq, interests_seq=interests_seq
    )
