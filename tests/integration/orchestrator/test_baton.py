"""Request, dispatch, close: what a batch of messages does to one portfolio, and to many."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orchestrator.closing import ERROR_CHARACTERS_MAX
from orchestrator.models import Calculation
from portfolio.streaming.messages import (
    MarketDataRecorded,
    PositionCalculation,
    PositionCalculationDone,
    TransactionsRecorded,
)
from tests.integration.orchestrator.world import (
    AAPL,
    EUR,
    NOON,
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


def test_a_recorded_transaction_is_dispatched_and_its_done_closes_it():
    (asked,) = told(book("P1"))
    assert asked == PositionCalculation(portfolio_id="P1", requested_seq=1)
    row = calculation("P1")
    assert (row.state, row.pending, row.requested_at, row.dispatched_at) == ("DISPATCHED", True, NOON, NOON)

    assert told(calculated(asked), seconds=2) == []
    row = calculation("P1")
    assert (row.state, row.pending, row.done_seq, row.done_at) == ("IDLE", False, 1, at(2))
    wait = row.wait(now=at(99))
    assert wait is not None
    assert wait.total_seconds() == 2


def test_a_portfolios_settings_are_requested_by_its_mark():
    told(book("P1"))
    book("P2", times=3)
    assert told(MarketDataRecorded(kind="PORTFOLIO", name="P2", seq=3)) == [
        PositionCalculation(portfolio_id="P2", requested_seq=3)
    ]


def test_what_is_requested_while_one_is_on_its_way_waits_and_is_then_dispatched_at_once():
    (first,) = told(book("P1"))
    answer = calculated(first)
    assert told(book("P1"), seconds=1) == []
    assert told(book("P1"), seconds=2) == []

    (second,) = told(answer, seconds=3)
    assert second.requested_seq == 3
    row = calculation("P1")
    assert (row.done_seq, row.dispatched_seq, row.dispatched_at, row.attempts) == (1, 3, at(3), 1)
    assert row.requested_at == NOON, "what is still owed was requested after the dispatch that was closed"


def test_many_wakes_of_one_batch_are_one_dispatch():
    wakes = [book("P1") for _ in range(5)]
    (asked,) = told(*wakes, *reversed(wakes))
    assert asked.requested_seq == 5


def test_only_the_mark_counts_and_not_what_a_message_claims():
    book("P1", times=2)
    (asked,) = told(TransactionsRecorded(portfolio_id="P1", change_seq=900, recorded_at=NOON))
    assert asked.requested_seq == 2


def test_a_portfolio_that_does_not_exist_requests_nothing():
    assert told(TransactionsRecorded(portfolio_id="NOBODY", change_seq=1, recorded_at=NOON)) == []
    assert told(PositionCalculationDone(portfolio_id="NOBODY", computed_seq=7)) == []
    assert not Calculation.objects.exists()


@pytest.mark.parametrize(
    ("done_seqs", "state"),
    [
        ([1], "DISPATCHED"),  # an older calculation's
        ([2], "DISPATCHED"),
        ([3], "IDLE"),  # what was asked for
        ([4], "IDLE"),  # more than that
        ([3, 3], "IDLE"),  # doubled
        ([3, 1], "IDLE"),  # reordered
        ([1, 2], "DISPATCHED"),
    ],
)
def test_a_done_closes_only_what_it_reaches(done_seqs: list[int], state: str):
    book("P1", times=3)
    told(TransactionsRecorded(portfolio_id="P1", change_seq=3, recorded_at=NOON))
    for seq in done_seqs:
        assert told(PositionCalculationDone(portfolio_id="P1", computed_seq=seq)) == []
    row = calculation("P1")
    assert row.done_seq == max(done_seqs)
    assert row.state == state


def test_a_done_that_did_not_see_the_market_asked_for_closes_nothing():
    settled("P1", EUR)
    row = calculation("P1")
    Calculation.objects.update(requested_market_seq=5, dispatched_market_seq=5, state="DISPATCHED", dispatched_at=NOON)
    told(PositionCalculationDone(portfolio_id="P1", computed_seq=row.done_seq, market_seq=4))
    assert (calculation("P1").done_market_seq, calculation("P1").state) == (4, "DISPATCHED")
    told(PositionCalculationDone(portfolio_id="P1", computed_seq=row.done_seq, market_seq=5))
    assert (calculation("P1").done_market_seq, calculation("P1").state) == (5, "IDLE")


def test_a_calculation_that_is_ahead_of_its_requests_needs_no_dispatch():
    (asked,) = told(book("P1"))
    late = book("P1")
    told(calculated(asked))
    assert calculation("P1").done_seq == 2
    assert told(late) == []


def test_a_failure_is_noted_and_tried_again_after_a_pause_that_doubles(settings):
    settings.RETRY_PAUSE_S, settings.RETRY_PAUSE_MAX_S, settings.CALCULATION_ATTEMPTS_MAX = 1.0, 5.0, 4
    (asked,) = told(book("P1"))
    pauses = []
    for attempt in range(1, 5):
        assert told(failed(asked, f"error {attempt}"), seconds=100 * attempt) == []
        row = calculation("P1")
        assert (row.state, row.error) == ("FAILED", f"error {attempt}")
        assert (row.attempts, row.failures) == (attempt, attempt)
        assert row.not_before is not None
        pauses.append((row.not_before - at(100 * attempt)).total_seconds())
        wake = TransactionsRecorded(portfolio_id="P1", change_seq=1, recorded_at=NOON)
        assert told(wake, seconds=100 * attempt + 0.5) == []
        again = told(wake, seconds=100 * attempt + 50)
        assert again == ([asked] if attempt < 4 else []), "given up after the last attempt"
    assert pauses == [2, 4, 5, 5]


def test_something_new_brings_back_what_was_given_up(settings):
    settings.CALCULATION_ATTEMPTS_MAX = 1
    (asked,) = told(book("P1"))
    told(failed(asked))
    (again,) = told(book("P1"), seconds=1)
    assert again.requested_seq == 2
    row = calculation("P1")
    assert (row.state, row.attempts, row.failures, row.error) == ("DISPATCHED", 1, 0, "a division by zero")
    told(calculated(again), seconds=2)
    row = calculation("P1")
    assert (row.state, row.attempts, row.failures, row.error, row.not_before) == ("IDLE", 0, 0, "", None)


def test_what_was_requested_during_the_last_attempt_is_tried_too(settings):
    settings.CALCULATION_ATTEMPTS_MAX = 1
    (asked,) = told(book("P1"))
    told(book("P1"))
    told(failed(asked), seconds=1)
    (again,) = swept(seconds=60).calculations
    assert again.requested_seq == 2
    told(failed(again), seconds=61)
    assert swept(seconds=9000).calculations == []


def test_what_was_requested_meanwhile_does_not_inherit_the_failures_before_it(settings):
    settings.CALCULATION_ATTEMPTS_MAX, settings.DISPATCH_TIMEOUT_S = 2, 30
    (asked,) = told(book("P1"))
    told(failed(asked))
    assert swept(seconds=60).calculations == [asked]
    assert told(book("P1"), seconds=61) == []
    (newer,) = swept(seconds=1000).calculations
    assert newer.requested_seq == 2
    told(failed(newer), seconds=1001)
    assert calculation("P1").failures == 1
    assert swept(seconds=2000).calculations == [newer]


def test_a_failure_told_when_nothing_is_on_its_way_changes_nothing():
    (asked,) = told(book("P1"))
    told(calculated(asked), seconds=1)
    told(failed(asked), seconds=2)
    row = calculation("P1")
    assert (row.state, row.error, row.done_at) == ("IDLE", "", at(1))


def test_a_success_in_the_batch_of_its_failure_stands():
    (asked,) = told(book("P1"))
    told(failed(asked), calculated(asked))
    assert calculation("P1").state == "IDLE"


def test_an_errors_text_is_bounded_and_has_no_nul():
    (asked,) = told(book("P1"))
    told(failed(asked, "\0" + "x" * 5000))
    assert calculation("P1").error == " " + "x" * (ERROR_CHARACTERS_MAX - 1)


def test_a_dispatch_nobody_answers_is_repeated_after_a_while_that_doubles(settings):
    settings.DISPATCH_TIMEOUT_S = 30
    (asked,) = told(book("P1"))
    wake = TransactionsRecorded(portfolio_id="P1", change_seq=1, recorded_at=NOON)
    assert told(wake, seconds=29) == []
    assert told(wake, seconds=30) == [asked]
    assert told(wake, seconds=30 + 59) == []
    assert told(wake, seconds=30 + 60) == [asked]
    assert calculation("P1").attempts == 3


def test_a_failure_after_dispatches_nobody_answered_is_the_first_and_is_tried_again(settings):
    settings.DISPATCH_TIMEOUT_S, settings.RETRY_PAUSE_S, settings.RETRY_PAUSE_MAX_S = 30, 1.0, 60.0
    settings.CALCULATION_ATTEMPTS_MAX = 5
    (asked,) = told(book("P1"))
    for seconds in (30, 90, 210, 450, 930, 1890):
        assert swept(seconds=seconds).calculations == [asked]

    assert told(failed(asked), seconds=1900) == []
    row = calculation("P1")
    assert (row.state, row.attempts, row.failures, row.not_before) == ("FAILED", 7, 1, at(1902))
    assert swept(seconds=1901).calculations == []

    assert swept(seconds=1902).calculations == [asked]
    assert told(calculated(asked), seconds=1903) == []
    row = calculation("P1")
    assert (row.state, row.pending, row.attempts, row.failures) == ("IDLE", False, 0, 0)


def test_the_statements_of_a_batch_are_as_many_for_three_portfolios_as_for_three_hundred():
    counts = []
    for prefix, many in (("A", 3), ("B", 300)):
        wakes = book_many(f"{prefix}{n}" for n in range(many))
        with CaptureQueriesContext(
            connection,
        ) as recording:
            asked = told(*wakes)
        assert len(asked) == many
        dones = [calculated(one, EUR, AAPL) for one in asked]
        with CaptureQueriesContext(connection) as closing:
            told(*dones)
        assert not Calculation.objects.exclude(state="IDLE").filter(kind="POSITIONS").exists()
        counts.append((len(recording), len(closing)))
    assert counts[0] == counts[1]
    assert sum(counts[0]) < 30
