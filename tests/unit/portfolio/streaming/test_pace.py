"""When a worker ends by itself, and how long it waits."""

from __future__ import annotations

import time

import pytest

from portfolio.streaming.pace import Pace, Until


def test_without_a_word_a_worker_never_ends() -> None:
    assert not Until().is_enough(10**9)
    assert not Until().is_quiet_enough(10**9)


def test_so_many_records_and_no_more() -> None:
    until = Until(records_max=10)
    assert until.records_left(0, 5000) == 10
    assert until.records_left(7, 5000) == 3
    assert until.records_left(0, 4) == 4
    assert until.is_enough(10)
    assert not until.is_enough(9)


def test_a_poll_does_not_outlast_what_is_due() -> None:
    pace = Pace(poll_timeout_s=0.5)
    assert pace.poll_s(until=Until(), due_at=None) == 0.5
    assert pace.poll_s(until=Until(idle_s=0.2), due_at=None) == 0.2
    assert pace.poll_s(until=Until(), due_at=time.monotonic() - 1) == 0
    assert pace.poll_s(until=Until(), due_at=time.monotonic() + 0.3) == pytest.approx(0.3, abs=0.05)
    assert pace.poll_s(until=Until(once=True), due_at=None) < 0.5


def test_the_settings_say_how_fast(settings: object) -> None:
    settings.BATCH_RECORDS_MAX, settings.RETRY_PAUSE_MAX_S = 77, 3.0  # type: ignore[attr-defined]
    assert Pace.from_settings().batch_records_max == 77
    assert Pace.from_settings(batch_records_max=5).batch_records_max == 5
    assert Pace.from_settings().retry_pause_max_s == 3.0
