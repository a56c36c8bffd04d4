"""Errors sorted by what happens next: try the same again, set the bad record aside, or stop (anything else).

COPY and other calls straight to psycopg raise its own errors, which Django does not translate; both kinds are here.
"""

from __future__ import annotations

import psycopg
from django import db

from portfolio.streaming.broker import BrokerUnavailable
from portfolio.streaming.handling import BadRecord

SET_ASIDE: tuple[type[Exception], ...] = (
    BadRecord,
    db.DataError,
    db.IntegrityError,
    psycopg.DataError,
    psycopg.IntegrityError,
)
"""Some record of the batch cannot be taken, and never will be."""

_PASSING: tuple[type[Exception], ...] = (
    BrokerUnavailable,
    db.OperationalError,
    db.InterfaceError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
)
# After a failover the old connection may lead to a server that only reads.
_PASSING_CAUSES = (psycopg.errors.ReadOnlySqlTransaction, psycopg.errors.IdleInTransactionSessionTimeout)
_CONTENTION = (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)


def passes(error: Exception) -> bool:
    """Whether the same may succeed later: the database or the broker is away, or another transaction was in the way."""
    return isinstance(error, _PASSING) or isinstance(_cause(error), _PASSING_CAUSES)


def is_contention(error: Exception) -> bool:
    """Whether another transaction was in the way, so that trying again at once is likely to succeed."""
    return isinstance(_cause(error), _CONTENTION)


def waited_too_long(error: Exception) -> bool:
    """Whether another session held a lock for longer than LOCK_TIMEOUT_S."""
    return isinstance(_cause(error), psycopg.errors.LockNotAvailable)


def code_of(error: Exception) -> str:
    """The code under which a record is set aside."""
    return error.code if isinstance(error, BadRecord) else "NOT_STORABLE"


def _cause(error: Exception) -> BaseException | None:
    return error if isinstance(error, psycopg.Error) else error.__cause__
