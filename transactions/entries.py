"""The ledger as the calculators read it: many portfolios in one statement, only the columns that are booked."""

from __future__ import annotations

import datetime
import json
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connection


class LedgerEntry(NamedTuple):
    """One version of a transaction, with the fields that booking needs: unsigned, money in `currency`."""

    portfolio_id: str
    transaction_id: str
    version: int
    status: str
    transaction_type: str
    security_id: str | None
    transaction_date: datetime.date
    transaction_time: datetime.time | None
    quantity: Decimal | None
    price: Decimal | None
    gross_transaction_amount: Decimal | None
    currency: str
    trade_fee: Decimal
    tax: Decimal
    transaction_fx_rate: Decimal | None
    ratio_new: Decimal | None
    ratio_old: Decimal | None
    lots: list[tuple[str, str]] | None
    target_security_id: str | None
    cost_fraction: Decimal | None
    target_currency: str | None
    target_amount: Decimal | None
    linked_portfolio_id: str | None
    linked_transaction_id: str | None
    acquisition_date: datetime.date | None


FIELDS = ", ".join(f"t.{name}" for name in LedgerEntry._fields)
"""The columns of the ledger, as `t`, that `entry_of` reads."""


_LOTS = LedgerEntry._fields.index("lots")


def entry_of(fields: Sequence[Any]) -> LedgerEntry:
    """The entry of a row of FIELDS."""
    # The driver leaves JSON as text; hardly an entry has any.
    lots = fields[_LOTS]
    return LedgerEntry._make(fields if lots is None else (*fields[:_LOTS], json.loads(lots), *fields[_LOTS + 1 :]))


class Change(NamedTuple):
    """A recorded version, and how many versions of its transaction there are in all."""

    entry: LedgerEntry
    versions: int


def changes_since(*, change_seqs: Mapping[str, int]) -> dict[str, list[Change]]:
    """What each portfolio's ledger has gained after the change_seq given for it."""
    changes: dict[str, list[Change]] = {portfolio_id: [] for portfolio_id in change_seqs}
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT {FIELDS}, (SELECT count(*) FROM transactions AS v
                               WHERE v.portfolio_id = t.portfolio_id AND v.transaction_id = t.transaction_id)
            FROM unnest(%s::text[], %s::int8[]) AS asked(portfolio_id, change_seq)
            JOIN transactions AS t ON t.portfolio_id = asked.portfolio_id AND t.change_seq > asked.change_seq
            """,  # noqa: S608 - the columns are this module's own
            [list(change_seqs), list(change_seqs.values())],
        )
        for *fields, versions in cursor.fetchall():
            changes[fields[0]].append(Change(entry_of(fields), versions))
    return changes


def whole_ledgers(*, portfolio_ids: Sequence[str]) -> dict[str, list[LedgerEntry]]:
    """Every version of every transaction of the portfolios."""
    ledgers: dict[str, list[LedgerEntry]] = {portfolio_id: [] for portfolio_id in portfolio_ids}
    if not portfolio_ids:
        return ledgers
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {FIELDS} FROM transactions AS t WHERE t.portfolio_id = ANY(%s)",  # noqa: S608 - as above
            [list(portfolio_ids)],
        )
        for fields in cursor.fetchall():
            ledgers[fields[0]].append(entry_of(fields))
    return ledgers


def effective(versions: Sequence[LedgerEntry]) -> list[LedgerEntry]:
    """What counts of the versions of one portfolio: the highest of each id, unless it is cancelled."""
    highest: dict[str, LedgerEntry] = {}
    for entry in versions:
        standing = highest.get(entry.transaction_id)
        if standing is None or entry.version > standing.version:
            highest[entry.transaction_id] = entry
    return [entry for entry in highest.values() if entry.status != "CANCELLED"]


# --- what counted then --------------------------------------------------------------------------------------------


_COUNTED = """
    t.status = 'BOOKED' AND t.transaction_date <= %(until)s
    AND (%(known_at)s::timestamptz IS NULL OR t.recorded_at <= %(known_at)s::timestamptz)
    AND NOT EXISTS (
        SELECT FROM transactions AS higher
        WHERE higher.portfolio_id = t.portfolio_id AND higher.transaction_id = t.transaction_id
          AND higher.version > t.version
          AND (%(known_at)s::timestamptz IS NULL OR higher.recorded_at <= %(known_at)s::timestamptz)
    )
"""


def counting(
    *,
    portfolio_ids: Collection[str],
    until: datetime.date,
    known_at: datetime.datetime | None = None,
    transaction_ids: Collection[str] | None = None,
) -> dict[str, list[LedgerEntry]]:
    """What counts of each portfolio's ledger (or counted at a moment), traded up to a day: of every id the highest
    version that was recorded, unless it is cancelled. Of all ids, or of those named.
    """
    named = "" if transaction_ids is None else "AND t.transaction_id = ANY(%(transaction_ids)s)"
    ledgers: dict[str, list[LedgerEntry]] = {portfolio_id: [] for portfolio_id in portfolio_ids}
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {FIELDS} FROM transactions AS t WHERE t.portfolio_id = ANY(%(ids)s) {named} AND {_COUNTED}",  # noqa: S608 - as above
            {
                "ids": list(portfolio_ids),
                "transaction_ids": list(transaction_ids or ()),
                "until": until,
                "known_at": known_at,
            },
        )
        for fields in cursor.fetchall():
            ledgers[fields[0]].append(entry_of(fields))
    return ledgers


def counting_links(
    *,
    outs: Collection[tuple[str, str]],
    until: datetime.date,
    known_at: datetime.datetime | None = None,
) -> list[LedgerEntry]:
    """The TRANSFER_INs of all portfolios that count (or counted at a moment) and name one of these transactions, each
    known by its portfolio and id.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT {FIELDS}
            FROM unnest(%(portfolios)s::text[], %(ids)s::text[]) AS named(portfolio_id, transaction_id)
            JOIN transactions AS t ON t.linked_portfolio_id = named.portfolio_id
                                  AND t.linked_transaction_id = named.transaction_id
            WHERE t.linked_transaction_id IS NOT NULL AND t.transaction_type = 'TRANSFER_IN' AND {_COUNTED}
            """,  # noqa: S608 - as above
            {
                "portfolios": [portfolio_id for portfolio_id, _ in outs],
                "ids": [transaction_id for _, transaction_id in outs],
                "until": until,
                "known_at": known_at,
            },
        )
        return [entry_of(fields) for fields in cursor.fetchall()]
