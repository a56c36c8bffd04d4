"""Asking again, for a person: by the operation, the command and the admin's actions."""

from __future__ import annotations

import pytest

from orchestrator import recalculation
from orchestrator.recalculation import Recalculation, recalculate
from portfolio.models import PortfolioChange
from portfolio.streaming.memory import MemoryBroker
from portfolio.streaming.messages import MarketDataRecorded, decode
from tests.integration.orchestrator.world import (
    at,
    book,
    book_many,
    calculated,
    calculation,
    failed,
    settled,
    swept,
    told,
)

pytestmark = pytest.mark.django_db
TOPIC = MarketDataRecorded.TOPIC


@pytest.fixture
def broker() -> MemoryBroker:
    return MemoryBroker({TOPIC: 1})


def wakes(broker: MemoryBroker) -> list[MarketDataRecorded]:
    found = [decode(TOPIC, record.value or b"") for records in broker.records.values() for record in records]
    return [message for message in found if isinstance(message, MarketDataRecorded)]


def test_from_scratch_raises_the_mark_as_a_change_of_settings_does(broker):
    settled("P1")
    asked = recalculate(portfolio_ids=["P1"], producer=broker.producer(), now=at(5))
    assert asked == Recalculation(portfolios=1, woken=True)
    mark = PortfolioChange.objects.get()
    assert (mark.change_seq, mark.rebuild_seq, mark.recorded_at) == (2, 2, at(5))
    assert wakes(broker) == [MarketDataRecorded(kind="PORTFOLIO", name="P1", seq=2)]

    (dispatched,) = told(*wakes(broker), seconds=6)
    assert dispatched.requested_seq == 2
    told(calculated(dispatched), seconds=7)
    assert not calculation("P1").pending


def test_what_was_given_up_is_tried_again_without_a_rebuild(broker, settings):
    settings.CALCULATION_ATTEMPTS_MAX = 1
    (asked,) = told(book("P1"))
    told(failed(asked))
    recalculate(portfolio_ids=["P1"], rebuild=False, producer=broker.producer(), now=at(5))
    assert PortfolioChange.objects.get().rebuild_seq == 0
    assert calculation("P1").error == "a division by zero"
    assert told(*wakes(broker), seconds=5) == [asked]


def test_what_is_being_tried_when_a_person_asks_again_is_not_given_up_for_its_earlier_failures(broker, settings):
    settings.CALCULATION_ATTEMPTS_MAX = 2
    (asked,) = told(book("P1"))
    told(failed(asked))
    assert swept(seconds=60).calculations == [asked]
    recalculate(portfolio_ids=["P1"], rebuild=False, producer=broker.producer(), now=at(61))
    row = calculation("P1")
    assert (row.state, row.attempts, row.failures, row.not_before) == ("DISPATCHED", 2, 0, None)
    told(failed(asked), seconds=62)
    assert swept(seconds=120).calculations == [asked]


def test_from_scratch_brings_back_what_was_given_up(broker, settings):
    settings.CALCULATION_ATTEMPTS_MAX = 1
    (asked,) = told(book("P1"))
    told(failed(asked))
    recalculate(portfolio_ids=["P1"], producer=broker.producer(), now=at(5))
    assert [one.requested_seq for one in told(*wakes(broker), seconds=5)] == [2]


def test_where_nothing_failed_and_nothing_is_owed_asking_again_dispatches_nothing(broker):
    settled("P1")
    recalculate(portfolio_ids=["P1"], rebuild=False, producer=broker.producer(), now=at(5))
    assert told(*wakes(broker), seconds=5) == []


def test_all_portfolios_are_asked_for_a_slice_at_a_time(broker, monkeypatch):
    monkeypatch.setattr(recalculation, "PORTFOLIOS_MAX", 3)
    book_many(f"P{n}" for n in range(8))
    assert recalculate(portfolio_ids=None, producer=broker.producer(), now=at(5)).portfolios == 8
    assert [wake.name for wake in wakes(broker)] == [f"P{n}" for n in range(8)]
    assert set(PortfolioChange.objects.values_list("rebuild_seq", flat=True)) == {2}


def test_portfolios_that_do_not_exist_are_not_made(broker):
    book("P1")
    asked = recalculate(portfolio_ids=["P0", "P1", "P2"], producer=broker.producer(), now=at(5))
    assert asked.portfolios == 1
    assert PortfolioChange.objects.count() == 1


def test_where_the_broker_is_away_the_sweep_comes_to_it(broker):
    settled("P1")
    broker.is_available = False
    asked = recalculate(portfolio_ids=["P1"], producer=broker.producer(), now=at(5))
    assert asked == Recalculation(portfolios=1, woken=False)
    assert [one.requested_seq for one in swept(seconds=6).calculations] == [2]
