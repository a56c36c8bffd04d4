"""What was known at a moment stays what was known at it: writers in flight, clocks, and moments that are moved."""

from __future__ import annotations

import datetime
import threading
from contextlib import contextmanager
from decimal import Decimal

import pytest
from django.db import connection
from django.db import transaction as db_transaction
from rest_framework.test import APIClient

from portfolio.knowledge import settled_moment
from portfolio.market_data import record_market_data
from portfolio.models import Price
from portfolio.streaming.messages import RawPrice, RawTransaction, SubmittedPrice
from tests import pipeline
from tests.factories import UserFactory
from tests.pipeline import day, transaction
from transactions.models import Transaction
from transactions.operations import record_transactions

pytestmark = pytest.mark.django_db(transaction=True)

D = Decimal
TICK = datetime.timedelta(microseconds=1)


def clock():
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]


def ledger_of(portfolio_id):
    def write():
        bought = transaction("BUY", portfolio_id=portfolio_id, security_id="AAPL", quantity=D(1), price=D(10))
        record_transactions([pipeline.received(RawTransaction(transaction=bought))])

    return write


def prices():
    quote = SubmittedPrice(security_id="AAPL", price_date=day("2025-01-15"), price=D(10), currency="USD")
    record_market_data([pipeline.received(RawPrice(market_price=quote))])


@contextmanager
def in_flight(write):
    """A writer in a session of its own, that has written and not committed while the block runs."""
    written, may_commit, failures = threading.Event(), threading.Event(), []

    def run():
        try:
            with db_transaction.atomic():
                write()
                written.set()
                assert may_commit.wait(timeout=30)
        except Exception as error:  # noqa: BLE001 - the test's own thread tells it
            failures.append(error)
        finally:
            written.set()
            connection.close()

    writer = threading.Thread(target=run)
    writer.start()
    assert written.wait(timeout=30)
    try:
        yield
    finally:
        may_commit.set()
        writer.join(timeout=30)
    assert failures == []


def write_now(write):
    with db_transaction.atomic():
        write()


def write_and_leave(write):
    write_now(write)
    connection.close()


@pytest.mark.parametrize("write", [ledger_of("P1"), prices], ids=["the ledger", "market data"])
def test_a_moment_with_a_writer_in_flight_is_moved_before_what_it_writes(write):
    before = clock()
    with in_flight(write):
        asked = clock()
        settled = settled_moment(asked)
        assert before <= settled < asked

    (recorded_at,) = (Price if write is prices else Transaction).objects.values_list("recorded_at", flat=True)
    assert settled < recorded_at < asked
    # It has committed: the moment stands now.
    assert settled_moment(asked) == asked


def test_of_several_writers_in_flight_the_oldest_counts():
    with in_flight(prices):
        between = clock()
        with in_flight(ledger_of("P1")):
            assert settled_moment() < between


def test_a_moment_gone_by_is_left_where_it_is():
    asked = clock()
    with in_flight(ledger_of("P1")):
        assert settled_moment(asked) == asked


def test_a_moment_to_come_is_moved_to_now():
    before = clock()
    settled = settled_moment(before + datetime.timedelta(days=365))

    assert before - TICK <= settled <= clock()


def test_a_writer_that_waited_is_dated_when_its_turn_came():
    """Two write to one portfolio: the second takes its moment after the first has committed, not when it began."""
    second = threading.Thread(target=write_and_leave, args=[ledger_of("P1")])
    with in_flight(ledger_of("P1")):
        second.start()
        wait_until_somebody_waits_for_a_lock()
        while_waiting = clock()
    second.join(timeout=30)

    first_at, second_at = Transaction.objects.order_by("change_seq").values_list("recorded_at", flat=True)
    assert first_at < while_waiting < second_at


def wait_until_somebody_waits_for_a_lock():
    deadline = clock() + datetime.timedelta(seconds=20)
    while clock() < deadline:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return
    raise AssertionError("nobody waits")


def test_writers_of_different_portfolios_do_not_wait_for_one_another():
    with in_flight(ledger_of("P1")):
        write_now(ledger_of("P2"))

        assert list(Transaction.objects.values_list("portfolio_id", flat=True)) == ["P2"]


def test_what_was_read_as_known_at_a_moment_is_read_again_however_writers_come_and_go():
    """Writers of many portfolios without a pause, and a reader that keeps each moment it was answered with."""
    stop, failures = threading.Event(), []

    def write(name):
        try:
            while not stop.is_set():
                write_now(ledger_of(f"{name}{Transaction.objects.count() % 3}"))
        except Exception as error:  # noqa: BLE001 - the test's own thread tells it
            failures.append(error)
        finally:
            connection.close()

    writers = [threading.Thread(target=write, args=(name,)) for name in ("A", "A", "B")]
    for writer in writers:
        writer.start()
    seen = []
    deadline = clock() + datetime.timedelta(seconds=3)
    while clock() < deadline:
        moment = settled_moment()
        seen.append((moment, Transaction.objects.filter(recorded_at__lte=moment).count()))
    stop.set()
    for writer in writers:
        writer.join(timeout=30)

    assert failures == []
    assert seen[-1][1] > 20
    assert seen == [(m, Transaction.objects.filter(recorded_at__lte=m).count()) for m, _ in seen]


# --- over REST ----------------------------------------------------------------------------------------------------


@pytest.fixture
def client():
    caller = APIClient()
    caller.force_authenticate(UserFactory.create(permissions=["portfolio.view_any_portfolio"]))
    return caller


def test_a_list_says_which_moment_it_was_read_at(client):
    write_now(ledger_of("P1"))
    path = "/api/v1/portfolios/P1/transactions/"
    with in_flight(ledger_of("P1")):
        asked = clock()
        first = client.get(path, {"known_at": asked.isoformat()}).json()
        assert len(first["results"]) == 1

    used = datetime.datetime.fromisoformat(first["known_at"])
    assert used < asked
    assert len(client.get(path, {"known_at": first["known_at"]}).json()["results"]) == 1
    assert len(client.get(path, {"known_at": asked.isoformat()}).json()["results"]) == 2
    assert "known_at" not in client.get(path).json()


def test_further_pages_are_of_the_moment_of_the_first(client):
    for _ in range(2):
        write_now(ledger_of("P1"))
    to_come = clock() + datetime.timedelta(hours=1)
    first = client.get("/api/v1/portfolios/P1/transactions/", {"known_at": to_come.isoformat(), "page_size": 1}).json()
    write_now(ledger_of("P1"))

    second = client.get(first["next"]).json()

    assert (len(second["results"]), second["next"], second["known_at"]) == (1, None, first["known_at"])


def test_prices_as_known_at_a_moment_follow_the_same_rule(client):
    with in_flight(prices):
        asked = clock()
        answer = client.get("/api/v1/market-prices/", {"known_at": asked.isoformat()}).json()

    assert (answer["results"], answer["known_at"] < asked.isoformat()) == ([], True)
