"""The orchestrator as a worker runs it: topics in, topics out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pytest
from django.db import transaction

from orchestrator.relay import TOPICS, Orchestrator
from orchestrator.sweep import sweep
from portfolio.streaming.broker import TopicPartition
from portfolio.streaming.memory import MemoryBroker
from portfolio.streaming.messages import (
    Message,
    PositionCalculation,
    PositionCalculationDone,
    ValuationCalculation,
    decode,
    encode,
)
from portfolio.streaming.worker import Handled, Outcome, Pace, Periodic, Received, Until, Worker
from tests.integration.orchestrator.world import (
    EUR,
    at,
    book,
    book_many,
    calculated,
    calculation,
    rate,
    settled,
    told,
    valuation,
)

pytestmark = pytest.mark.django_db(transaction=True)
OUT = TopicPartition(PositionCalculation.TOPIC, 0)


@pytest.fixture
def broker() -> MemoryBroker:
    return MemoryBroker({**dict.fromkeys(TOPICS, 1), PositionCalculation.TOPIC: 1, ValuationCalculation.TOPIC: 1})


def publish(broker: MemoryBroker, *messages: Message, **headers: str) -> None:
    for message in messages:
        broker.append(message.TOPIC, message.key.encode(), encode(message), headers=headers)


def run(
    broker: MemoryBroker,
    *,
    relaying: Orchestrator | None = None,
    stepping: Orchestrator | None = None,
    seconds: float = 0,
) -> Outcome:
    """A worker takes what the topics hold; with `stepping` it does what is to be done between records, too."""
    orchestrator = stepping or relaying or Orchestrator()

    def handle(received: Sequence[Received]) -> Handled:
        return orchestrator.relay(received, now=at(seconds))

    worker = Worker(
        group="orchestrator",
        topics=TOPICS,
        handle=handle,
        open_consumer=broker.consumer,
        producer=broker.producer(),
        pace=Pace(poll_timeout_s=0.01),
        every=Periodic(0.0, lambda: stepping.step(now=at(seconds))) if stepping else None,
        until=Until(once=True),
    )
    outcome = worker.run()
    assert outcome.exit_code == 0, outcome.reason
    return outcome


def dispatched(broker: MemoryBroker) -> list[PositionCalculation]:
    found = [decode(OUT.topic, record.value or b"") for record in broker.records[OUT]]
    return [message for message in found if isinstance(message, PositionCalculation)]


def stepped(orchestrator: Orchestrator, *, seconds: float) -> list[str]:
    """The portfolios of which a step dispatches something."""
    with transaction.atomic():
        publications = orchestrator.step(now=at(seconds)).publications
    return [publication.message.key for publication in publications]


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
    monkeypatch.setattr("orchestrator.relay.sweep", partial(sweep, portfolios_max=2))
    book_many(["P1", "P2", "P3", "P4", "P5"])
    orchestrator = Orchestrator()
    seen = []
    for seconds in (0, 1, 5, 10):
        run(broker, stepping=orchestrator, seconds=seconds)
        seen.append(len(dispatched(broker)))
    assert seen == [2, 2, 4, 5]


def test_values_go_when_their_positions_have_stood_still_without_waiting_for_a_sweep(broker, settings):
    settings.VALUATIONS_QUIET_S, settings.SWEEP_INTERVAL_S = 2.0, 3600.0
    orchestrator = Orchestrator()
    valuations = broker.records[TopicPartition(ValuationCalculation.TOPIC, 0)]
    publish(broker, book("P1"))
    run(broker, stepping=orchestrator)
    (asked,) = dispatched(broker)
    publish(broker, calculated(asked))
    run(broker, stepping=orchestrator, seconds=10)
    publish(broker, book("P1"))
    run(broker, stepping=orchestrator, seconds=11)
    _, again = dispatched(broker)
    publish(broker, calculated(again))
    run(broker, stepping=orchestrator, seconds=11.5)
    run(broker, stepping=orchestrator, seconds=13.4)
    assert valuations == [], "the moment began anew"
    run(broker, stepping=orchestrator, seconds=13.5)
    (record,) = valuations
    assert decode(record.topic, record.value or b"") == ValuationCalculation(
        portfolio_id="P1", requested_seq=2, requested_date=at(0).date()
    )
    run(broker, stepping=orchestrator, seconds=99)
    assert len(valuations) == 1


def test_steps_come_several_times_in_a_quiet_moment_and_as_often_as_sweeps(settings):
    settings.SWEEP_INTERVAL_S = 5.0
    for settings.VALUATIONS_QUIET_S, interval_s in [(2.0, 0.5), (60.0, 5.0), (0.0, 5.0), (0.001, 0.05)]:
        assert Orchestrator().step_interval_s() == interval_s
    settings.VALUATIONS_QUIET_S = 2.0
    assert Orchestrator(once=True).step_interval_s() == 5.0, "nothing is waited for"


def test_the_first_so_many_whose_quiet_moment_is_over_go_and_the_rest_with_the_next_step(broker, monkeypatch, settings):
    settings.VALUATIONS_QUIET_S, settings.SWEEP_INTERVAL_S = 2.0, 3600.0
    monkeypatch.setattr("orchestrator.relay.PORTFOLIOS_MAX", 2)
    orchestrator = Orchestrator()
    assert stepped(orchestrator, seconds=0) == []
    told(*book_many(["P1", "P2", "P3"]))
    publish(broker, *(PositionCalculationDone(portfolio_id=p, computed_seq=1) for p in ("P3", "P1", "P2")))
    run(broker, relaying=orchestrator, seconds=1)
    assert [stepped(orchestrator, seconds=3), stepped(orchestrator, seconds=3)] == [["P1", "P3"], ["P2"]]


def test_a_run_that_ends_sweeps_once_more_however_short_it_was(broker, settings):
    settings.VALUATIONS_QUIET_S, settings.SWEEP_INTERVAL_S = 60.0, 3600.0
    orchestrator = Orchestrator(once=True)
    assert stepped(orchestrator, seconds=0) == []
    told(book("P1"))
    told(PositionCalculationDone(portfolio_id="P1", computed_seq=1))
    assert valuation("P1").state == "IDLE", "it waits, and another process knows until when"
    book("P2")
    assert stepped(orchestrator, seconds=1) == ["P2", "P1"]


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
