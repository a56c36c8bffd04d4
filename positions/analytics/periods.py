"""The standard periods of a report that ends on a day: (start, end], so that the start's value is the opening one."""

from __future__ import annotations

import calendar
import datetime
from dataclasses import dataclass

_DECEMBER = 12
_MONTHS_BACK = {"1M": 1, "3M": 3, "6M": 6, "1Y": 12, "3Y": 36, "5Y": 60, "10Y": 120}
PERIODS = ("MTD", "QTD", "YTD", *_MONTHS_BACK, "ITD")


@dataclass(frozen=True, slots=True)
class Period:
    """The days after `start` up to and with `end`."""

    start: datetime.date
    end: datetime.date

    @property
    def days(self) -> int:
        return (self.end - self.start).days


def standard_periods(end: datetime.date, *, first_transaction: datetime.date | None) -> dict[str, Period]:
    """MTD, QTD, YTD, 1M to 10Y and ITD, by name.

    The ones to date begin with the last day before the month, quarter or year of `end`; the ones of months and years on
    the same day of the month so many back, or the last there is. ITD begins on the day before the first transaction,
    and is left out where there is none up to the end.
    """
    quarter = end.month - (end.month - 1) % 3
    starts = {
        "MTD": _day_before(end.replace(day=1)),
        "QTD": _day_before(end.replace(month=quarter, day=1)),
        "YTD": _day_before(end.replace(month=1, day=1)),
        **{name: months_before(end, months) for name, months in _MONTHS_BACK.items()},
    }
    if first_transaction and first_transaction <= end:
        starts["ITD"] = _day_before(first_transaction)
    return {name: Period(start, end) for name, start in starts.items()}


def month_ends(period: Period) -> list[datetime.date]:
    """The last days of months within the period."""
    ends = []
    year, month = period.start.year, period.start.month
    while (last := datetime.date(year, month, calendar.monthrange(year, month)[1])) <= period.end:
        if last > period.start:
            ends.append(last)
        year, month = (year, month + 1) if month < _DECEMBER else (year + 1, 1)
    return ends


def months_before(day: datetime.date, months: int) -> datetime.date:
    """The same day of the month, `months` back; the last of that month where it is shorter; no earlier than year 1."""
    year, month0 = divmod(day.year * 12 + day.month - 1 - months, 12)
    if year < datetime.MINYEAR:
        return datetime.date.min
    return datetime.date(year, month0 + 1, min(day.day, calendar.monthrange(year, month0 + 1)[1]))


def _day_before(day: datetime.date) -> datetime.date:
    return day - datetime.timedelta(days=1) if day > datetime.date.min else day
