"""What was known at a moment: how a moment becomes one that no writer can still add to.

A writer of the ledger or of market data takes the moment of its rows (`recorded_at`) from the database's clock, while
it holds the lock of the mark that orders the writers. Between that and its commit its rows are dated and not yet to be
seen: whoever read "as known at" such a moment would read something else a second later. So a writer first says since
when it may be recording: it holds, until its database transaction ends, an advisory lock whose number is that moment.
Writers never wait for one another by it (it is shared), readers wait for nobody: they look which of these locks are
held and move the moment asked about before the oldest. A session that dies gives its lock back by itself.

Look first, read then: a writer that was not there when a reader looked takes a later moment, or has committed and is
seen by the snapshot that the reader takes afterwards.
"""

from __future__ import annotations

import datetime

from django.db import connection

RECORDING = 0x5CA
"""What the high bits of the advisory locks say: something is being recorded. The 52 bits below count microseconds."""
_MOMENT_BITS = 52
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_TICK = datetime.timedelta(microseconds=1)


def say_since_when_recording() -> None:
    """Say, before any mark is locked, that this database transaction may record something from now on."""
    assert connection.in_atomic_block, "the lock must last until the rows are committed"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock_shared("
            "(%s::int8 << %s) | (extract(epoch FROM clock_timestamp()) * 1000000)::int8)",
            [RECORDING, _MOMENT_BITS],
        )


def moment_under_lock() -> datetime.datetime:
    """The database's clock: for who holds the lock of a mark, later than all that was recorded under it before."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (moment,) = cursor.fetchone()
    assert isinstance(moment, datetime.datetime)
    return moment


def settled_moment(asked: datetime.datetime | None = None) -> datetime.datetime:
    """The moment asked about, or now; moved before the oldest writer in flight where it is not before it already.

    Nothing will ever be recorded at or before it that a snapshot taken after this call does not see.
    """
    with connection.cursor() as cursor:
        # The statement began before it looked, so nobody who comes after the look can take an earlier moment.
        cursor.execute(
            """
            SELECT statement_timestamp(), min(((classid::int8 << 32) | objid::int8) & ((1::int8 << %(bits)s) - 1))
            FROM pg_locks
            WHERE locktype = 'advisory' AND objsubid = 1
              AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
              AND ((classid::int8 << 32) | objid::int8) >> %(bits)s = %(recording)s
            """,
            {"bits": _MOMENT_BITS, "recording": RECORDING},
        )
        now, oldest_us = cursor.fetchone()
    limit: datetime.datetime = now if oldest_us is None else min(now, _EPOCH + oldest_us * _TICK)
    settled = limit - _TICK
    return settled if asked is None else min(asked, settled)
