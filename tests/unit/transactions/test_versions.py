"""What a version changed."""

from __future__ import annotations

from decimal import Decimal

from tests.factories import TransactionFactory
from transactions.versions import Difference, differences


def test_the_first_version_changed_nothing():
    assert differences(None, TransactionFactory.build()) == []


def test_a_correction_names_what_it_changed_with_both_contents():
    first = TransactionFactory.build(quantity=Decimal(10), security_id="AAPL")
    second = TransactionFactory.build(quantity=Decimal(12), security_id="AAPL", version=2)
    assert differences(first, second) == [Difference("quantity", Decimal(10), Decimal(12))]


def test_who_recorded_it_and_when_is_no_change():
    first = TransactionFactory.build(submitted_by="anna", submitted={"quantity": "10"})
    second = TransactionFactory.build(submitted_by="ben", submitted={"quantity": "10.0"}, version=2, change_seq=9)
    assert differences(first, second) == []


def test_a_decimal_spelled_otherwise_is_no_change():
    first = TransactionFactory.build(price=Decimal(150))
    assert differences(first, TransactionFactory.build(price=Decimal("150.000"))) == []
