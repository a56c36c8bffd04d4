"""The marks: locking and raising `PortfolioChange`, the row that says how far a portfolio's ledger has grown.

Whoever changes what a portfolio is calculated from raises its mark in the same database transaction. Marks are locked
in the order of their ids, those that are made meanwhile last; where two writers wait for one another all the same, the
database ends one and its worker tries again.

What is recorded is dated by the database's clock, read while the marks are locked: so moments rise with `change_seq`,
and a moment gone by is settled (see `portfolio.knowledge`). A moment given as `now` stands in for that clock: a test's.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from django.db import connection

from portfolio.knowledge import moment_under_lock, say_since_when_recording

_TICK = datetime.timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a portfolio's ledger has grown, and whose it is ("" where a system wrote first)."""

    owner: str
    change_seq: int
    recorded_at: datetime.datetime


def lock_marks(first_submitters: Mapping[str, str], *, now: datetime.datetime | None = None) -> dict[str, Mark]:
    """Lock the mark of each portfolio until the end of the database transaction.

    A missing one is made: the portfolio then belongs to the submitter given for it.
    """
    say_since_when_recording()
    marks = _select(sorted(first_submitters))
    missing = sorted(set(first_submitters) - set(marks))
    if missing:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO portfolio_changes (portfolio_id, owner, change_seq, rebuild_seq, recorded_at)
                SELECT portfolio_id, owner, 0, 0, coalesce(%s, clock_timestamp())
                FROM unnest(%s::text[], %s::text[]) AS made(portfolio_id, owner)
                ON CONFLICT DO NOTHING
                """,
                [now, missing, [first_submitters[portfolio_id] for portfolio_id in missing]],
            )
        marks |= _select(missing)
    return marks


def raise_marks(
    marks: Mapping[str, Mark], *, now: datetime.datetime | None = None, settings_changed: bool = False
) -> dict[str, Mark]:
    """Raise locked marks by one and return them as they are now; `recorded_at` is later than the last, whatever the
    clock says. With `settings_changed` everything computed before is to be booked anew.
    """
    if not marks:
        return {}
    moment = now or moment_under_lock()
    raised = {
        portfolio_id: replace(mark, change_seq=mark.change_seq + 1, recorded_at=max(moment, mark.recorded_at + _TICK))
        for portfolio_id, mark in marks.items()
    }
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE portfolio_changes AS mark
            SET change_seq = raised.change_seq,
                recorded_at = raised.recorded_at,
                rebuild_seq = CASE WHEN %s THEN raised.change_seq ELSE mark.rebuild_seq END
            FROM unnest(%s::text[], %s::int8[], %s::timestamptz[]) AS raised(portfolio_id, change_seq, recorded_at)
            WHERE mark.portfolio_id = raised.portfolio_id
            """,
            [
                settings_changed,
                list(raised),
                [mark.change_seq for mark in raised.values()],
                [mark.recorded_at for mark in raised.values()],
            ],
        )
    return raised


def owners_of(portfolio_ids: Iterable[str]) -> dict[str, str]:
    """Whose the portfolios are; those without a mark are left out."""
    asked = list(portfolio_ids)
    if not asked:
        return {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT portfolio_id, owner FROM portfolio_changes WHERE portfolio_id = ANY(%s)", [asked])
        return dict(cursor.fetchall())


def _select(portfolio_ids: list[str]) -> dict[str, Mark]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT portfolio_id, owner, change_seq, recorded_at FROM portfolio_changes
            WHERE portfolio_id = ANY(%s) ORDER BY portfolio_id FOR UPDATE
            """,
            [portfolio_ids],
        )
        return {portfolio_id: Mark(*rest) for portfolio_id, *rest in cursor.fetchall()}
