"""The ledger keeps every record exactly once: duplicates, conflicts, versions, owners and the order of writers."""

from __future__ import annotations

import datetime
import itertools
import threading
from decimal import Decimal

import msgspec
import pytest
from django.db import connection
from django.db import transaction as db_transaction

from portfolio.models import PortfolioChange
from portfolio.streaming.messages import RawTransaction
from tests import pipeline
from tests.factories import UserFactory
from tests.pipeline import NOW, transaction
from transactions.models import Transaction
from transactions.operations import record_transactions
from transactions.queries import effective

D = Decimal
TICK = datetime.timedelta(microseconds=1)
pytestmark = pytest.mark.django_db


def buy(transaction_id="T1", **fields):
    fields = {"security_id": "AAPL", "quantity": D(10), "price": D(150), **fields}
    return transaction("BUY", transaction_id=transaction_id, **fields)


def ledger():
    rows = Transaction.objects.order_by("portfolio_id", "transaction_id", "version")
    return [(row.portfolio_id, row.transaction_id, row.version) for row in rows]


def announced(handled):
    return {
        p.message.portfolio_id: (p.message.change_seq, [(t.transaction_id, t.version) for t in p.message.transactions])
        for p in handled.publications
    }


def letters(handled):
    return [(letter.code, letter.portfolio_id) for letter in handled.letters]


# --- what is kept -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "number",
    [
        "999999999999999999.999999999999999999",
        "0.000000000000000001",
        "150000000.00",
        "100000000000000000",
        "10",
        "1e2",
    ],
)
def test_a_number_is_kept_exactly(number):
    pipeline.record(buy(quantity=D(number), price=D(number), trade_fee=D(number), transaction_fx_rate=D(number)))

    row = Transaction.objects.get()
    assert {row.quantity, row.price, row.trade_fee, row.transaction_fx_rate} == {D(number)}


def test_what_was_submitted_is_kept_beside_what_it_means():
    pipeline.record(
        transaction(
            "BUY",
            transaction_id="T1",
            instrument_id="AAPL",
            quantity=D("10.50"),
            price=D(2),
            currency=None,
            trade_currency="EUR",
            transaction_date="2025-01-15T23:30:00-05:00",
        ),
        submitted_by="alice",
    )

    row = Transaction.objects.get()
    assert (row.security_id, row.currency, row.submitted_by) == ("AAPL", "EUR", "alice")
    assert (row.transaction_date, row.transaction_time) == (datetime.date(2025, 1, 15), datetime.time(23, 30))
    assert row.submitted["instrument_id"] == "AAPL"
    assert row.submitted["quantity"] == "10.50"
    # The mark was made at NOW and raised from there.
    assert row.recorded_at == NOW + TICK


def test_a_type_that_is_not_booked_yet_is_kept_all_the_same():
    handled = pipeline.record(
        transaction("RETURN_OF_CAPITAL", transaction_id="R1", security_id="AAPL", gross_transaction_amount=D(5))
    )

    assert (ledger(), letters(handled)) == ([("P1", "R1", 1)], [])


def test_a_batch_is_announced_once_a_portfolio_with_what_is_new():
    handled = pipeline.record(buy("T1"), buy("T2"), buy("T3", portfolio_id="P2"))

    assert announced(handled) == {"P1": (1, [("T1", 1), ("T2", 1)]), "P2": (1, [("T3", 1)])}
    assert set(Transaction.objects.values_list("portfolio_id", "change_seq")) == {("P1", 1), ("P2", 1)}


def test_a_large_batch_is_a_handful_of_statements(django_assert_max_num_queries):
    batch = [buy(f"T{n}", portfolio_id=f"P{n % 50}") for n in range(3000)]
    with django_assert_max_num_queries(10):
        pipeline.record(*batch)

    assert Transaction.objects.count() == 3000


# --- duplicates and conflicts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "again",
    [
        {},
        {"quantity": D("10.000"), "price": D("1.5e2")},
        {"security_id": None, "instrument_id": "AAPL"},
        {"currency": None, "trade_currency": "USD"},
        {"instrument_id": "AAPL", "trade_currency": "USD"},
        {"version": 1, "status": "BOOKED", "trade_fee": D("0.00"), "tax": D(0), "lots": ()},
    ],
)
@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "later"])
def test_the_same_content_again_has_no_effect_however_it_is_spelled(again, together):
    if together:
        handled = pipeline.record(buy(), buy(**again))
        assert announced(handled) == {"P1": (1, [("T1", 1)])}
    else:
        pipeline.record(buy())
        handled = pipeline.record(buy(**again))
        assert announced(handled) == {"P1": (1, [])}

    assert letters(handled) == []
    assert ledger() == [("P1", "T1", 1)]
    assert PortfolioChange.objects.get().change_seq == 1


