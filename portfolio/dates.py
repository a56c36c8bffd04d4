"""Days: the one that it is, and how far back one may ask. All moments are UTC, and so is the day that they are of.

Trade dates are dates as written and have nothing to do with these.
"""

from __future__ import annotations

import datetime

ONE_DAY = datetime.timedelta(days=1)
DAYS_MAX = 36_525
"""A hundred years: a question or a calculation goes over so many days at most, whatever year was mistyped."""


def current_day() -> datetime.date:
    """The day that it is: for the edges, which pass it on."""
    return day_of(datetime.datetime.now(datetime.UTC))


def day_of(moment: datetime.datetime) -> datetime.date:
    """The day on which a moment (with its offset) is in UTC."""
    return moment.astimezone(datetime.UTC).date()
