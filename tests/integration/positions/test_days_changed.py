"""What each calculation says of the days it has changed: nothing before the day it names is other than it was."""

from __future__ import annotations

import datetime
import random
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portfolio.streaming.messages import RawPortfolio, SubmittedPortfolio
from positions.models import PositionChange
from tests import pipeline
from tests.histories import METHODS, a_history
from tests.pipeline import transaction

pytestmark = pytest.mark.django_db(transaction=True)

D = Decimal


def days_of(portfolio_id: str) -> dict[datetime.date, set[Any]]:
    """The rows of position_days by day, as text."""
    days: dict[datetime.date, set[Any]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT position_date, (to_jsonb(d) - 'id')::text FROM position_days AS d WHERE portfolio_id = %s",
            [portfolio_id],
        )
        for day, row in cursor.fetchall():
            days.setdefault(day, set()).add(row)
    return days


def noted() -> list[tuple[int, str]]:
    return [(row.computed_seq, str(row.changed_from)) for row in PositionChange.objects.order_by("id")]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6), method=st.sampled_from(METHODS), batch=st.integers(1, 12))
def test_no_day_before_the_one_noted_is_other_than_before(seed, method, batch):
    pipeline.forget(["P1"])
    portfolio = SubmittedPortfolio(portfolio_id="P1", base_currency="USD", cost_basis_method=method)
    pipeline.record_reference(RawPortfolio(portfolio=portfolio))
    arriving = a_history(seed, 40)
    random.Random(seed).shuffle(arriving)
    for start in range(0, len(arriving), batch):
        before = days_of("P1")
        PositionChange.objects.all().delete()
        pipeline.record(*arriving[start : start + batch])
        pipeline.calculate("P1")

        after = days_of("P1")
        differing = [day for day in before.keys() | after.keys() if before.get(day) != after.get(day)]
        rows = list(PositionChange.objects.all())
        assert len(rows) <= 1
        if differing:
            assert rows[0].changed_from <= min(differing)


def test_each_calculation_that_changes_something_notes_from_when_on():
    buy = {"security_id": "AAA", "quantity": D(1), "price": D(5)}
    pipeline.record(transaction("BUY", **buy, transaction_id="B1", transaction_date="2025-01-06"))
    pipeline.calculate("P1")
    pipeline.record(transaction("BUY", **buy, transaction_date="2025-01-08"))
    pipeline.calculate("P1")
    pipeline.calculate("P1")
    cancelled = {"transaction_id": "B1", "version": 2, "status": "CANCELLED"}
    pipeline.record(transaction("BUY", **buy, **cancelled, transaction_date="2025-01-09"))
    pipeline.calculate("P1")

    # The third calculation found nothing new; what the fourth takes away was of the 6th, whatever date it bears.
    assert noted() == [(1, "2025-01-06"), (2, "2025-01-08"), (3, "2025-01-06")]