@pytest.mark.parametrize(
    "other",
    [
        {"quantity": D(11)},
        {"note": "other"},
        {"status": "CANCELLED"},
        {"transaction_date": "2025-01-15T00:00:00Z"},
        {"quantity": D("10.000000000000000001")},
    ],
)
@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "later"])
def test_other_content_under_a_known_version_is_set_aside_with_both_contents(other, together):
    if together:
        handled = pipeline.record(buy(), buy(**other), buy("T2"))
    else:
        pipeline.record(buy())
        handled = pipeline.record(buy(**other), buy("T2"))

    assert letters(handled) == [("CONFLICT", "P1")]
    (letter,) = handled.letters
    assert letter.context
    assert letter.record.value
    assert letter.context["standing"]["quantity"] == "10"
    assert "note" not in letter.context["standing"]
    arrived = msgspec.json.decode(letter.record.value)["transaction"]
    assert arrived == msgspec.to_builtins(buy(**other), str_keys=True) | {
        name: str(value)
        for name, value in msgspec.structs.asdict(buy(**other)).items()
        if isinstance(value, D) and value
    }
    # The first stands, and the neighbour is kept.
    assert ledger() == [("P1", "T1", 1), ("P1", "T2", 1)]
    assert (Transaction.objects.get(transaction_id="T1").quantity, letter.portfolio_id) == (10, "P1")


def test_one_time_in_two_offsets_is_two_contents():
    pipeline.record(buy(transaction_date="2025-01-15T10:00:00Z"))
    handled = pipeline.record(buy(transaction_date="2025-01-15T10:00:00+02:00"))

    assert letters(handled) == [("CONFLICT", "P1")]


def test_one_id_in_two_portfolios_is_two_transactions():
    pipeline.record(buy("T1"), buy("T1", portfolio_id="P2", quantity=D(3)))

    assert ledger() == [("P1", "T1", 1), ("P2", "T1", 1)]


def test_a_conflict_alone_raises_nothing():
    pipeline.record(buy())
    pipeline.record(buy(quantity=D(11)))

    assert PortfolioChange.objects.get().change_seq == 1


# --- versions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(itertools.permutations([1, 2, 3])))
def test_versions_may_come_in_any_order_and_the_highest_counts(order):
    for version in order:
        pipeline.record(buy(version=version, quantity=D(version)))

    assert ledger() == [("P1", "T1", 1), ("P1", "T1", 2), ("P1", "T1", 3)]
    assert [(row.version, row.quantity) for row in effective()] == [(3, 3)]
    assert sorted(Transaction.objects.values_list("change_seq", flat=True)) == [1, 2, 3]


def test_a_version_may_repeat_the_content_of_another():
    pipeline.record(buy(), buy(version=2, status="CANCELLED"), buy(version=3))

    assert len(ledger()) == 3


# --- owners -------------------------------------------------------------------------------------------------------


def test_a_portfolio_belongs_to_whoever_was_first():
    handled = pipeline.record(buy("T1"), submitted_by="alice")
    assert letters(handled) == []

    handled = pipeline.record(buy("T2"), submitted_by="bob")

    assert letters(handled) == [("NOT_OWNER", "P1")]
    assert "bob" in handled.letters[0].reason
    assert ledger() == [("P1", "T1", 1)]
    assert PortfolioChange.objects.get().owner == "alice"
    assert letters(pipeline.record(buy("T3"), submitted_by="alice")) == []


def test_within_one_batch_the_first_record_decides():
    batch = [
        pipeline.received(RawTransaction(transaction=buy(f"T{n}"), submitted_by=name))
        for n, name in enumerate(["bob", "alice", "bob"])
    ]
    with db_transaction.atomic():
        handled = record_transactions(batch, now=NOW)

    assert letters(handled) == [("NOT_OWNER", "P1")]
    assert ledger() == [("P1", "T0", 1), ("P1", "T2", 1)]


def test_a_user_may_be_allowed_to_write_to_every_portfolio():
    UserFactory(username="operator", permissions=["portfolio.write_any_portfolio"])
    UserFactory(username="reader", permissions=["portfolio.view_any_portfolio"])
    UserFactory(username="gone", permissions=["portfolio.write_any_portfolio"], is_active=False)
    UserFactory(username="root", is_superuser=True)
    pipeline.record(buy("T1"), submitted_by="alice")

    verdicts = {
        name: letters(pipeline.record(buy(f"by-{name}"), submitted_by=name))
        for name in ("operator", "root", "reader", "gone", "unheard-of")
    }

    refused = [("NOT_OWNER", "P1")]
    assert verdicts == {"operator": [], "root": [], "reader": refused, "gone": refused, "unheard-of": refused}


def test_a_system_may_write_to_every_portfolio_and_owns_what_it_wrote_first():
    pipeline.record(buy("T1"), submitted_by="alice")
    assert letters(pipeline.record(buy("T2"))) == []

    pipeline.record(buy("T1", portfolio_id="SYSTEM"))
    assert letters(pipeline.record(buy("T2", portfolio_id="SYSTEM"), submitted_by="alice")) == [("NOT_OWNER", "SYSTEM")]


def leg(transaction_id, **fields):
    fields = {"portfolio_id": "MINE", "security_id": "AAPL", "quantity": D(1), **fields}
    return transaction("TRANSFER_IN", transaction_id=transaction_id, linked_transaction_id="OUT1", **fields)


