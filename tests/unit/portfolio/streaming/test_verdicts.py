"""Errors by what happens next."""

from __future__ import annotations

import psycopg
import pytest
from django import db

from portfolio.streaming.broker import BrokerUnavailable, OffsetOutOfRange
from portfolio.streaming.handling import BadRecord
from portfolio.streaming.verdicts import SET_ASIDE, code_of, is_contention, passes


def wrapped(outer: Exception, cause: Exception) -> Exception:
    """As Django raises it."""
    outer.__cause__ = cause
    return outer


@pytest.mark.parametrize(
    "error",
    [
        BrokerUnavailable(),
        db.OperationalError(),
        db.InterfaceError(),
        psycopg.errors.AdminShutdown(),
        psycopg.errors.SerializationFailure(),
        psycopg.errors.DeadlockDetected(),
        psycopg.errors.LockNotAvailable(),
        psycopg.InterfaceError(),
        psycopg.errors.ReadOnlySqlTransaction(),
        wrapped(db.InternalError(), psycopg.errors.ReadOnlySqlTransaction()),
    ],
)
def test_what_passes_is_tried_again(error: Exception) -> None:
    assert passes(error)
    assert not isinstance(error, SET_ASIDE)


@pytest.mark.parametrize(
    "error", [BadRecord("no"), db.DataError(), db.IntegrityError(), psycopg.errors.BadCopyFileFormat()]
)
def test_bad_data_is_set_aside(error: Exception) -> None:
    assert isinstance(error, SET_ASIDE)
    assert not passes(error)


@pytest.mark.parametrize("error", [ZeroDivisionError(), db.ProgrammingError(), OffsetOutOfRange(), db.InternalError()])
def test_everything_else_stops(error: Exception) -> None:
    assert not passes(error)
    assert not isinstance(error, SET_ASIDE)


def test_contention_is_known_in_both_kinds_of_errors() -> None:
    assert is_contention(psycopg.errors.SerializationFailure())
    assert is_contention(wrapped(db.OperationalError(), psycopg.errors.DeadlockDetected()))
    assert not is_contention(db.OperationalError())


def test_a_handlers_code_is_kept() -> None:
    assert code_of(BadRecord("no", code="DISLIKED")) == "DISLIKED"
    assert code_of(db.DataError()) == "NOT_STORABLE"
