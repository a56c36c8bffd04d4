"""Parts of ledgers, for calculations that do not book everything anew: many portfolios in one statement."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping, Sequence

from django.db import connection

from transactions.entries import FIELDS, LedgerEntry, entry_of

Stretch = tuple[datetime.date, datetime.date]
"""Days from a first to a last one, both included."""


def sizes_of(*, portfolio_ids: Collection[str]) -> dict[str, int]:
    """How many versions the ledger of each portfolio holds; one without any is left out."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT portfolio_id, count(*) FROM transactions WHERE portfolio_id = ANY(%s) GROUP BY portfolio_id",
            [list(portfolio_ids)],
        )
        return dict(cursor.fetchall())


def sizes_since(*, change_seqs: Mapping[str, int]) -> dict[str, int]:
    """How many versions each portfolio's ledger has gained after the change_seq given for it."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT t.portfolio_id, count(*)
            FROM unnest(%s::text[], %s::int8[]) AS asked(portfolio_id, change_seq)
            JOIN transactions AS t ON t.portfolio_id = asked.portfolio_id AND t.change_seq > asked.change_seq
            GROUP BY t.portfolio_id
            """,
            [list(change_seqs), list(change_seqs.values())],
        )
        return dict(cursor.fetchall())


def sizes_of_securities(*, securities: Mapping[str, Collection[str]]) -> dict[str, int]:
    """How many versions the ledger of each portfolio holds of the securities given for it."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT portfolio_id, count(*) FROM unnest(%s::text[], %s::text[]) AS asked(portfolio_id, security_id)
            JOIN transactions USING (portfolio_id, security_id) GROUP BY portfolio_id
            """,
            _pairs(securities),
        )
        return dict(cursor.fetchall())


def ledgers_of(
    *, securities: Mapping[str, Collection[str]], transaction_ids: Mapping[str, Collection[str]]
) -> dict[str, list[LedgerEntry]]:
    """Of each portfolio every version of the transactions named, and of those of which any version is of the securities
    given for it.
    """
    ledgers: dict[str, list[LedgerEntry]] = {portfolio_id: [] for portfolio_id in {**securities, **transaction_ids}}
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT {FIELDS}
            FROM (
                SELECT t.portfolio_id, t.transaction_id
                FROM unnest(%s::text[], %s::text[]) AS asked(portfolio_id, security_id)
                JOIN transactions AS t USING (portfolio_id, security_id)
                UNION
                SELECT * FROM unnest(%s::text[], %s::text[])
            ) AS named(portfolio_id, transaction_id)
            JOIN transactions AS t USING (portfolio_id, transaction_id)
            """,  # noqa: S608 - the columns are the table's own
            [*_pairs(securities), *_pairs(transaction_ids)],
        )
        for fields in cursor.fetchall():
            ledgers[fields[0]].append(entry_of(fields))
    return ledgers


def versions_until(
    *, change_seqs: Mapping[str, int], transaction_ids: Mapping[str, Collection[str]]
) -> dict[str, list[LedgerEntry]]:
    """Of each portfolio the versions of the transactions named that were recorded by the change_seq given for it: what
    rows calculated up to there know of them.
    """
    ledgers: dict[str, list[LedgerEntry]] = {portfolio_id: [] for portfolio_id in transaction_ids}
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT {FIELDS}
            FROM unnest(%s::text[], %s::text[]) AS named(portfolio_id, transaction_id)
            JOIN unnest(%s::text[], %s::int8[]) AS until(portfolio_id, change_seq) USING (portfolio_id)
            JOIN transactions AS t ON t.portfolio_id = named.portfolio_id AND t.transaction_id = named.transaction_id
                AND t.change_seq <= until.change_seq
            """,  # noqa: S608 - as above
            [*_pairs(transaction_ids), list(change_seqs), list(change_seqs.values())],
        )
        for fields in cursor.fetchall():
            ledgers[fields[0]].append(entry_of(fields))
    return ledgers


