"""What a calculation's counters say."""

from __future__ import annotations

import datetime

import pytest

from orchestrator.models import Calculation

NOON = datetime.datetime(2025, 1, 15, 12, tzinfo=datetime.UTC)
LATER = NOON + datetime.timedelta(seconds=3)
NOW = NOON + datetime.timedelta(seconds=10)


@pytest.mark.parametrize(
    ("requested", "done", "market_requested", "market_done", "pending"),
    [
        (0, 0, 0, 0, False),
        (1, 0, 0, 0, True),
        (1, 1, 0, 0, False),
        (1, 2, 0, 0, False),
        (1, 1, 5, 4, True),
        (1, 2, 5, 4, True),
        (2, 1, 5, 9, True),
        (2, 2, 5, 5, False),
    ],
)
def test_pending_is_requested_and_not_done_of_either(requested, done, market_requested, market_done, pending):
    row = Calculation(
        requested_seq=requested, done_seq=done, requested_market_seq=market_requested, done_market_seq=market_done
    )
    assert row.pending is pending


@pytest.mark.parametrize(("done_on", "pending"), [(14, True), (15, False), (16, False)])
def test_a_day_that_is_asked_for_is_pending_until_it_is_valued(done_on, pending):
    counters = {"requested_seq": 1, "done_seq": 1, "requested_market_seq": 2, "done_market_seq": 2}
    row = Calculation(**counters, requested_date=NOON.date(), done_date=datetime.date(2025, 1, done_on))
    assert row.pending is pending


@pytest.mark.parametrize(
    ("requested_at", "done_seq", "done_at", "wait_s"),
    [
        (None, 1, None, None),
        (NOON, 1, LATER, 3),
        (NOON, 0, None, 10),
        (LATER, 0, NOON, 7),  # an earlier calculation was done: this one still waits
        (LATER, 1, NOON, 0),  # it was done before it was asked for
    ],
)
def test_a_wait_ends_with_the_done_and_else_goes_on(requested_at, done_seq, done_at, wait_s):
    row = Calculation(
        requested_seq=1,
        done_seq=done_seq,
        requested_market_seq=0,
        done_market_seq=0,
        requested_at=requested_at,
        done_at=done_at,
    )
    wait = row.wait(now=NOW)
    assert (wait.total_seconds() if wait is not None else None) == wait_s
