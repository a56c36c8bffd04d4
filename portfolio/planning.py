"""How PostgreSQL is to find the rows that a worker's statements name."""

from __future__ import annotations

from django.db import connection

# Up to PostgreSQL 17 a plan that cannot do without what is off counts as so dear that it would be compiled first.
_OFF = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin", "jit")


def look_up_by_key() -> None:
    """Until the database transaction ends, let PostgreSQL look rows up by their keys instead of reading whole tables.

    A statement of a worker names the few thousand rows it is after. While a table is young, or has grown since its
    statistics were taken, reading all of it looks cheaper than it is: every batch would cost more than the one before.
    """
    with connection.cursor() as cursor:
        cursor.execute("; ".join(f"SET LOCAL {name} = off" for name in _OFF))
