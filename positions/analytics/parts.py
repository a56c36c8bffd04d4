"""A part of a portfolio by itself: some of its holdings, as if they were a portfolio without cash.

What is paid into a holding comes in, what it pays goes out: purchases and sales at the amounts they were booked at, in
kind at what it is worth on its day, and income, which leaves the part for the cash. Fees and taxes that are reported
are paid for the part by money from outside, so that they lower its return. What passes between two holdings of the part
is no flow. The values of all parts add up to the portfolio's securities, and a part's result over a period, closing
less opening value less what came in plus what went out, to the gains, income, fees and taxes of its statement's rows.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection
from dataclasses import dataclass

from portfolio.amounts import NIL, Amount, Base, number_of
from portfolio.dates import ONE_DAY
from portfolio.money import exact
from positions.analytics.days import Day
from positions.analytics.history import History, MoveValue
from positions.analytics.series import worths
from positions.engine.holdings import Holding, HoldingKey, Kind


@dataclass(slots=True)
class _Sums:
    """A day while it is added up."""

    value: Amount[Base] = NIL
    inflow: Amount[Base] = NIL
    outflow: Amount[Base] = NIL
    income: Amount[Base] = NIL
    fees: Amount[Base] = NIL
    taxes: Amount[Base] = NIL
    fees_in_cost: Amount[Base] = NIL
    flags: frozenset[str] = frozenset()
    missing: str = ""

    def put_in(self, amount: Amount[Base]) -> None:
        """An amount that comes in; a negative one goes out, so that flows are unsigned."""
        if amount.is_signed():
            self.outflow -= amount
        else:
            self.inflow += amount


def part_days(history: History, security_ids: Collection[str], first: datetime.date, last: datetime.date) -> list[Day]:
    """The days from `first` to `last` of these securities alone, in the portfolio's base currency."""
    with exact():
        sums = [_Sums() for _ in range((last - first).days + 1)]
        before = first - ONE_DAY
        for security_id in security_ids:
            key = HoldingKey(Kind.SECURITY, security_id)
            timeline = history.timelines.get(key)
            if timeline is None:
                continue
            for index, worth in worths(history, key, first, last):
                day = sums[index]
                day.value += worth.value
                day.flags |= worth.flags
                day.missing = day.missing or worth.missing
            for earlier, state, date in timeline.changes(before, last):
                _add_growth(sums[(date - first).days], earlier, state)
        for move in history.moves_in(before, last):
            _add_move(sums[(move.move.date - first).days], move, security_ids)
        return [_day(first + index * ONE_DAY, of_day) for index, of_day in enumerate(sums)]


def _add_growth(day: _Sums, earlier: Holding | None, state: Holding) -> None:
    income, fees, taxes = (state.grown(name, earlier) for name in ("income_base", "fees_base", "taxes_base"))
    day.income += income
    day.fees += fees
    day.taxes += taxes
    day.fees_in_cost += state.grown("fees_in_cost_base", earlier)
    for amount in (
        state.grown("money_in_base", earlier),
        -state.grown("money_out_base", earlier),
        -income,
        fees,
        taxes,
    ):
        if amount:
            day.put_in(amount)


def _add_move(day: _Sums, value: MoveValue, security_ids: Collection[str]) -> None:
    source_id, target_id = value.move.source_id, value.move.target_id
    if target_id in security_ids and source_id not in security_ids:
        day.put_in(value.worth)
    elif source_id in security_ids and target_id not in security_ids:
        # What leaves the portfolio is negative already.
        day.put_in(-value.worth if target_id else value.worth)


def _day(date: datetime.date, sums: _Sums) -> Day:
    return Day(
        date=date,
        value=number_of(sums.value),
        securities=number_of(sums.value),
        inflow=number_of(sums.inflow),
        outflow=number_of(sums.outflow),
        income=number_of(sums.income),
        fees=number_of(sums.fees),
        taxes=number_of(sums.taxes),
        fees_in_cost=number_of(sums.fees_in_cost),
        flags=sums.flags,
        missing=sums.missing,
    )
