"""The ledger's table in bulk: set-based reads and the COPY, the hot path of the persistence consumer.

The ORM serves everybody else; here a statement serves thousands of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import msgspec
from django.db import connection
from psycopg import Connection
from psycopg.types.json import Jsonb

from portfolio.marks import Mark
from portfolio.streaming.messages import SubmittedTransaction
from transactions.ledger import LedgerRow, VersionKey

_PLAIN_COLUMNS = {
    "portfolio_id": "text",
    "transaction_id": "text",
    "version": "int4",
    "status": "text",
    "transaction_type": "text",
    "security_id": "text",
    "transaction_date": "date",
    "transaction_time": "time",
    "settlement_date": "date",
    "quantity": "numeric",
    "price": "numeric",
    "gross_transaction_amount": "numeric",
    "currency": "text",
    "trade_fee": "numeric",
    "tax": "numeric",
    "transaction_fx_rate": "numeric",
    "ratio_new": "numeric",
    "ratio_old": "numeric",
    "target_security_id": "text",
    "cost_fraction": "numeric",
    "target_currency": "text",
    "target_amount": "numeric",
    "linked_portfolio_id": "text",
    "linked_transaction_id": "text",
    "acquisition_date": "date",
    "source_system": "text",
    "note": "text",
}
_COLUMNS = _PLAIN_COLUMNS | {
    "lots": "jsonb",
    "submitted": "jsonb",
    "submitted_by": "text",
    "content_hash": "bytea",
    "change_seq": "int8",
    "recorded_at": "timestamptz",
}
_COPY = f"COPY transactions ({', '.join(_COLUMNS)}) FROM STDIN (FORMAT BINARY)"
_plain_values = attrgetter(*_PLAIN_COLUMNS)
_encode = msgspec.json.Encoder(decimal_format="string").encode
_decode = msgspec.json.decode

_VERSIONS = "unnest(%s::text[], %s::text[], %s::int4[]) AS asked(portfolio_id, transaction_id, version)"


class KeptRow(msgspec.Struct, frozen=True, gc=False):
    """A row on its way into the table, with the mark it is recorded under."""

    row: LedgerRow
    submitted: SubmittedTransaction
    submitted_by: str
    content_hash: bytes
    mark: Mark


def copy_rows(kept: Sequence[KeptRow]) -> None:
    """COPY the rows into the ledger; none of them may stand there already."""
    if not kept:
        return
    connection.ensure_connection()
    database: Connection[Any] = connection.connection
    with database.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.set_types(list(_COLUMNS.values()))
        for one in kept:
            lots = Jsonb(one.row.lots, dumps=_encode) if one.row.lots else None
            submitted = Jsonb(one.submitted, dumps=_encode)
            mark = one.mark
            copy.write_row(
                (
                    *_plain_values(one.row),
                    lots,
                    submitted,
                    one.submitted_by,
                    one.content_hash,
                    mark.change_seq,
                    mark.recorded_at,
                )
            )


def standing_hashes(versions: Sequence[VersionKey]) -> dict[VersionKey, bytes]:
    """The content hashes of those of the versions that stand in the ledger."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT portfolio_id, transaction_id, version, content_hash
            FROM {_VERSIONS} JOIN transactions USING (portfolio_id, transaction_id, version)
            """,  # noqa: S608 - no value of anybody's stands in the text
            _columns(versions),
        )
        return {(p, i, v): bytes(content_hash) for p, i, v, content_hash in cursor.fetchall()}


def standing_contents(versions: Sequence[VersionKey]) -> dict[VersionKey, Any]:
    """What was submitted as those versions, where they stand in the ledger."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT portfolio_id, transaction_id, version, submitted::text
            FROM {_VERSIONS} JOIN transactions USING (portfolio_id, transaction_id, version)
            """,  # noqa: S608 - as above
            _columns(versions),
        )
        return {(p, i, v): _decode(submitted) for p, i, v, submitted in cursor.fetchall()}


def _columns(versions: Sequence[VersionKey]) -> list[list[Any]]:
    return [[version[0] for version in versions], [version[1] for version in versions], [v[2] for v in versions]]
