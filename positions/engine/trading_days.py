"""Trading days: those of an instrument's exchange where its calendar is known, else Monday to Friday.

The calendars are those of the package exchange-calendars, whose holidays follow rules: a calendar is made once a
process, for a fixed range of years (so that no answer depends on when it is asked), and kept as a sorted list. What
lies outside of that range, or of the years a calendar vouches for, counts from Monday to Friday.
"""

from __future__ import annotations

import datetime
import logging
import threading
import warnings
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache

FIRST_DAY = datetime.date(1990, 1, 1)
LAST_DAY = datetime.date(2050, 12, 31)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Calendar:
    """The trading days of an exchange from one day to another, all of them as ordinals."""

    first: int
    last: int
    days: list[int]

    def days_up_to(self, day: int) -> int:
        """How many trading days there are up to and with the day, less a number that is the same for all days."""
        if day < self.first:
            return _weekdays_up_to(day) - _weekdays_up_to(self.first - 1)
        beyond = _weekdays_up_to(day) - _weekdays_up_to(self.last) if day > self.last else 0
        return bisect_right(self.days, day) + beyond


def trading_days_between(after: datetime.date, until: datetime.date, exchange: str | None = None) -> int:
    """How many trading days lie in (after, until]; 0 where `until` is not the later.

    `exchange` is a market identifier code (XNYS) or another name that exchange-calendars knows (NYSE); where it is
    empty or not known, the days from Monday to Friday are counted.
    """
    if until <= after:
        return 0
    calendar = _calendar_of(exchange.strip()) if exchange else None
    if calendar is None:
        return _weekdays_up_to(until.toordinal()) - _weekdays_up_to(after.toordinal())
    return calendar.days_up_to(until.toordinal()) - calendar.days_up_to(after.toordinal())


def _weekdays_up_to(day: int) -> int:
    """How many days from Monday to Friday there are up to and with an ordinal; that of the first Monday is 1."""
    weeks, weekday = divmod(day - 1, 7)
    return weeks * 5 + min(weekday + 1, 5)


EXCHANGES_KEPT_MAX = 1000
"""Names are free text: no more of them are remembered, known or not."""
_making = threading.Lock()


@lru_cache(maxsize=EXCHANGES_KEPT_MAX)
def _calendar_of(exchange: str) -> _Calendar | None:
    with _making:
        return _made(exchange)


def _made(exchange: str) -> _Calendar | None:
    """The calendar, or None where there is none of that name or the package cannot make it."""
    # Imported when the first exchange is asked for: the package brings pandas, half a second of every start.
    import exchange_calendars  # type: ignore[import-untyped]  # noqa: PLC0415
    from pandas import Timestamp  # type: ignore[import-untyped]  # noqa: PLC0415

    known = exchange_calendars.get_calendar_names()
    name = next((one for one in (exchange, exchange.upper()) if one in known), None)
    if name is None:
        return None
    try:
        with warnings.catch_warnings():
            # What pandas deprecates in the package's code is for the package to mend.
            warnings.simplefilter("ignore")
            # Any year: only the calendar itself says which years it vouches for.
            probe = exchange_calendars.get_calendar(name, start="2025-01-01", end="2025-12-31")
            first = max(Timestamp(FIRST_DAY), probe.bound_min() or Timestamp.min)
            last = min(Timestamp(LAST_DAY), probe.bound_max() or Timestamp.max)
            sessions = type(probe)(start=first, end=last).sessions
    except ValueError as error:
        log.warning("the calendar of %s cannot be made, Monday to Friday are counted: %.200s", exchange, error)
        return None
    return _Calendar(first.toordinal(), last.toordinal(), [session.toordinal() for session in sessions])
