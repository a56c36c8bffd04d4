"""A predecessor that stands still: its process is stopped, or its machine is lost, in the middle of a transaction.

The group gives its partitions to somebody else, who then waits for its uncommitted rows. No timeout of the database
server ends that in every case (a COPY waits for its client without any), so the successor does: it waits for a lock no
longer than LOCK_TIMEOUT_S and then ends the sessions of its own name that have written something and have been waiting
for their client for as long. What they had begun comes again, as after any lost connection.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.backends.signals import connection_created


def limit_waiting(*, group: str) -> None:
    """Let every connection that this process opens from now on carry the group's name, and wait for a lock no longer
    than LOCK_TIMEOUT_S.
    """
    connection_created.disconnect(dispatch_uid="limit_waiting")
    connection_created.connect(partial(_limit, group), weak=False, dispatch_uid="limit_waiting")


def end_standing_still() -> int:
    """End the sessions of this process's name that stand still in a transaction; how many there were.

    Raises OperationalError where the database is away.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
            WHERE application_name = current_setting('application_name') AND datname = current_database()
                AND pid <> pg_backend_pid() AND backend_xid IS NOT NULL AND wait_event_type = 'Client'
                AND state_change < clock_timestamp() - %s * interval '1 second'
            """,
            [settings.LOCK_TIMEOUT_S],
        )
        return int(cursor.fetchone()[0])


def _limit(group: str, connection: Any, **_: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT set_config('lock_timeout', %s, false),
                   set_config('application_name', current_setting('application_name') || '-' || %s, false)
            """,
            [f"{settings.LOCK_TIMEOUT_S * 1000:.0f}ms", group],
        )
