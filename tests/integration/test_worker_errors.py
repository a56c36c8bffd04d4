"""What a worker does about each kind of error: try again, set aside, or stop. The database is real, the broker in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import pytest
from django.db import OperationalError, connection

from portfolio.models import DeadLetter, StoppedWorker
from portfolio.operations import resume_worker
from portfolio.streaming.broker import BrokerUnavailable, Outgoing, Receipt
from portfolio.streaming.messages import TransactionsRecorded
from portfolio.streaming.worker import Handled, Letter, Outcome, Received, Until
from tests.working import GROUP, NOW, Bench, fail_with, keep, kept, lose_connection

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def failing(*failures: Callable[[], object]) -> Callable[[Sequence[Received]], Handled]:
    """A handler that keeps its records and then, the first times it is called, fails."""
    left = list(failures)

    def handle(received: Sequence[Received]) -> Handled:
        handled = keep(received)
        if left:
            left.pop(0)()
        return handled

    return handle


def letters() -> list[tuple[int, str]]:
    return list(DeadLetter.objects.order_by("offset").values_list("offset", "code"))


# --- try again ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(lose_connection, id="the connection is cut"),
        pytest.param(lambda: fail_with("40001"), id="another transaction was first"),
        pytest.param(lambda: fail_with("40P01"), id="deadlock"),
        pytest.param(lambda: fail_with("55P03"), id="a lock was not given in time"),
        pytest.param(lambda: fail_with("57P03"), id="the server is starting"),
        pytest.param(lambda: fail_with("25006"), id="the server only reads now"),
    ],
)
@pytest.mark.parametrize("transactional", [True, False])
def test_what_passes_is_tried_again_with_the_same_batch(
    bench: Bench, failure: Callable[[], object], *, transactional: bool
) -> None:
    bench.submit("P1")
    bench.submit("P2")
    outcome = bench.run(failing(failure, failure), transactional=transactional)
    assert outcome == Outcome(0, "", 2)
    assert kept() == ["P1", "P2"]
    assert bench.announced() == ["P1", "P2"]
    assert bench.committed() == 2
    assert letters() == []


def test_errors_of_copy_are_sorted_as_djangos_are(bench: Bench) -> None:
    """COPY goes past Django, and so do its errors: psycopg's own."""
    bench.submit("P1")
    bench.submit("P2", "copied")
    bench.submit("P3")

    def handle(received: Sequence[Received]) -> Handled:
        if any(one.message.transaction.note for one in received):  # type: ignore[attr-defined]
            with connection.cursor() as cursor, cursor.copy("COPY portfolio_changes FROM STDIN") as rows:
                rows.write(b"not a row\n")
        return keep(received)

    assert bench.run(handle) == Outcome(0, "", 3)
    assert kept() == ["P1", "P3"]
    assert letters() == [(1, "NOT_STORABLE")]


def test_a_database_that_is_away_at_the_start_is_waited_for(bench: Bench) -> None:
    bench.submit("P1")
    connection.close()
    right = connection.settings_dict["NAME"]
    connection.settings_dict["NAME"] = "there_is_no_such_database"
    timer = threading.Timer(0.3, connection.settings_dict.__setitem__, ["NAME", right])
    timer.start()
    try:
        assert bench.run() == Outcome(0, "", 1)
    finally:
        timer.join()
    assert kept() == ["P1"]


def test_the_member_stays_in_its_group_while_it_waits(bench: Bench) -> None:
    bench.submit("P1")
    polls: list[bool] = []

    def handle(received: Sequence[Received]) -> Handled:
        if len(polls) < 1:
            consumer = bench.consumers[0]
            poll = consumer.poll

            def counted(*, records_max: int, timeout_s: float) -> object:
                polls.append(bool(found := poll(records_max=records_max, timeout_s=timeout_s)))
                return found

            consumer.poll = counted  # type: ignore[assignment, method-assign]
            bench.submit("P2")
            fail_with("08006")
        return keep(received)

    assert bench.run(handle) == Outcome(0, "", 2)
    assert polls[0] is False, "while it waits, nothing is given"
    assert kept() == ["P1", "P2"]


