"""A calculation in one database transaction that sees one snapshot, begun again where another one was in its way."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import psycopg
from django.db import OperationalError, connection
from django.db import transaction as db_transaction

from portfolio.planning import look_up_by_key
from portfolio.streaming.verdicts import is_contention

T = TypeVar("T")

SERIALIZATION_ATTEMPTS_MAX = 5


def in_one_snapshot(calculate: Callable[[], T]) -> T:
    """What `calculate` gives, under REPEATABLE READ; raises what it raises, contention only after some attempts."""
    for attempt in range(1, SERIALIZATION_ATTEMPTS_MAX + 1):
        try:
            with db_transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                look_up_by_key()
                return calculate()
        except (OperationalError, psycopg.OperationalError) as error:
            if not is_contention(error) or attempt == SERIALIZATION_ATTEMPTS_MAX:
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")
