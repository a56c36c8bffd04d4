"""When a worker ends, what it takes at once, and what a rebalance in the middle of a batch leaves of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Self

import pytest

from portfolio.models import DeadLetter
from portfolio.streaming.broker import OffsetOutOfRange, TopicPartition
from portfolio.streaming.messages import PositionCalculation, RawTransaction
from portfolio.streaming.worker import Handled, Outcome, Pace, Periodic, Publication, Received, Until
from tests.working import GROUP, Bench, fail_with, keep, kept

pytestmark = pytest.mark.django_db(transaction=True)


def test_once_handles_what_is_there_and_ends() -> None:
    bench = Bench(partitions=3)
    for number in range(50):
        bench.submit(f"P{number:02}")
    assert bench.run(pace=Pace(batch_records_max=7, poll_timeout_s=0.02)) == Outcome(0, "", 50)
    assert len(kept()) == 50
    assert bench.run() == Outcome(0, "", 0), "what was committed does not come again"


def test_once_on_an_empty_topic_ends_at_once() -> None:
    started = time.monotonic()
    assert Bench().run() == Outcome(0, "", 0)
    assert time.monotonic() - started < 2


def test_so_many_messages_and_no_more() -> None:
    bench = Bench()
    for number in range(10):
        bench.submit(f"P{number}")
    assert bench.run(until=Until(records_max=4)) == Outcome(0, "", 4)
    assert kept() == ["P0", "P1", "P2", "P3"]
    assert bench.committed() == 4


def test_a_worker_ends_when_nothing_has_come_for_a_while() -> None:
    bench = Bench()
    bench.submit("P1")
    timer = threading.Timer(0.2, bench.submit, ["P2"])
    timer.start()
    started = time.monotonic()
    assert bench.run(until=Until(idle_s=0.4)) == Outcome(0, "", 2)
    timer.join()
    assert time.monotonic() - started >= 0.6


def test_a_worker_goes_on_until_it_is_told_to_stop() -> None:
    bench = Bench()
    bench.submit("P1")

    def handle(received: Sequence[Received]) -> Handled:
        worker.stop()
        return keep(received)

    worker = bench.worker(handle, until=Until())
    assert worker.run() == Outcome(0, "", 1), "the batch in hand is finished"
    assert bench.committed() == 1
    assert bench.announced() == ["P1"]


def test_a_group_that_assigns_nothing_is_not_waited_for_for_ever() -> None:
    """More members than partitions: Kafka may leave one without a word."""
    bench = Bench()

    class Unassigned:
        def __init__(self, *_: object, **__: object) -> None:
            self._consumer = bench.broker.consumer([RawTransaction.TOPIC], "other")

        def poll(self, **_: object) -> list[object]:
            return []

        def at_end(self) -> bool:
            return False

        def __getattr__(self, name: str) -> object:
            return getattr(self._consumer, name)

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None: ...

    outcome = bench.run(open_consumer=Unassigned, pace=Pace(poll_timeout_s=0.02, join_timeout_s=0.1))
    assert outcome == Outcome(1, f"group {GROUP} assigned nothing within 0.1 s", 0)


def test_a_committed_offset_that_is_gone_ends_the_worker_with_a_sentence() -> None:
    bench = Bench()
    for number in range(4):
        bench.submit(f"P{number}")
    bench.run(until=Until(records_max=1))
    bench.broker.forget(TopicPartition(RawTransaction.TOPIC, 0), before=3)
    outcome = bench.run()
    assert outcome.exit_code == 1
    assert "raw_transactions[0]" in outcome.reason
    assert OffsetOutOfRange.__doc__


def test_a_missing_topic_ends_the_worker_with_a_sentence() -> None:
    outcome = Bench().run(topics=["no_such_topic"])
    assert outcome.exit_code == 1
    assert "ensure_topics" in outcome.reason


# --- rebalances ---------------------------------------------------------------------------------------------------


def test_what_is_revoked_while_the_batch_waits_is_dropped() -> None:
    """Two partitions, one record each; the database fails, and meanwhile one partition goes to somebody else.

    What is left of the batch is handled and committed; of the other nothing is: neither its row nor its offset.
    """
    bench = Bench(partitions=2)
    bench.submit("P0", partition=0)
    bench.submit("P1", partition=1)
    bench.submit_raw(b"nonsense", partition=1)
    batches: list[int] = []

    def handle(received: Sequence[Received]) -> Handled:
        batches.append(len(received))
        if len(batches) == 1:
            bench.consumers[0].taken_away.add(TopicPartition(RawTransaction.TOPIC, 1))
            fail_with("08006")
        return keep(received)

    bench.run(handle)
    assert batches == [2, 1]
    assert kept() == ["P0"]
    assert not DeadLetter.objects.exists()
    assert bench.broker.committed == {(GROUP, TopicPartition(RawTransaction.TOPIC, 0)): 1}


def test_what_is_revoked_at_the_commit_is_not_committed() -> None:
    """The work is done and stays; whoever has the partition now does it again, which has no second effect."""
    bench = Bench(partitions=2)
    bench.submit("P0", partition=0)
    bench.submit("P1", partition=1)

    def handle(received: Sequence[Received]) -> Handled:
        bench.consumers[0].taken_away.add(TopicPartition(RawTransaction.TOPIC, 1))
        return keep(received)

    assert bench.run(handle).exit_code == 0
    assert kept() == ["P0", "P1"]
    assert bench.broker.committed == {(GROUP, TopicPartition(RawTransaction.TOPIC, 0)): 1}


def test_a_batch_of_which_nothing_is_left_is_let_go() -> None:
    bench = Bench()
    bench.submit("P0")

    def handle(_received: Sequence[Received]) -> Handled:
        bench.consumers[0].taken_away.add(TopicPartition(RawTransaction.TOPIC, 0))
        fail_with("08006")
        raise AssertionError

    assert bench.run(handle).exit_code == 0
    assert kept() == []
    assert bench.broker.committed == {}


def test_a_successor_does_what_the_first_left_undone() -> None:
    bench = Bench(partitions=4)
    for number in range(40):
        bench.submit(f"P{number:02}")

    def crash(received: Sequence[Received]) -> Handled:
        if len(kept()) >= 20:
            raise ZeroDivisionError
        return keep(received)

    assert bench.run(crash, pace=Pace(batch_records_max=6, poll_timeout_s=0.02)).exit_code == 1
    assert bench.run().exit_code == 0
    assert kept() == [f"P{number:02}" for number in range(40)]
    assert sorted(bench.announced()) == kept()


# --- periodic work ------------------------------------------------------------------------------------------------


def test_periodic_work_is_done_at_the_start_and_in_its_intervals() -> None:
    bench = Bench()
    done: list[float] = []

    def sweep() -> Handled:
        done.append(time.monotonic())
        if len(done) == 2:
            fail_with("40001")
        return Handled([Publication(PositionCalculation(portfolio_id="P1", requested_seq=len(done)))])

    assert bench.run(every=Periodic(0.1, sweep), until=Until(idle_s=0.35)).exit_code == 0
    assert 4 <= len(done) <= 6
    assert min(after - before for before, after in pairwise(done[2:])) > 0.09
    (one,) = bench.broker.partitions(PositionCalculation.TOPIC)
    assert len(bench.broker.records[one]) == len(done) - 1, "one of them was tried again"


def test_once_sweeps_before_and_after() -> None:
    bench = Bench()
    bench.submit("P1")
    seen: list[list[str]] = []

    def sweep() -> Handled:
        seen.append(kept())
        return Handled()

    bench.run(every=Periodic(60, sweep))
    assert seen == [[], ["P1"]]