def test_a_broker_that_does_not_acknowledge_is_asked_again_without_doing_the_work_again(bench: Bench) -> None:
    handled: list[int] = []

    class Stubborn:
        def __init__(self) -> None:
            self.refusals = 2

        def publish(self, records: list[Outgoing]) -> list[Receipt]:
            if self.refusals:
                self.refusals -= 1
                raise BrokerUnavailable("no acknowledgement")
            return bench.broker.producer().publish(records)

        def close(self) -> None: ...

    def handle(received: Sequence[Received]) -> Handled:
        handled.append(len(received))
        return keep(received)

    bench.submit("P1")
    assert bench.run(handle, producer=Stubborn()) == Outcome(0, "", 1)
    assert handled == [1]
    assert bench.announced() == ["P1"]


def test_offsets_are_committed_last(bench: Bench) -> None:
    """Whoever kills a worker between any two steps has its batch again."""
    bench.submit("P1")
    seen: list[tuple[list[str], int]] = []

    class Watching:
        def publish(self, records: list[Outgoing]) -> list[Receipt]:
            seen.append((kept(), bench.committed()))
            return bench.broker.producer().publish(records)

        def close(self) -> None: ...

    bench.run(producer=Watching())
    assert seen == [(["P1"], 0)]
    assert bench.committed() == 1


def test_a_stop_while_waiting_abandons_the_batch(bench: Bench) -> None:
    bench.submit("P1")

    def handle(received: Sequence[Received]) -> Handled:
        keep(received)
        worker.stop()
        raise OperationalError("away")

    worker = bench.worker(handle)
    assert worker.run() == Outcome(0, "", 0)
    assert kept() == []
    assert bench.committed() == 0


# --- set aside ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("note", "code"), [("refused", "DISLIKED"), ("too long", "NOT_STORABLE"), ("contradiction", "NOT_STORABLE")]
)
@pytest.mark.parametrize("transactional", [True, False])
def test_a_bad_record_is_found_and_its_neighbours_are_kept(
    bench: Bench, note: str, code: str, *, transactional: bool
) -> None:
    for number in range(11):
        bench.submit(f"P{number:02}", note if number in (3, 4, 10) else None)
    assert bench.run(transactional=transactional) == Outcome(0, "", 11)
    assert kept() == [f"P{number:02}" for number in range(10) if number not in (3, 4)]
    assert bench.announced() == kept()
    assert letters() == [(3, code), (4, code), (10, code)]
    letter = DeadLetter.objects.get(offset=4)
    assert (letter.portfolio_id, letter.consumer_group, letter.topic_id) == ("P04", GROUP, "id-of-raw_transactions")
    assert bench.committed() == 11


def test_a_handlers_own_letters_are_kept_with_its_work(bench: Bench) -> None:
    bench.submit("P1")

    def handle(received: Sequence[Received]) -> Handled:
        return keep(received) + Handled(
            letters=[Letter(received[0].record, "CONFLICT", "two contents", {"standing": {"price": "1"}}, "P1")]
        )

    assert bench.run(handle) == Outcome(0, "", 1)
    assert letters() == [(0, "CONFLICT")]
    assert DeadLetter.objects.get().context == {"standing": {"price": "1"}}


def test_a_record_set_aside_twice_is_one_letter(bench: Bench) -> None:
    bench.submit_raw(b"nonsense")
    bench.run()
    bench.broker.committed.clear()
    bench.run()
    assert letters() == [(0, "MALFORMED")]


def test_letters_are_committed_with_the_batch_or_not_at_all(bench: Bench) -> None:
    bench.submit_raw(b"nonsense")
    bench.submit("P1")

    def handle(_received: Sequence[Received]) -> Handled:
        raise RuntimeError("a fault of the program")

    assert bench.run(handle).exit_code == 1
    assert letters() == []


