"""The orchestrator as a worker runs it: topics in, topics out."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from orchestrator import sweep as sweeping
from orchestrator.relay import TOPICS, Sweeper, relay
from portfolio.streaming.broker import TopicPartition
from portfolio.streaming.memory import MemoryBroker
from portfolio.streaming.messages import Message, PositionCalculation, ValuationCalculation, decode, encode
from portfolio.streaming.worker import Handled, Outcome, Pace, Periodic, Received, Until, Worker
from tests.integration.orchestrator.world import EUR, NOON, at, book, book_many, calculated, calculation, rate, settled

pytestmark = pytest.mark.django_db(transaction=True)
OUT = TopicPartition(PositionCalculation.TOPIC, 0)


@pytest.fixture
def broker() -> MemoryBroker:
    return MemoryBroker({**dict.fromkeys(TOPICS, 1), PositionCalculation.TOPIC: 1, ValuationCalculation.TOPIC: 1})


def publish(broker: MemoryBroker, *messages: Message, **headers: str) -> None:
    for message in messages:
        broker.append(message.TOPIC, message.key.encode(), encode(message), headers=headers)


def run(broker: MemoryBroker, *, sweeper: Sweeper | None = None) -> Outcome:
    def handle(received: Sequence[Received]) -> Handled:
        return relay(received, now=NOON)

    worker = Worker(
        group="orchestrator",
        topics=TOPICS,
        handle=handle,
        open_consumer=broker.consumer,
        producer=broker.producer(),
        pace=Pace(poll_timeout_s=0.01),
        every=Periodic(0.0, lambda: sweeper.step(now=at(1))) if sweeper else None,
        until=Until(once=True),
    )
    outcome = worker.run()
    assert outcome.exit_code == 0, outcome.reason
    return outcome


def dispatched(broker: MemoryBroker) -> list[PositionCalculation]:
    found = [decode(OUT.topic, record.value or b"") for record in broker.records[OUT]]
    return [message for message in found if isinstance(message, PositionCalculation)]


def test_the_baton_goes_round(broker):
    publish(broker, book("P1"))
    run(broker)
    (asked,) = dispatched(broker)
    publish(broker, calculated(asked, EUR))
    run(broker)
    assert not calculation("P1").pending
    publish(broker, rate("EUR", "USD"))
    run(broker)
    assert [one.requested_market_seq for one in dispatched(broker)] == [0, 1]


def test_a_dispatch_carries_the_request_id_of_what_caused_it(broker):
    settled("P3", EUR)
    publish(broker, book("P1"), request_id="first")
    publish(broker, book("P2"), request_id="second")
    publish(broker, rate("EUR", "USD"), request_id="market")
    run(broker)
    causes = {record.key: record.headers["request_id"] for record in broker.records[OUT]}
    assert causes == {b"P1": "first", b"P2": "second", b"P3": "market"}


def test_a_redelivered_batch_dispatches_nothing_more(broker):
    publish(broker, book("P1"))
    run(broker)
    broker.committed.clear()
    run(broker)
    assert len(dispatched(broker)) == 1


def test_the_sweep_of_a_worker_walks_on_step_by_step(broker, monkeypatch):
    monkeypatch.setattr(sweeping, "PORTFOLIOS_MAX", 2)
    book_many(["P1", "P2", "P3", "P4", "P5"])
    sweeper = Sweeper()
    seen = []
    for _ in range(4):
        run(broker, sweeper=sweeper)
        seen.append(len(dispatched(broker)))
    assert seen[-1] == 5
    assert seen == sorted(seen)


def test_a_record_that_cannot_be_kept_holds_up_no_other(broker):
    good = book("P1")
    broker.append(
        good.TOPIC,
        b"P9",
        b'{"schema":"transactions_recorded.v1","portfolio_id":"P9","change_seq":1,"recorded_at":"not a moment"}',
    )
    publish(broker, good)
    run(broker)
    assert [one.portfolio_id for one in dispatched(broker)] == ["P1"]
