"""Finding transactions in the admin by a word."""

from __future__ import annotations

import pytest

from tests.factories import InstrumentFactory, PortfolioChangeFactory, TransactionFactory
from transactions import search
from transactions.models import Transaction

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def ledger():
    PortfolioChangeFactory(portfolio_id="FUND-1")
    PortfolioChangeFactory(portfolio_id="FUND-2")
    TransactionFactory(portfolio_id="FUND-1", transaction_id="T-100", security_id="AAPL")
    TransactionFactory(portfolio_id="FUND-1", transaction_id="T-200", security_id="FUND-2")
    TransactionFactory(portfolio_id="FUND-2", transaction_id="T-101", security_id="MSFT")


def found(word, rows=None):
    rows = Transaction.objects.all() if rows is None else rows
    return sorted(search.matching(rows=rows, word=word).values_list("transaction_id", flat=True))


@pytest.mark.parametrize(
    ("word", "transactions"),
    [
        ("FUND-1", ["T-100", "T-200"]),
        ("FUND", ["T-100", "T-101", "T-200"]),
        ("T-100", ["T-100"]),
        ("T-10", ["T-100", "T-101"]),
        ("MSFT", ["T-101"]),
        ("NOTHING", []),
        ("fund-1", []),
        ("T%", []),
        ("FUND-1\x00", []),
    ],
)
def test_a_word_is_a_portfolio_a_transaction_or_a_security(word, transactions):
    assert found(word) == transactions


def test_a_word_that_is_both_a_portfolio_and_an_instrument_finds_both():
    InstrumentFactory(security_id="FUND-2")
    assert found("FUND-2") == ["T-101", "T-200"]


def test_a_second_word_narrows_further():
    first = search.matching(rows=Transaction.objects.all(), word="FUND-1")
    assert found("T-1", first) == ["T-100"]


def test_many_hits_are_found_without_listing_their_keys(monkeypatch):
    monkeypatch.setattr(search, "IDS_LISTED_MAX", 1)
    assert found("T-10") == ["T-100", "T-101"]
