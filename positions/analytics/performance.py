"""The returns of a portfolio, or a part of one, in a period and in the standard periods that end with it."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from positions.analytics.days import Day, days_of
from positions.analytics.money_weighted import MoneyWeightedReturn, money_weighted_return
from positions.analytics.periods import Period, standard_periods
from positions.analytics.returns import (
    CumulativeReturn,
    Figure,
    FlowTiming,
    TimeWeightedReturn,
    cumulative_returns,
    modified_dietz,
    time_weighted_return,
)


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
    """The returns of the period asked about, of the standard ones with the same end, and the series day by day."""

    returns: PeriodReturns
    periods: Mapping[str, PeriodReturns]
    series: Sequence[CumulativeReturn]
    flags: frozenset[str]


def days_needed(start: datetime.date, end: datetime.date, first_transaction: datetime.date | None) -> datetime.date:
    """The first day that `performance` must be given for this period and all standard ones."""
    periods = standard_periods(end, first_transaction=first_transaction)
    return min([start, *(period.start for period in periods.values())])


def performance(
    days: Sequence[Day],
    period: Period,
    *,
    first_transaction: datetime.date | None,
    flow_timing: FlowTiming = FlowTiming.START_IN_END_OUT,
    gross: bool = False,
) -> Performance:
    """The performance of the period, from the days of at least it and the standard periods (see `days_needed`)."""

    def returns(of: Period) -> PeriodReturns:
        of_period = days_of(days, start=of.start, end=of.end)
        return PeriodReturns(
            of,
            time_weighted_return(of_period, flow_timing=flow_timing, gross=gross),
            money_weighted_return(of_period),
            modified_dietz(of_period),
        )

    asked = days_of(days, start=period.start, end=period.end)
    return Performance(
        returns(period),
        {name: returns(of) for name, of in standard_periods(period.end, first_transaction=first_transaction).items()},
        cumulative_returns(asked, flow_timing=flow_timing, gross=gross),
        frozenset().union(*(day.flags for day in asked)),
    )
