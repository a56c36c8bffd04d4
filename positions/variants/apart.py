"""What is booked for one answer runs apart from the door: few at a time in a process, and nobody waits in a row."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from portfolio.problems import TooMany

RETRY_AFTER_S = 1

_booking = threading.BoundedSemaphore(settings.BOOKED_AT_ONCE_MAX)
"""What-ifs and variants share it, so that they never take the door's threads together."""


@contextmanager
def apart() -> Iterator[None]:
    """Book within, unless as many are being booked in this process as may be. Raises TooMany."""
    if not _booking.acquire(blocking=False):
        raise TooMany("Another what-if or variant is being booked here. Try again.", retry_after_s=RETRY_AFTER_S)
    try:
        yield
    finally:
        _booking.release()
