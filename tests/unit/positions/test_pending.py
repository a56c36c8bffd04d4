"""What an answer says of calculations on their way."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from positions.api.serializers import PendingSerializer
from positions.pending import pending_answer
from positions.queries import Pending

MOMENTS = (
    datetime(2025, 1, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2025, 1, 31, tzinfo=UTC),
    datetime(2025, 2, 1, 1, 30, 0, 120, tzinfo=timezone(timedelta(hours=2))),
)


@pytest.mark.parametrize("since", MOMENTS)
@pytest.mark.parametrize("error", ["", "a price is missing"])
def test_what_is_pending_is_told_as_the_schema_describes_it(since, error):
    pending = Pending(since, error)
    assert pending_answer(pending) == PendingSerializer(pending).data


def test_a_moment_is_told_in_utc_with_its_microseconds():
    # 01:30:00.000120 two hours east of Greenwich is 23:30:00.000120 of the day before there.
    assert pending_answer(Pending(MOMENTS[2], "")) == {"since": "2025-01-31T23:30:00.000120Z", "error": ""}


def test_nothing_is_said_where_all_is_calculated():
    assert pending_answer(None) is None
