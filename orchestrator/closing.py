"""How a dispatch ends: closed by a success that reaches what it asked for, or failed. The caller holds the rows."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

from django.conf import settings
from django.db import connection

from orchestrator.models import Calculation

ERROR_CHARACTERS_MAX = 2_000


def close_succeeded(succeeded: Mapping[str, tuple[int, int]], *, now: datetime.datetime) -> None:
    """Raise what is done of each portfolio to the change_seq and market_seq given; close what that reaches."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE calculations AS c SET
                done_seq = d.done_seq,
                done_market_seq = d.done_market_seq,
                done_at = %(now)s,
                state = CASE WHEN d.closes THEN 'IDLE' ELSE c.state END,
                attempts = CASE WHEN d.closes THEN 0 ELSE c.attempts END,
                failures = CASE WHEN d.closes THEN 0 ELSE c.failures END,
                error = CASE WHEN d.closes THEN '' ELSE c.error END,
                not_before = CASE WHEN d.closes THEN NULL ELSE c.not_before END,
                requested_at = CASE
                    WHEN d.closes AND (c.requested_seq > d.done_seq OR c.requested_market_seq > d.done_market_seq)
                        THEN c.dispatched_at  -- what is still owed was requested after that
                    ELSE c.requested_at
                END
            FROM (
                SELECT id, done_seq, done_market_seq,
                    dispatched_seq <= done_seq AND dispatched_market_seq <= done_market_seq AS closes
                FROM (
                    SELECT c.id, c.dispatched_seq, c.dispatched_market_seq,
                        greatest(c.done_seq, told.seq) AS done_seq,
                        greatest(c.done_market_seq, told.market_seq) AS done_market_seq
                    FROM calculations AS c
                    JOIN unnest(%(portfolio_ids)s::text[], %(seqs)s::bigint[], %(market_seqs)s::bigint[])
                        AS told (portfolio_id, seq, market_seq) ON told.portfolio_id = c.portfolio_id
                    WHERE c.kind = %(kind)s AND (told.seq > c.done_seq OR told.market_seq > c.done_market_seq)
                ) AS raised
            ) AS d
            WHERE c.id = d.id
            """,
            {
                "portfolio_ids": list(succeeded),
                "seqs": [seq for seq, _ in succeeded.values()],
                "market_seqs": [market_seq for _, market_seq in succeeded.values()],
                "kind": Calculation.Kind.POSITIONS,
                "now": now,
            },
        )


def note_failed(failed: Mapping[str, str], *, now: datetime.datetime) -> None:
    """Mark the dispatches outstanding of these portfolios as failed, each with its error, and say when to try again.

    It counts against a portfolio only where all that is requested of it was tried.
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
                    c.requested_seq = c.dispatched_seq AND c.requested_market_seq = c.dispatched_market_seq AS is_tried
                FROM calculations AS c
                JOIN unnest(%(portfolio_ids)s::text[], %(errors)s::text[]) AS told (portfolio_id, error)
                    ON told.portfolio_id = c.portfolio_id
                WHERE c.kind = %(kind)s AND c.state = 'DISPATCHED'
            ) AS f
            WHERE c.id = f.id
            """,
            {
                "portfolio_ids": list(failed),
                "errors": [error.replace("\0", " ")[:ERROR_CHARACTERS_MAX] for error in failed.values()],
                "kind": Calculation.Kind.POSITIONS,
                "pause_s": settings.RETRY_PAUSE_S,
                "pause_max_s": settings.RETRY_PAUSE_MAX_S,
                "now": now,
            },
        )