def test_what_cannot_be_read_says_why(bench: Bench) -> None:
    good = '{"schema":"raw_transaction.v1","transaction":{"portfolio_id":"PORT","transaction_id":"T1",'
    rest = '"transaction_type":"DEPOSIT","gross_transaction_amount":"1","currency":"EUR"}}'
    bench.submit_raw(b"\xff\xfe", partition=0)
    bench.submit_raw(None)
    bench.submit("P1")
    bench.submit_raw(b'{"schema":"raw_transaction.v9"}')
    bench.submit_raw(f'{good}"transaction_date":"2025-02-30",{rest}'.encode())
    bench.submit("P2")
    bench.submit_raw(f'{good}"transaction_date":"2025-02-03",{rest}'.encode(), key=None)
    bench.submit_raw(f'{good}"transaction_date":"2025-02-03",{rest}'.encode(), key=b"OTHER")
    bench.submit_raw(f'{good}"transaction_date":"2025-02-03","trade_fee":"1_000",{rest}'.encode())
    assert bench.run() == Outcome(0, "", 9)
    assert kept() == ["P1", "P2"]
    assert letters() == [
        (0, "MALFORMED"),
        (1, "NO_VALUE"),
        (3, "UNKNOWN_SCHEMA"),
        (4, "INVALID"),
        (6, "NO_KEY"),
        (7, "WRONG_KEY"),
        (8, "INVALID"),
    ]
    assert "transaction_date" in DeadLetter.objects.get(offset=4).reason
    assert "trade_fee" in DeadLetter.objects.get(offset=8).reason
    assert bytes(DeadLetter.objects.get(offset=0).value or b"") == b"\xff\xfe"


def test_nul_bytes_anywhere_do_not_keep_a_letter_from_being_written(bench: Bench) -> None:
    bench.submit_raw(b"\x00", key=b"\x00", headers={"request_id": "a\x00b", "\x00": "\ud800"})
    assert bench.run() == Outcome(0, "", 1)
    letter = DeadLetter.objects.get()
    assert bytes(letter.key or b"") == b"\x00"
    assert letter.headers["request_id"] == "a\ufffdb"


# --- stop ---------------------------------------------------------------------------------------------------------


def test_an_error_of_the_program_ends_the_worker_and_commits_nothing(bench: Bench) -> None:
    bench.submit("P1")

    def handle(received: Sequence[Received]) -> Handled:
        keep(received)
        raise ZeroDivisionError("a fault of the program")

    assert bench.run(handle) == Outcome(1, "ZeroDivisionError: a fault of the program", 0)
    assert kept() == []
    assert bench.committed() == 0
    assert bench.broker.members[GROUP] == []


def test_too_many_unreadable_records_in_a_row_stop_the_worker_for_good(bench: Bench) -> None:
    """The limit is 5: the sixth stops it, and what comes after stays in the topic."""
    bench.submit("P1")
    for _ in range(20):
        bench.submit_raw(b"from a newer deployment")
    bench.submit("P2")

    outcome = bench.run()
    assert outcome.exit_code == 3
    assert "6 records in a row" in outcome.reason
    assert len(letters()) == 6
    assert (kept(), bench.committed()) == (["P1"], 7)
    assert StoppedWorker.objects.get().stopped_at == NOW

    again = bench.run()
    assert again.exit_code == 3
    assert f"--resume {GROUP}" in again.reason
    assert len(letters()) == 6
    assert len(bench.consumers) == 1, "it did not even join its group"

    assert resume_worker(group=GROUP)
    assert bench.run().exit_code == 3, "it goes on where it stopped, and meets the next of them"
    assert len(letters()) == 12


def test_a_readable_record_ends_the_row(bench: Bench) -> None:
    for number in range(4):
        for _ in range(5):
            bench.submit_raw(b"nonsense")
        bench.submit(f"P{number}")
    assert bench.run() == Outcome(0, "", 24)
    assert len(letters()) == 20


def test_the_row_goes_on_from_batch_to_batch(bench: Bench) -> None:
    for _ in range(6):
        bench.submit_raw(b"nonsense")
    assert bench.run(until=Until(records_max=5)).exit_code == 0
    worker = bench.worker()
    for _ in range(5):
        bench.submit_raw(b"nonsense")
    assert worker.run().exit_code == 3


def test_conflicts_never_count_as_unreadable(bench: Bench) -> None:
    for number in range(20):
        bench.submit(f"P{number:02}")

    def handle(received: Sequence[Received]) -> Handled:
        return Handled(letters=[one.letter("CONFLICT", "two contents") for one in received])

    assert bench.run(handle) == Outcome(0, "", 20)
    assert len(letters()) == 20


def test_announcements_carry_the_request_of_their_cause(bench: Bench) -> None:
    bench.submit("P1", headers={"request_id": "r-1", "traceparent": "00-1", "other": "x"})
    bench.run()
    (one,) = bench.broker.partitions(TransactionsRecorded.TOPIC)
    assert bench.broker.records[one][0].headers == {"request_id": "r-1", "traceparent": "00-1"}
