"""Writing the ledger: `record_transactions` keeps a batch of records, each exactly once, in one database transaction.

The mark of every portfolio in the batch is locked first, in sorted order: that orders the writers, so that change_seq
is gap-free and recorded_at only rises. Known ids are looked up before the COPY, since a duplicate met by COPY itself
would cost the whole batch.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from django.contrib.auth.models import User
from django.db import connection

from portfolio.marks import Mark, lock_marks, owners_of, raise_marks
from portfolio.planning import look_up_by_key
from portfolio.streaming.handling import Handled, Letter, Publication, Received
from portfolio.streaming.messages import RawTransaction, RecordedTransaction, SubmittedTransaction, TransactionsRecorded
from transactions.ledger import LedgerRow, VersionKey, content_hash, normalised
from transactions.storage import KeptRow, copy_rows, standing_contents, standing_hashes


class _New(msgspec.Struct, frozen=True, gc=False):
    """A record that may be new to the ledger."""

    received: Received
    submitted: SubmittedTransaction
    row: LedgerRow
    hash: bytes
    submitted_by: str


def record_transactions(received: Sequence[Received], *, now: datetime.datetime | None = None) -> Handled:
    """Keep every record that is new; announce every portfolio of the batch, also where nothing was new.

    What comes back to be set aside: a record of somebody who may not write to its portfolio (`NOT_OWNER`), and one
    whose id and version stand in the ledger with other content (`CONFLICT`), with the content that stands. Equal
    content is a duplicate and has no effect. Runs in the caller's database transaction. The rows are dated by the
    database's clock, read under the marks' locks; a moment given as `now` stands in for it.
    """
    assert connection.in_atomic_block, "the marks' locks must last until the rows are committed"
    look_up_by_key()
    batch = [_new(one) for one in received]
    first_submitters: dict[str, str] = {}
    for new in batch:
        first_submitters.setdefault(new.row.portfolio_id, new.submitted_by)
    marks = lock_marks(first_submitters, now=now)
    strangers, allowed = _apart(batch, _forbidden(batch, marks))
    conflicts, fresh = _compare(allowed)
    marks |= raise_marks({new.row.portfolio_id: marks[new.row.portfolio_id] for new in fresh}, now=now)
    copy_rows(
        [KeptRow(new.row, new.submitted, new.submitted_by, new.hash, marks[new.row.portfolio_id]) for new in fresh]
    )
    return Handled(
        publications=_announcements(batch, fresh, marks),
        letters=[_not_owner(new) for new in strangers] + _conflict_letters(conflicts),
    )


def _new(received: Received) -> _New:
    message = received.message
    assert isinstance(message, RawTransaction)
    row = normalised(message.transaction)
    return _New(received, message.transaction, row, content_hash(row), message.submitted_by or "")


# --- who may write ------------------------------------------------------------------------------------------------


def _forbidden(batch: Sequence[_New], marks: Mapping[str, Mark]) -> set[tuple[str, str]]:
    """The (user, portfolio) pairs in which the user may not write to the portfolio. A system's records have no user."""
    owners = {portfolio_id: mark.owner for portfolio_id, mark in marks.items()}
    owners |= owners_of({new.row.linked_portfolio_id or "" for new in batch} - set(owners))
    foreign = {
        (new.submitted_by, portfolio_id)
        for new in batch
        for portfolio_id in _written_to(new)
        if new.submitted_by and owners.get(portfolio_id, new.submitted_by) != new.submitted_by
    }
    if not foreign:
        return foreign
    users = User.objects.filter(username__in={user for user, _ in foreign}, is_active=True)
    trusted = {user.get_username() for user in users if user.has_perm("portfolio.write_any_portfolio")}
    return {(user, portfolio_id) for user, portfolio_id in foreign if user not in trusted}


def _written_to(new: _New) -> Iterable[str]:
    """The portfolio of the record, and the one it is linked to: whoever submits a leg must be allowed both."""
    return filter(None, (new.row.portfolio_id, new.row.linked_portfolio_id))


def _apart(batch: Sequence[_New], forbidden: set[tuple[str, str]]) -> tuple[list[_New], list[_New]]:
    """The records that are forbidden, and the rest."""
    if not forbidden:
        return [], list(batch)
    strangers: list[_New] = []
    allowed: list[_New] = []
    for new in batch:
        stranger = any((new.submitted_by, portfolio_id) in forbidden for portfolio_id in _written_to(new))
        (strangers if stranger else allowed).append(new)
    return strangers, allowed


def _not_owner(new: _New) -> Letter:
    reason = f"{new.submitted_by} submitted this to {' and '.join(_written_to(new))}, which belongs to somebody else"
    return Letter(new.received.record, "NOT_OWNER", reason, portfolio_id=new.row.portfolio_id)


# --- what is new --------------------------------------------------------------------------------------------------


def _compare(batch: Sequence[_New]) -> tuple[list[_New], list[_New]]:
    """The records in conflict with what stands, and those that are new; duplicates are neither."""
    standing = standing_hashes([new.row.version_key for new in batch])
    conflicts: list[_New] = []
    fresh: dict[VersionKey, _New] = {}
    for new in batch:
        hash_standing = standing.setdefault(new.row.version_key, new.hash)
        if hash_standing != new.hash:
            conflicts.append(new)
        elif hash_standing is new.hash:  # the very one just put in: nothing stood there before
            fresh[new.row.version_key] = new
    return conflicts, list(fresh.values())


def _conflict_letters(conflicts: Sequence[_New]) -> list[Letter]:
    if not conflicts:
        return []
    contents = standing_contents([new.row.version_key for new in conflicts])
    return [
        Letter(
            new.received.record,
            "CONFLICT",
            f"version {new.row.version} of {new.row.transaction_id} stands in the ledger with other content",
            context={"standing": contents[new.row.version_key]},
            portfolio_id=new.row.portfolio_id,
        )
        for new in conflicts
    ]


def _announcements(batch: Sequence[_New], fresh: Sequence[_New], marks: Mapping[str, Mark]) -> list[Publication]:
    """One message a portfolio, with what is new of it; the cause is its last record in the batch."""
    recorded: dict[str, list[RecordedTransaction]] = {}
    for new in fresh:
        row = new.row
        recorded.setdefault(row.portfolio_id, []).append(
            RecordedTransaction(transaction_id=row.transaction_id, version=row.version)
        )
    causes = {new.row.portfolio_id: new.received.record for new in batch}
    return [
        Publication(
            TransactionsRecorded(
                portfolio_id=portfolio_id,
                change_seq=marks[portfolio_id].change_seq,
                recorded_at=marks[portfolio_id].recorded_at,
                transactions=tuple(recorded.get(portfolio_id, ())),
            ),
            cause,
        )
        for portfolio_id, cause in causes.items()
    ]
