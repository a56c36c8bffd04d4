"""Several orchestrators at once, on connections of their own: none waits in a ring, nothing is dispatched twice."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from django.db import connection, transaction

from orchestrator.interests import News, next_news, share_round
from orchestrator.models import Calculation
from orchestrator.operations import advance
from orchestrator.requests import POSITIONS, Task, take
from portfolio.streaming.messages import PositionCalculation
from tests.integration.orchestrator.world import (
    AAPL,
    EUR,
    NOON,
    book,
    book_many,
    calculated,
    calculation,
    instrument,
    interests,
    rate,
    settled,
    swept,
    told,
)

pytestmark = pytest.mark.django_db(transaction=True)


def together(*works: Callable[[], Any]) -> list[Any]:
    """Each in a thread with a connection of its own; what they return. A deadlock is an error."""

    def run(work: Callable[[], Any]) -> Any:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '20s'")
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return [future.result(timeout=60) for future in [pool.submit(run, work) for work in works]]


def until_somebody_waits_for_a_lock() -> None:
    deadline = time.monotonic() + 10
    with connection.cursor() as cursor:
        while time.monotonic() < deadline:
            # Within a transaction PostgreSQL shows the activity as it was first looked at.
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            if cursor.fetchone()[0]:
                return
            time.sleep(0.01)
    raise AssertionError("nobody waits")


def test_portfolios_told_to_two_at_once_are_dispatched_once():
    wakes = book_many(f"P{n}" for n in range(200))

    def orchestrator(seed: int) -> list[PositionCalculation]:
        shuffled = random.Random(seed).sample(wakes, len(wakes))
        return [one for start in range(0, 200, 25) for one in told(*shuffled[start : start + 25])]

    asked = Counter(
        one.portfolio_id for part in together(*[lambda s=s: orchestrator(s) for s in range(3)]) for one in part
    )
    assert len(asked) == 200
    assert set(asked.values()) == {1}


def test_dones_interests_and_market_news_at_once_wait_in_no_ring():
    names = [f"P{n}" for n in range(60)]
    asked = told(*book_many(names))
    dones = [calculated(one, EUR, AAPL) for one in asked]
    news = [instrument("AAPL"), rate("EUR", "USD")]

    def orchestrator(seed: int) -> list[PositionCalculation]:
        dice = random.Random(seed)
        found = []
        for turn in range(15):
            found += told(*dice.sample(dones, 20), *dice.sample(news, turn % 3), seconds=turn)
            found += swept(seconds=turn).calculations
        return found

    found = [one for part in together(*[lambda s=s: orchestrator(s) for s in range(3)]) for one in part]
    told(*dones)
    found += swept().calculations
    assert Counter(one.portfolio_id for one in found) == dict.fromkeys(names, 1), "each once, for the news"
    positions = Calculation.objects.filter(kind=POSITIONS)
    assert set(positions.values_list("done_seq", "requested_market_seq", "state")) == {(1, 2, "DISPATCHED")}


@pytest.mark.parametrize("first", ["interests", "news"])
def test_an_interest_and_the_news_of_it_recorded_at_once_find_each_other(first):
    settled("P1")
    (asked,) = told(book("P1"))
    answer = calculated(asked, EUR)  # it saw the market as it was before the rate
    news = rate("EUR", "USD")
    holds = Event()

    def interest() -> list[PositionCalculation]:
        if first == "news":
            holds.wait(10)
            return told(answer)
        with transaction.atomic():
            share_round()
            holds.set()
            until_somebody_waits_for_a_lock()
            out = advance(messages=[answer], quiet_s=0.0, now=NOON)
            return [one for one in out if isinstance(one, PositionCalculation)]

    def market() -> list[PositionCalculation]:
        if first == "interests":
            holds.wait(10)
            return told(news)
        with transaction.atomic():
            assert next_news(portfolios_max=10) == News(), "nobody is known to depend on it"
            holds.set()
            until_somebody_waits_for_a_lock()
            return []

    by_interest, by_market = together(interest, market)
    assert interests("P1") == {"EUR"}
    assert [one.requested_market_seq for one in by_interest + by_market] == [1]
    assert calculation("P1").pending


def test_what_another_holds_the_sweep_passes_over():
    book_many(["P1", "P2"])
    assert len(swept().calculations) == 2
    Calculation.objects.update(state="IDLE", dispatched_seq=0)
    holds, is_swept = Event(), Event()

    def other() -> None:
        with transaction.atomic():
            assert take(tasks=[Task("P1", POSITIONS)]) == [Task("P1", POSITIONS)]
            holds.set()
            assert is_swept.wait(10)

    def sweeper() -> list[str]:
        assert holds.wait(10)
        try:
            return [one.portfolio_id for one in swept().calculations]
        finally:
            is_swept.set()

    assert together(other, sweeper)[1] == ["P2"]
