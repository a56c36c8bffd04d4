"""Where the standard periods begin: on the day whose closing value is the opening one."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from positions.analytics.periods import Period, months_before, standard_periods

D = datetime.date


def starts(end, first_transaction=None):
    return {name: period.start for name, period in standard_periods(end, first_transaction=first_transaction).items()}


def test_the_periods_of_a_day_in_summer():
    assert starts(D(2025, 8, 20), D(2019, 3, 4)) == {
        "MTD": D(2025, 7, 31),
        "QTD": D(2025, 6, 30),
        "YTD": D(2024, 12, 31),
        "1M": D(2025, 7, 20),
        "3M": D(2025, 5, 20),
        "6M": D(2025, 2, 20),
        "1Y": D(2024, 8, 20),
        "3Y": D(2022, 8, 20),
        "5Y": D(2020, 8, 20),
        "10Y": D(2015, 8, 20),
        "ITD": D(2019, 3, 3),
    }


def test_to_date_on_the_first_day_is_that_day_alone():
    assert [starts(D(2025, 1, 1))[name] for name in ("MTD", "QTD", "YTD")] == [D(2024, 12, 31)] * 3
    assert starts(D(2025, 4, 1))["QTD"] == D(2025, 3, 31)


@pytest.mark.parametrize(
    ("end", "months", "start"),
    [
        (D(2025, 3, 31), 1, D(2025, 2, 28)),
        (D(2024, 3, 31), 1, D(2024, 2, 29)),
        (D(2025, 5, 31), 3, D(2025, 2, 28)),
        (D(2024, 2, 29), 12, D(2023, 2, 28)),
        (D(2025, 2, 28), 12, D(2024, 2, 28)),
        (D(2025, 1, 15), 1, D(2024, 12, 15)),
        (D(5, 1, 1), 120, D(1, 1, 1)),
    ],
)
def test_a_month_back_is_the_same_day_or_the_last_of_a_shorter_month(end, months, start):
    assert months_before(end, months) == start


def test_inception_to_date_needs_a_transaction_that_is_not_later():
    assert "ITD" not in starts(D(2025, 1, 1))
    assert "ITD" not in starts(D(2025, 1, 1), D(2025, 1, 2))
    assert starts(D(2025, 1, 1), D(2025, 1, 1))["ITD"] == D(2024, 12, 31)


def test_a_period_has_the_days_after_its_start():
    assert Period(D(2024, 12, 31), D(2025, 12, 31)).days == 365


@given(st.dates(D(1900, 1, 1), D(2100, 1, 1)))
def test_a_longer_period_begins_earlier_and_none_begins_after_its_end(end):
    begin = starts(end)

    assert end > begin["MTD"] >= begin["QTD"] >= begin["YTD"]
    assert end > begin["1M"] > begin["3M"] > begin["6M"] > begin["1Y"] > begin["3Y"] > begin["5Y"] > begin["10Y"]