def test_a_leg_linked_to_somebody_elses_portfolio_is_set_aside():
    UserFactory(username="operator", permissions=["portfolio.write_any_portfolio"])
    pipeline.record(buy("T1", portfolio_id="THEIRS"), submitted_by="alice")
    pipeline.record(buy("T1", portfolio_id="MINE"), submitted_by="bob")

    assert letters(pipeline.record(leg("IN1", linked_portfolio_id="THEIRS"), submitted_by="bob")) == [
        ("NOT_OWNER", "MINE")
    ]
    assert letters(pipeline.record(leg("IN2"), submitted_by="bob")) == []
    assert letters(pipeline.record(leg("IN3", linked_portfolio_id="NOBODYS"), submitted_by="bob")) == []
    assert letters(pipeline.record(leg("IN4", linked_portfolio_id="THEIRS"), submitted_by="operator")) == []
    assert letters(pipeline.record(leg("IN5", linked_portfolio_id="THEIRS"))) == []


def test_a_stranger_to_one_portfolio_spoils_nothing_of_another():
    pipeline.record(buy("T1", portfolio_id="THEIRS"), submitted_by="alice")

    handled = pipeline.record(buy("T2", portfolio_id="THEIRS"), buy("T2", portfolio_id="MINE"), submitted_by="bob")

    assert letters(handled) == [("NOT_OWNER", "THEIRS")]
    assert ledger() == [("MINE", "T2", 1), ("THEIRS", "T1", 1)]
    assert announced(handled) == {"THEIRS": (1, []), "MINE": (1, [("T2", 1)])}


# --- the order of writers -----------------------------------------------------------------------------------------


def test_recorded_at_rises_whatever_the_clock_says():
    for hours in (0, -5, -5, 3):
        pipeline.record(buy(f"T{next(_numbers)}"), now=NOW + datetime.timedelta(hours=hours))

    moments = list(Transaction.objects.order_by("change_seq").values_list("recorded_at", flat=True))
    assert moments == [NOW + TICK, NOW + 2 * TICK, NOW + 3 * TICK, NOW + datetime.timedelta(hours=3)]


_numbers = itertools.count()


def test_what_is_rolled_back_leaves_no_gap():
    pipeline.record(buy("T1"))
    with db_transaction.atomic():
        pipeline.record(buy("T2"))
        db_transaction.set_rollback(True)
    pipeline.record(buy("T3"))

    assert sorted(Transaction.objects.values_list("transaction_id", "change_seq")) == [("T1", 1), ("T3", 2)]


@pytest.mark.django_db(transaction=True)
def test_two_writers_at_once_leave_no_gap_and_no_doubt_about_the_order():
    batches_of_each, failures = 25, []
    begin = threading.Barrier(2)

    def write(name, portfolios):
        try:
            begin.wait(timeout=10)
            for number in range(batches_of_each):
                batch = [buy(f"{name}{number}", portfolio_id=p) for p in portfolios]
                # Both send the same record now and then, and their clocks disagree.
                batch.append(buy(f"both{number}", portfolio_id="P2"))
                clock = NOW + datetime.timedelta(seconds=number if name == "a" else -number)
                pipeline.record(*batch, now=clock)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test's own thread tells it
            failures.append(error)
        finally:
            connection.close()

    # The one begins with P1, the other with P3: without an order among locks they would wait in a circle.
    writers = [
        threading.Thread(target=write, args=("a", ["P1", "P2", "P3"])),
        threading.Thread(target=write, args=("b", ["P3", "P2", "P1"])),
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(timeout=60)

    assert failures == []
    assert Transaction.objects.filter(transaction_id__startswith="both").count() == batches_of_each
    for portfolio_id in ("P1", "P2", "P3"):
        marks = sorted(
            set(Transaction.objects.filter(portfolio_id=portfolio_id).values_list("change_seq", "recorded_at"))
        )
        assert [seq for seq, _ in marks] == list(range(1, 2 * batches_of_each + 1))
        moments = [moment for _, moment in marks]
        assert moments == sorted(set(moments))
        assert PortfolioChange.objects.get(portfolio_id=portfolio_id).change_seq == 2 * batches_of_each


@pytest.mark.django_db(transaction=True)
def test_a_second_writer_waits_for_the_first_and_sees_what_it_wrote():
    """The same new record in two transactions at once is kept once: the mark's lock lets the second see the first."""
    pipeline.record(buy("T0"))
    answers = []

    def write():
        try:
            answers.append(pipeline.record(buy("T1"), buy("T2", quantity=D(9))))
        finally:
            connection.close()

    other = threading.Thread(target=write)
    with db_transaction.atomic():
        pipeline.record(buy("T1"), buy("T2"))
        other.start()
        other.join(timeout=0.5)
        assert other.is_alive()
    other.join(timeout=30)

    assert letters(answers[0]) == [("CONFLICT", "P1")]
    assert ledger() == [("P1", "T0", 1), ("P1", "T1", 1), ("P1", "T2", 1)]
