"""Reads of the ledger: which version of each transaction counts, now or as it was known at a moment.

Every version stays in the table. Which one counts is not stored, because storing it would mean changing rows that are
append-only: a version counts where no higher one of the same id stands beside it. That is an anti-join on the unique
key (portfolio_id, transaction_id, version): one probe of the index for each row that is read, however long the table.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.db import transaction as db_transaction
from django.db.models import Exists, OuterRef, QuerySet

from transactions.models import Transaction


def effective(
    *,
    rows: QuerySet[Transaction] | None = None,
    known_at: datetime.datetime | None = None,
    cancelled: bool = False,
) -> QuerySet[Transaction]:
    """The versions that count among `rows` (else in the whole ledger): of each id the highest.

    With `known_at` (a moment in UTC) those that counted then: of each id the highest that was recorded by that moment.
    A version that `rows` leaves out still outranks the lower ones, so a filter means the same before and after.
    A transaction whose highest version is a cancellation is left out, or given with `cancelled`.
    """
    versions = every_version(known_at=known_at)
    higher = versions.filter(
        portfolio_id=OuterRef("portfolio_id"),
        transaction_id=OuterRef("transaction_id"),
        version__gt=OuterRef("version"),
    )
    counting = every_version(rows=rows, known_at=known_at).filter(~Exists(higher))
    return counting if cancelled else counting.filter(status=Transaction.Status.BOOKED)


def every_version(
    *, rows: QuerySet[Transaction] | None = None, known_at: datetime.datetime | None = None
) -> QuerySet[Transaction]:
    """Every version among `rows` (else in the whole ledger), or those recorded by a moment (in UTC, it included)."""
    versions = Transaction.objects.all() if rows is None else rows
    return versions if known_at is None else versions.filter(recorded_at__lte=known_at)


def versions_of(*, portfolio_id: str, transaction_id: str) -> QuerySet[Transaction]:
    """Every version of one transaction, the lowest first: the last one counts."""
    return Transaction.objects.filter(portfolio_id=portfolio_id, transaction_id=transaction_id).order_by("version")


def first_recorded_after(*, portfolio_id: str, change_seq: int) -> datetime.datetime | None:
    """When the first version was recorded that the portfolio's ledger has gained after a change_seq; None if none."""
    rows = Transaction.objects.filter(portfolio_id=portfolio_id, change_seq__gt=change_seq).order_by("change_seq")
    return rows.values_list("recorded_at", flat=True).first()


@contextmanager
def few_rows() -> Iterator[None]:
    """Within, the database is told that a page is read and not a table.

    For a page in the order of portfolios PostgreSQL believes a merge of two whole indexes to be cheaper than a probe
    a row, and walks over everything before the page.
    """
    with db_transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_mergejoin = off")
        yield
