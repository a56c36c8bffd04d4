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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise

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


@dataclass(frozen=True, slots=True)
class DayReturn:
    """The return of one day on the capital that worked in it; `capital` is UNKNOWN where a value or a flow is."""

    date: datetime.date
    capital: Decimal
    rate: Figure
    flags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class CumulativeReturn:
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


def day_return(
    before: Day, day: Day, *, flow_timing: FlowTiming = FlowTiming.START_IN_END_OUT, gross: bool = False
) -> DayReturn:
    """The return of `day`, the one before it being `before`."""
    with exact():
        capital, result = _capital_and_result(before, day, flow_timing)
        if gross:
            result += day.fees + day.fees_in_cost
        unknown = before.why_unknown(before.value) or day.why_unknown(capital, result)
        if unknown:
            return DayReturn(day.date, capital, unknown)
        if capital < 0:
            return DayReturn(day.date, capital, unavailable("NEGATIVE_CAPITAL"))
        if not capital:
            return DayReturn(day.date, capital, ZERO, frozenset({GAIN_WITHOUT_CAPITAL} if result else ()))
        return DayReturn(day.date, capital, result / capital - ONE)


def _capital_and_result(before: Day, day: Day, flow_timing: FlowTiming) -> tuple[Decimal, Decimal]:
    match flow_timing:
        case FlowTiming.START_IN_END_OUT:
            return before.value + day.inflow, day.value + day.outflow
        case FlowTiming.START:
            return before.value + day.inflow - day.outflow, day.value
        case FlowTiming.END:
            return before.value, day.value + day.outflow - day.inflow


def daily_returns(
    days: Sequence[Day], *, flow_timing: FlowTiming = FlowTiming.START_IN_END_OUT, gross: bool = False
) -> list[DayReturn]:
    """The returns of the days of a period, its start left out."""
    return [day_return(before, day, flow_timing=flow_timing, gross=gross) for before, day in pairwise(days)]


def linked(rates: Iterable[Figure]) -> Figure:
    """What returns one after the other come to; unavailable as the first of them that is."""
    return (_links(rates) or [ZERO])[-1]


def _links(rates: Iterable[Figure]) -> list[Figure]:
    """What the returns have come to after each of them."""
    growth, totals = ONE, list[Figure]()
    lost: Unavailable | None = None
    with exact():
        for rate in rates:
            if isinstance(rate, Unavailable):
                lost = lost or rate
            else:
                growth *= ONE + rate
            totals.append(lost or growth - ONE)
    return totals


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
    returns = daily_returns(days, flow_timing=flow_timing, gross=gross)
    total = linked(day.rate for day in returns)
    start, end = days[0].date, days[-1].date
    return TimeWeightedReturn(
        start=start,
        end=end,
        flow_timing=flow_timing,
        gross=gross,
        time_weighted_return=_kept(total),
        time_weighted_return_annualized=annualized(total, (end - start).days),
        flags=frozenset().union(*(day.flags for day in returns)),
    )


def cumulative_returns(
    days: Sequence[Day], *, flow_timing: FlowTiming = FlowTiming.START_IN_END_OUT, gross: bool = False
) -> list[CumulativeReturn]:
    """The series of a period, day by day after its start; from the first return that is unavailable on, all are."""
    returns = daily_returns(days, flow_timing=flow_timing, gross=gross)
    totals = list(_links(day.rate for day in returns))
    return [
        CumulativeReturn(day.date, day.why_unknown(day.value) or day.value, _kept(of_day.rate), _kept(total))
        for day, of_day, total in zip(days[1:], returns, totals, strict=True)
    ]


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
