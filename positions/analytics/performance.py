"""The returns of a portfolio, or a part of one, in a period and in the standard periods that end with it.

Between two days on which something flowed, the returns of the days multiply to the ratio of the values at both ends. So
most days of a long history say nothing that others do not, and `telling_days` leaves them out.
"""

from __future__ import annotations

import datetime
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import chain
from operator import attrgetter

from positions.analytics.days import Day, days_of
from positions.analytics.money_weighted import MoneyWeightedReturn, money_weighted_return
from positions.analytics.periods import Period, month_ends, standard_periods
from positions.analytics.returns import (
    CumulativeReturn,
    Figure,
    FlowTiming,
    TimeWeightedReturn,
    cumulative_returns,
    modified_dietz,
    time_weighted_returns,
)


class SeriesOf(StrEnum):
    """Which days a series has."""

    DAILY = "daily"
    MONTHLY = "monthly"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class PeriodReturns:
    """The returns of one period, by three measures."""

    period: Period
    time_weighted: TimeWeightedReturn
    money_weighted: MoneyWeightedReturn
    modified_dietz: Figure

    @property
    def flags(self) -> frozenset[str]:
        return self.time_weighted.flags | self.money_weighted.flags


@dataclass(frozen=True, slots=True)
class Performance:
    """The returns of the period asked about, of the standard ones with the same end, and the series."""

    returns: PeriodReturns
    periods: Mapping[str, PeriodReturns]
    series_of: SeriesOf
    series: Sequence[CumulativeReturn]


def days_needed(start: datetime.date, end: datetime.date, first_transaction: datetime.date | None) -> datetime.date:
    """The first day that `performance` must be given for this period and all standard ones."""
    periods = standard_periods(end, first_transaction=first_transaction)
    return min([start, *(period.start for period in periods.values())])


def marks(period: Period, first_transaction: datetime.date | None, series_of: SeriesOf) -> set[datetime.date]:
    """The days that must be among those given to `performance`, whatever happened on them; of a daily series all."""
    periods = standard_periods(period.end, first_transaction=first_transaction)
    return {period.start, period.end, *(of.start for of in periods.values()), *(_points(period, series_of) or ())}


def telling_days(days: Sequence[Day], marks: Collection[datetime.date], *, gross: bool) -> list[Day]:
    """The days that returns are made from: the marks; those with a flow, without capital or, for gross returns, with a
    fee; and the neighbours of these. `days` may have lost others already.
    """
    tells = [_tells(day) or (gross and bool(day.fees or day.fees_in_cost)) for day in days]
    beside = zip(days, tells, [False, *tells[:-1]], [*tells[1:], False], strict=True)
    return [day for day, here, before, after in beside if here or before or after or day.date in marks]


def _tells(day: Day) -> bool:
    # An unknown amount counts as one; and it cannot be compared.
    return bool(day.inflow or day.outflow) or day.value.is_nan() or day.value <= 0


def performance(
    days: Sequence[Day],
    period: Period,
    *,
    first_transaction: datetime.date | None,
    flow_timing: FlowTiming = FlowTiming.START_IN_END_OUT,
    gross: bool = False,
    series_of: SeriesOf = SeriesOf.DAILY,
) -> Performance:
    """The performance of the period, from the days of at least it and the standard periods (see `days_needed`): all of
    them, or, before a daily series, the `telling_days` among them.
    """
    periods = standard_periods(period.end, first_transaction=first_transaction)
    starts = {period.start, *(of.start for of in periods.values())}
    needed = marks(period, first_transaction, SeriesOf.MONTHLY if series_of is SeriesOf.MONTHLY else SeriesOf.NONE)
    telling = telling_days(days_of(days, start=min(starts), end=period.end), needed, gross=gross)
    linked = time_weighted_returns(telling, starts, flow_timing=flow_timing, gross=gross)
    flowing = [day for day in telling if day.inflow or day.outflow]

    @cache
    def returns(of: Period) -> PeriodReturns:
        since = bisect_left(telling, of.start, key=_date)
        within = flowing[bisect_left(flowing, of.start + datetime.timedelta(days=1), key=_date) :]
        ends = [] if (within and within[-1].date == of.end) or of.start == of.end else [telling[-1]]
        ordered = list(chain([telling[since]], within, ends))
        return PeriodReturns(of, linked[of.start], money_weighted_return(ordered), modified_dietz(ordered))

    of_series = days if series_of is SeriesOf.DAILY else telling
    return Performance(
        returns(period),
        {name: returns(of) for name, of in periods.items()},
        series_of,
        []
        if series_of is SeriesOf.NONE
        else cumulative_returns(
            days_of(of_series, start=period.start, end=period.end),
            at=_points(period, series_of),
            flow_timing=flow_timing,
            gross=gross,
        ),
    )


def _points(period: Period, series_of: SeriesOf) -> set[datetime.date] | None:
    """The days of the series; None: all that there are."""
    match series_of:
        case SeriesOf.DAILY:
            return None
        case SeriesOf.MONTHLY:
            return {*month_ends(period), period.end}
        case SeriesOf.NONE:
            return set()


_date = attrgetter("date")
