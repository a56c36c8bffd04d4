"""How a dispatch ends: closed by a success that reaches what it asked for, or failed. The caller holds the rows.

Values may have been made of all that was asked for, only upon positions that have not followed the market's last news
yet: they are made again when these have. Such a dispatch is closed, since nothing more comes of it, and stays owed.
Where those positions have failed it is not, and is repeated like one that nobody answered: when they will follow,
nobody knows.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings
from django.db import connection

from orchestrator.models import NO_DATE
from orchestrator.requests import Task, due, due_parameters

ERROR_CHARACTERS_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Reached:
    """How far dones say a calculation is: the change_seq, the market_seq, and of valuations the day, and the market_seq
    that positions have to follow first.
    """

    seq: int = 0
    market_seq: int = 0
    day: datetime.date = NO_DATE
    awaits_market_seq: int = 0

    def and_also(self, other: Reached) -> Reached:
        """Each as far as either says."""
        return Reached(
            max(self.seq, other.seq),
            max(self.market_seq, other.market_seq),
            max(self.day, other.day),
            max(self.awaits_market_seq, other.awaits_market_seq),
        )


def close_succeeded(succeeded: Mapping[Task, Reached], *, now: datetime.datetime) -> None:
    """Raise what is done of each calculation to what its dones have reached; close what that answers."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE calculations AS c SET
                done_seq = d.done_seq,
                done_market_seq = d.done_market_seq,
                done_date = d.done_date,
                done_at = %(now)s,
                state = CASE WHEN d.closes THEN 'IDLE' ELSE c.state END,
                attempts = CASE WHEN d.closes THEN 0 ELSE c.attempts END,
                failures = CASE WHEN d.closes THEN 0 ELSE c.failures END,
                error = CASE WHEN d.closes THEN '' ELSE c.error END,
                not_before = CASE WHEN d.closes THEN NULL ELSE c.not_before END,
                requested_at = CASE
                    WHEN d.closes AND (
                        c.requested_seq > d.done_seq
                        OR c.requested_market_seq > d.done_market_seq
                        OR c.requested_date > d.done_date
                    ) THEN c.dispatched_at  -- what is still owed was requested after that
                    ELSE c.requested_at
                END
            FROM (
                SELECT *,
                    dispatched_seq <= done_seq
                        AND (dispatched_market_seq <= done_market_seq OR is_to_follow)
                        AND dispatched_date <= done_date AS closes
                FROM (
                    SELECT c.id, c.dispatched_seq, c.dispatched_market_seq, c.dispatched_date,
                        c.state = 'DISPATCHED' AND told.awaits_market_seq >= c.dispatched_market_seq AND EXISTS (
                            SELECT 1 FROM calculations AS p
                            WHERE told.awaits_market_seq > 0 AND p.portfolio_id = c.portfolio_id
                                AND p.kind = 'POSITIONS' AND (p.state <> 'FAILED' OR {due("p")})
                        ) AS is_to_follow,
                        greatest(c.done_seq, told.seq) AS done_seq,
                        greatest(c.done_market_seq, told.market_seq) AS done_market_seq,
                        greatest(c.done_date, told.day) AS done_date
                    FROM unnest(
                        %(portfolio_ids)s::text[], %(kinds)s::text[],
                        %(seqs)s::bigint[], %(market_seqs)s::bigint[], %(days)s::date[], %(awaits)s::bigint[]
                    ) AS told (portfolio_id, kind, seq, market_seq, day, awaits_market_seq)
                    JOIN calculations AS c ON c.portfolio_id = told.portfolio_id AND c.kind = told.kind
                    WHERE told.seq > c.done_seq OR told.market_seq > c.done_market_seq OR told.day > c.done_date
                        OR told.awaits_market_seq > c.done_market_seq
                ) AS raised
            ) AS d
            WHERE c.id = d.id
            """,  # noqa: S608 - only this app's own constants are written in
            {
                "portfolio_ids": [task.portfolio_id for task in succeeded],
                "kinds": [task.kind.value for task in succeeded],
                "seqs": [reached.seq for reached in succeeded.values()],
                "market_seqs": [reached.market_seq for reached in succeeded.values()],
                "days": [reached.day for reached in succeeded.values()],
                "awaits": [reached.awaits_market_seq for reached in succeeded.values()],
                **due_parameters(now),
            },
        )


def note_failed(failed: Mapping[Task, str], *, now: datetime.datetime) -> None:
    """Mark the dispatches outstanding of these calculations as failed, each with its error, and say when to try again.

    It counts against a calculation only where all that is requested of it was tried.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE calculations AS c SET
                state = 'FAILED',
                error = f.error,
                attempts = CASE WHEN f.is_tried THEN c.attempts ELSE 0 END,
                failures = CASE WHEN f.is_tried THEN c.failures + 1 ELSE 0 END,
                not_before = %(now)s
                    + interval '1 second' * least(%(pause_s)s * 2 ^ least(c.failures + 1, 20), %(pause_max_s)s)
            FROM (
                SELECT c.id, told.error,  -- what was requested since the dispatch has not been tried yet
                    c.requested_seq = c.dispatched_seq
                        AND c.requested_market_seq = c.dispatched_market_seq
                        AND c.requested_date = c.dispatched_date AS is_tried
                FROM unnest(%(portfolio_ids)s::text[], %(kinds)s::text[], %(errors)s::text[])
                    AS told (portfolio_id, kind, error)
                JOIN calculations AS c ON c.portfolio_id = told.portfolio_id AND c.kind = told.kind
                WHERE c.state = 'DISPATCHED'
            ) AS f
            WHERE c.id = f.id
            """,
            {
                "portfolio_ids": [task.portfolio_id for task in failed],
                "kinds": [task.kind.value for task in failed],
                "errors": [error.replace("\0", " ")[:ERROR_CHARACTERS_MAX] for error in failed.values()],
                "pause_s": settings.RETRY_PAUSE_S,
                "pause_max_s": settings.RETRY_PAUSE_MAX_S,
                "now": now,
            },
        )
