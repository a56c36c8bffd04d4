"""The sweep finds what is owed and not on its way, whatever was lost."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orchestrator.models import Calculation
from portfolio.models import PortfolioChange
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


def test_a_portfolio_nobody_was_told_of_is_found():
    book("P1", times=4)
    (asked,) = swept().calculations
    assert (asked.portfolio_id, asked.requested_seq) == ("P1", 4)


def test_a_change_nobody_was_told_of_is_found():
    settled("P1")
    book("P1")
    (asked,) = swept().calculations
    assert asked.requested_seq == 2


def test_what_is_on_its_way_is_left_alone_until_it_is_overdue(settings):
    settings.DISPATCH_TIMEOUT_S = 30
    (asked,) = told(book("P1"))
    assert swept(seconds=29).calculations == []
    assert swept(seconds=31).calculations == [asked]


def test_what_was_requested_meanwhile_waits_for_the_done():
    told(book("P1"))
    book("P1")
    assert swept(seconds=1).calculations == []
    assert calculation("P1").requested_seq == 2


def test_a_failure_is_tried_again_when_its_pause_is_over():
    (asked,) = told(book("P1"))
    told(failed(asked))
    assert swept(seconds=0.1).calculations == []
    assert swept(seconds=60).calculations == [asked]


def test_what_was_given_up_stays(settings):
    settings.CALCULATION_ATTEMPTS_MAX = 1
    (asked,) = told(book("P1"))
    told(failed(asked))
    assert swept(seconds=10_000).calculations == []
    assert calculation("P1").state == "FAILED"


def test_the_walk_goes_on_where_it_was_and_starts_anew_after_the_last():
    book_many(f"P{n}" for n in range(1, 6))
    found = []
    after = ""
    for _ in range(3):
        step = swept(after=after, portfolios_max=2)
        found.append([one.portfolio_id for one in step.calculations])
        after = step.next_after
    assert found == [["P1", "P2"], ["P3", "P4"], ["P5"]]
    assert after == ""


def test_ids_are_walked_by_code_point():
    names = ["a", "B", "Z", "_", "ä", "😀", "10", "9"]
    book_many(names)
    found, after = [], ""
    for _ in names:
        step = swept(after=after, portfolios_max=1)
        found += [one.portfolio_id for one in step.calculations]
        after = step.next_after
    assert found == sorted(names)


def test_an_empty_house_is_swept():
    assert swept() == swept(after="P9")


def test_where_nothing_is_owed_a_sweep_is_three_reads():
    settled("P1")
    with CaptureQueriesContext(connection) as queries:
        assert swept(seconds=99).calculations == []
    statements = [q["sql"].split()[0] for q in queries if not q["sql"].startswith(("SAVEPOINT", "RELEASE"))]
    assert statements == ["SELECT", "SELECT", "SELECT"]


def test_a_step_reads_a_range_of_each_table_and_not_the_whole():
    book_many(f"P{n:05}" for n in range(20_000))
    PortfolioChange.objects.update(change_seq=1)
    step = swept()
    assert len(step.calculations) == 20_000
    told(*[calculated(one) for one in step.calculations[:1]])
    Calculation.objects.update(done_seq=1, state="IDLE")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE portfolio_changes, calculations")
    with CaptureQueriesContext(connection) as queries:
        swept(after="P10000", portfolios_max=100)
    (walk,) = [q["sql"] for q in queries if "LEFT JOIN calculations" in q["sql"]]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {walk}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Seq Scan" not in plan


def test_a_timed_out_dispatch_counts_its_attempts():
    told(book("P1"))
    for attempt, seconds in enumerate((30, 90, 210, 450, 930, 1890, 2850), start=2):
        assert len(swept(seconds=seconds).calculations) == 1, at(seconds)
        assert calculation("P1").attempts == attempt
