"""Time-weighted and Modified Dietz returns, from end-of-day values and external flows.

The return of a day is `result / capital - 1`. When the day's flows worked is a policy, `FlowTiming`:

* START_IN_END_OUT: inflows from the start of the day, outflows to its end: `(V + Out) / (V_prev + In) - 1`.
* START: everything at the start: `V / (V_prev + In - Out) - 1`. What leaves earns nothing on its last day; where all is
  sold at a gain and withdrawn, the capital is below zero, and there is no return.
* END: everything at the end: `(V + Out - In) / V_prev - 1`. What comes in earns nothing on its first day: a gain made
  with it then counts as made by what was there before, or as made without capital.

Without capital the return is 0, and flagged where there is a result all the same; with capital below zero there is
none. Gross returns add the day's fees to the result, trade fees among them. Returns are fractions.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from portfolio.money import ONE, ZERO, exact
from positions.analytics.days import Day, kept
from positions.analytics.unavailable import Unavailable, unavailable

DAYS_OF_YEAR = 365
GAIN_WITHOUT_CAPITAL = "GAIN_WITHOUT_CAPITAL"

Figure = Decimal | Unavailable


class FlowTiming(StrEnum):
    """From when on, and until when, the flows of a day count as capital."""

    START_IN_END_OUT = "start_in_end_out"
    START = "start"
    END = "end"


class DayReturn(NamedTuple):
    """The return of one day on the capital that worked in it; `capital` is UNKNOWN where a value or a flow is."""

    date: datetime.date
    capital: Decimal
    rate: Figure
    flags: frozenset[str] = frozenset()


class CumulativeReturn(NamedTuple):
    """A day of a series: its value, its return, and the return since the start of the period."""

    date: datetime.date
    value: Figure
    rate: Figure
    cumulative: Figure


@dataclass(frozen=True, slots=True)
class TimeWeightedReturn:
    """The linked return of the period (start, end] and, from a year on, what it is a year."""

    start: datetime.date
    end: datetime.date
    flow_timing: FlowTiming
    gross: bool
    time_weighted_return: Figure
    time_weighted_return_annualized: Figure
    flags: frozenset[str]


_Worked = Callable[[Day, Day], tuple[Decimal, Decimal]]
"""The capital of a day and its result, from the day before and the day."""
_WORKED: Mapping[FlowTiming, _Worked] = {
    FlowTiming.START_IN_END_OUT: lambda before, day: (before.value + day.inflow, day.value + day.outflow),
    FlowTiming.START: lambda before, day: (before.value + day.inflow - day.outflow, day.value),
    FlowTiming.END: lambda before, day: (before.value, day.value + day.outflow - day.inflow),
}


def _day_return(before: Day, day: Day, worked: _Worked, *, gross: bool) -> DayReturn:
    capital, result = worked(before, day)
    if gross:
        result += day.fees + day.fees_in_cost
    if capital.is_nan() or result.is_nan():
        unknown = before.why_unknown(before.value) or day.why_unknown(capital, result)
        assert unknown, "one of the two is"
        return DayReturn(day.date, capital, unknown)
    if capital < 0:
        return DayReturn(day.date, capital, unavailable("NEGATIVE_CAPITAL"))
    if not capital:
        return DayReturn(day.date, capital, ZERO, frozenset({GAIN_WITHOUT_CAPITAL} if result else ()))
    return DayReturn(day.date, capital, result / capital - ONE)


def daily_returns(
    days: Sequence[Day], *, flow_timing: FlowTiming = FlowTiming.START_IN_END_OUT, gross: bool = False
) -> list[DayReturn]:
    """The returns of the days of a period, its start left out."""
    worked = _WORKED[flow_timing]
    with exact():
        return [_day_return(before, day, worked, gross=gross) for before, day in pairwise(days)]


def linked(rates: Iterable[Figure]) -> Figure:
    """What returns one after the other come to; unavailable as the first of them that is."""
    growth = ONE
    with exact():
        for rate in rates:
            if isinstance(rate, Unavailable):
                return rate
            growth *= ONE + rate
        return growth - ONE


def annualized(total: Figure, days: int) -> Figure:
    """`(1 + total)^(365/days) - 1`, from 365 days on: a shorter period says nothing about a year.

    A loss of more than everything has no root, and is unavailable as NEGATIVE_CAPITAL.
    """
    if isinstance(total, Unavailable):
        return total
    if days < DAYS_OF_YEAR:
        return unavailable("PERIOD_TOO_SHORT")
    with exact():
        growth = ONE + total
        if growth < 0:
            return unavailable("NEGATIVE_CAPITAL", "more than all of the capital was lost")
        return kept(growth ** (Decimal(DAYS_OF_YEAR) / days) - ONE)


def time_weighted_return(
    days: Sequence[Day], *, flow_timing: FlowTiming = FlowTiming.START_IN_END_OUT, gross: bool = False
) -> TimeWeightedReturn:
    """The time-weighted return of a period; `days` holds its start and every day after it, at least the start."""
    (found,) = time_weighted_returns(days, [days[0].date], flow_timing=flow_timing, gross=gross).values()
    return found


def time_weighted_returns(
    days: Sequence[Day],
    starts: Iterable[datetime.date],
    *,
    flow_timing: FlowTiming = FlowTiming.START_IN_END_OUT,
    gross: bool = False,
) -> dict[datetime.date, TimeWeightedReturn]:
    """Those of periods that all end with the last of the days, by their starts, each of which is one of the days."""
    returns = daily_returns(days, flow_timing=flow_timing, gross=gross)
    end, growth, flags = days[-1].date, ONE, frozenset[str]()
    lost: Unavailable | None = None
    asked, found = set(starts), dict[datetime.date, TimeWeightedReturn]()

    def note(start: datetime.date) -> None:
        if start in asked:
            total = lost or growth - ONE
            annual = annualized(total, (end - start).days)
            found[start] = TimeWeightedReturn(start, end, flow_timing, gross, _kept(total), annual, flags)

    with exact():
        note(end)
        # From the end back: so each day is linked once, however many periods it lies in.
        for of_day, before in zip(reversed(returns), reversed(days[:-1]), strict=True):
            if isinstance(of_day.rate, Unavailable):
                lost = of_day.rate
            elif lost is None:
                growth *= ONE + of_day.rate
            flags |= of_day.flags
            note(before.date)
    assert len(found) == len(asked), "a period begins with one of the days"
    return found


def cumulative_returns(
    days: Sequence[Day],
    *,
    at: Collection[datetime.date] | None = None,
    flow_timing: FlowTiming = FlowTiming.START_IN_END_OUT,
    gross: bool = False,
) -> list[CumulativeReturn]:
    """The series of a period: its days after the start, or those of them `at` which it is asked for, each with the
    return since the one before. From the first return that is unavailable on, all that is cumulative is.
    """
    series: list[CumulativeReturn] = []
    before: Figure = ZERO
    since: Figure = ZERO
    with exact():
        for day, of_day in zip(days[1:], daily_returns(days, flow_timing=flow_timing, gross=gross), strict=True):
            since = _chained(since, of_day.rate)
            if at is None or day.date in at:
                before = _chained(before, since)
                value = day.why_unknown(day.value) if day.value.is_nan() else day.value
                assert value is not None, "unknown for a reason"
                series.append(CumulativeReturn(day.date, value, _kept(since), _kept(before)))
                since = ZERO
    return series


def _chained(total: Figure, rate: Figure) -> Figure:
    if isinstance(total, Unavailable):
        return total
    if isinstance(rate, Unavailable) or not total:
        return rate
    return (ONE + total) * (ONE + rate) - ONE


def modified_dietz(days: Sequence[Day]) -> Figure:
    """`(V1 - V0 - F) / (V0 + sum of w F)`, w = (D - d)/D for a net flow at the end of day d of D.

    Unavailable as NO_CAPITAL or NEGATIVE_CAPITAL where the average capital is zero or below.
    """
    first, last = days[0], days[-1]
    unknown = first.why_unknown(first.value) or last.why_unknown(last.value)
    length = (last.date - first.date).days
    with exact():
        flows, average = ZERO, first.value
        for day in days[1:]:
            net = day.inflow - day.outflow
            unknown = unknown or day.why_unknown(net)
            if net:
                flows += net
                average += net * (last.date - day.date).days / length
        if unknown:
            return unknown
        if average <= 0:
            return unavailable("NEGATIVE_CAPITAL" if average else "NO_CAPITAL")
        return kept((last.value - first.value - flows) / average)


def _kept(figure: Figure) -> Figure:
    return figure if isinstance(figure, Unavailable) else kept(figure)