def entry_days_between(*, days: Mapping[str, Sequence[Stretch]]) -> dict[str, list[datetime.date]]:
    """The days within the stretches of each portfolio on which it has transactions in any version, each once and
    ascending; a portfolio without any is left out.
    """
    stretches = [(portfolio_id, *stretch) for portfolio_id, of_portfolio in days.items() for stretch in of_portfolio]
    found: dict[str, list[datetime.date]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT DISTINCT t.portfolio_id, t.transaction_date
            FROM unnest(%s::text[], %s::date[], %s::date[]) AS asked(portfolio_id, first_date, last_date)
            JOIN transactions AS t ON t.portfolio_id = asked.portfolio_id
                AND t.transaction_date BETWEEN asked.first_date AND asked.last_date
            ORDER BY t.portfolio_id, t.transaction_date
            """,
            [[row[index] for row in stretches] for index in range(3)],
        )
        for portfolio_id, day in cursor.fetchall():
            found.setdefault(portfolio_id, []).append(day)
    return found


def ledgers_on(*, days: Mapping[str, Sequence[datetime.date]]) -> dict[str, list[LedgerEntry]]:
    """Of each portfolio every version of the transactions that have one dated on one of the days."""
    ledgers: dict[str, list[LedgerEntry]] = {portfolio_id: [] for portfolio_id in days}
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT {FIELDS}
            FROM (
                SELECT DISTINCT t.portfolio_id, t.transaction_id
                FROM unnest(%s::text[], %s::date[]) AS asked(portfolio_id, transaction_date)
                JOIN transactions AS t USING (portfolio_id, transaction_date)
            ) AS named
            JOIN transactions AS t USING (portfolio_id, transaction_id)
            """,  # noqa: S608 - as above
            _pairs(days),
        )
        for fields in cursor.fetchall():
            ledgers[fields[0]].append(entry_of(fields))
    return ledgers


def corporate_links(*, portfolio_ids: Collection[str]) -> dict[str, list[tuple[str, str]]]:
    """The securities that a transaction of the portfolio, in any version, turns into another or parts from, with it."""
    links: dict[str, list[tuple[str, str]]] = {portfolio_id: [] for portfolio_id in portfolio_ids}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT DISTINCT portfolio_id, security_id, target_security_id FROM transactions
            WHERE portfolio_id = ANY(%s) AND target_security_id IS NOT NULL
            """,
            [list(portfolio_ids)],
        )
        for portfolio_id, source_id, target_id in cursor.fetchall():
            links[portfolio_id].append((source_id, target_id))
    return links


def last_entries(*, portfolio_ids: Collection[str]) -> dict[str, list[LedgerEntry]]:
    """What counts of the last day on which each portfolio has anything that counts."""
    found: dict[str, list[LedgerEntry]] = {portfolio_id: [] for portfolio_id in portfolio_ids}
    counts = """
        t.portfolio_id = asked.portfolio_id AND t.status = 'BOOKED' AND NOT EXISTS (
            SELECT 1 FROM transactions AS higher
            WHERE higher.portfolio_id = t.portfolio_id AND higher.transaction_id = t.transaction_id
              AND higher.version > t.version
        )
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT {FIELDS}
            FROM unnest(%s::text[]) AS asked(portfolio_id)
            CROSS JOIN LATERAL (
                SELECT transaction_date FROM transactions AS t WHERE {counts} ORDER BY transaction_date DESC LIMIT 1
            ) AS last
            JOIN transactions AS t ON t.transaction_date = last.transaction_date AND {counts}
            """,  # noqa: S608 - as above
            [list(portfolio_ids)],
        )
        for fields in cursor.fetchall():
            found[fields[0]].append(entry_of(fields))
    return found


def _pairs(names: Mapping[str, Collection[object]]) -> list[list[object]]:
    return [
        [portfolio_id for portfolio_id, of_portfolio in names.items() for _ in of_portfolio],
        [name for of_portfolio in names.values() for name in of_portfolio],
    ]
