"""Which version of a transaction counts."""

from __future__ import annotations

import datetime

import pytest

from tests.factories import TransactionFactory
from transactions.models import Transaction
from transactions.queries import effective, every_version, versions_of

pytestmark = pytest.mark.django_db

MONDAY, TUESDAY, WEDNESDAY = (datetime.datetime(2025, 3, day, 9, tzinfo=datetime.UTC) for day in (3, 4, 5))


def record(transaction_id, version=1, *, at=MONDAY, **fields):
    fields = {"portfolio_id": "P1", **fields}
    return TransactionFactory(transaction_id=transaction_id, version=version, recorded_at=at, **fields)


def counting(**options):
    return sorted((t.portfolio_id, t.transaction_id, t.version) for t in effective(**options))


def test_the_only_version_counts():
    record("T1")
    assert counting() == [("P1", "T1", 1)]


def test_the_highest_version_counts_in_whatever_order_they_came():
    record("T1", 3, at=MONDAY)
    record("T1", 1, at=TUESDAY)
    record("T1", 2, at=WEDNESDAY)
    assert counting() == [("P1", "T1", 3)]


def test_a_cancelled_transaction_is_left_out_whole():
    record("T1", 1)
    record("T1", 2, status="CANCELLED")
    assert counting() == []


def test_a_cancelled_transaction_is_given_on_request_as_its_cancellation():
    record("T1", 1)
    record("T1", 2, status="CANCELLED")
    assert counting(cancelled=True) == [("P1", "T1", 2)]


def test_what_was_cancelled_can_be_booked_again():
    record("T1", 1)
    record("T1", 2, status="CANCELLED")
    record("T1", 3)
    assert counting() == [("P1", "T1", 3)]


def test_the_same_id_in_another_portfolio_is_another_transaction():
    record("T1", 2, portfolio_id="P1")
    record("T1", 1, portfolio_id="P2")
    assert counting() == [("P1", "T1", 2), ("P2", "T1", 1)]


def test_a_version_that_the_rows_leave_out_still_outranks_the_lower_ones():
    record("T1", 1, security_id="AAPL")
    record("T1", 2, security_id="MSFT")
    assert counting(rows=Transaction.objects.filter(security_id="AAPL")) == []


def test_before_it_was_corrected_the_old_version_counted():
    record("T1", 1, at=MONDAY)
    record("T1", 2, at=WEDNESDAY)
    assert counting(known_at=TUESDAY) == [("P1", "T1", 1)]
    assert counting(known_at=WEDNESDAY) == [("P1", "T1", 2)]


def test_before_it_was_cancelled_it_counted():
    record("T1", 1, at=MONDAY)
    record("T1", 2, at=WEDNESDAY, status="CANCELLED")
    assert counting(known_at=TUESDAY) == [("P1", "T1", 1)]
    assert counting(known_at=WEDNESDAY) == []


def test_before_it_was_recorded_nothing_was_known():
    record("T1", at=TUESDAY)
    assert counting(known_at=MONDAY) == []


def test_a_low_version_that_came_late_never_counted():
    record("T1", 2, at=MONDAY)
    record("T1", 1, at=WEDNESDAY)
    assert counting(known_at=TUESDAY) == counting(known_at=WEDNESDAY) == [("P1", "T1", 2)]


def test_every_version_up_to_a_moment():
    record("T1", 1, at=MONDAY)
    record("T1", 2, at=TUESDAY, status="CANCELLED")
    record("T1", 3, at=WEDNESDAY)
    assert sorted(t.version for t in every_version(known_at=TUESDAY)) == [1, 2]


def test_the_versions_of_one_transaction_come_the_lowest_first():
    record("T1", 2)
    record("T1", 1)
    record("T2", 1)
    record("T1", 3, portfolio_id="P2")
    assert [t.version for t in versions_of(portfolio_id="P1", transaction_id="T1")] == [1, 2]
