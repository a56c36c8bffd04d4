"""The performance of several portfolios as one: what their owner, or whoever may read them all, has earned together."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Sequence
from typing import Any

from portfolio.dates import ONE_DAY
from positions.analytics.benchmark import Benchmark, days_of_benchmark
from positions.analytics.days import Day
from positions.analytics.days import days_of as days_within
from positions.analytics.groups import added_up, converted, within_group
from positions.analytics.performance import days_needed, performance
from positions.analytics.returns import FlowTiming
from positions.analytics.unavailable import DETAILS
from positions.calculating.market import instrument_terms, market
from positions.pending import pending_answer
from positions.periods.answers import performance_answer
from positions.periods.benchmark_prices import quoted_prices
from positions.periods.days import stored_days, with_nothing_before
from positions.periods.group_transfers import transfers_between
from positions.periods.questions import asked_period, asked_series
from positions.periods.sources import remarks_listed
from positions.valuing.day_rows import remark_answer, remarks_of
from positions.valuing.valued_days import ValuedDays
from positions.variants.asked import Reading


def group_performance(group: Sequence[Reading], asked: dict[str, Any]) -> dict[str, Any]:
    """`performance` of the contract for all of them, in the currency asked for or the first one's base.

    They were read within one snapshot. Raises rest_framework's ValidationError.
    """
    valued = [stored_days(found) for found in group]
    first_transaction = min((one.first + ONE_DAY for one in valued if one.first), default=None)
    of = asked_period(asked, first_transaction)
    bases = (found.state.base_currency for found in group)
    currency = asked.get("currency") or next(filter(None, bases), "")
    first, last = days_needed(of.period.start, of.period.end, first_transaction), of.period.end
    days = _days(valued, currency, first, last)
    returns = performance(
        days,
        of.period,
        first_transaction=first_transaction,
        flow_timing=FlowTiming(asked["flow_timing"]),
        gross=asked["gross"],
        series_of=asked_series(asked, of.period),
    )
    asked_days = days_within(days, start=of.period.start, end=last)
    remarks = remarks_of(asked_days)
    pending = next((one.pending for one in valued if one.pending), None)
    return {
        "portfolio_ids": [found.mark.portfolio_id for found in group],
        "base_currency": currency,
        "as_of": last,
        "known_at": min(found.known_at for found in group),
        "pending": pending_answer(pending),
        "period": of.name,
        **performance_answer(
            returns,
            flags={one.code for one in remarks} - DETAILS.keys(),
            benchmark=_benchmark(asked["benchmark"], currency, days_of_benchmark(asked_days, returns))
            if asked.get("benchmark")
            else None,
            days=asked_days,
        ),
        **remarks_listed([remark_answer(one) for one in remarks]),
    }


def _days(valued: Sequence[ValuedDays], currency: str, first: datetime.date, last: datetime.date) -> list[Day]:
    """The days of all of them together, in one currency; what went from one to another is none of their flows."""
    begins = max(first, min((one.first for one in valued if one.first), default=last))
    transfers = transfers_between([one.state for one in valued], begins, last)
    of_portfolios = []
    for one in valued:
        days = with_nothing_before(one.between(begins, last), begins, last)
        days = within_group(days, one.state.portfolio_id, transfers)
        of_portfolios.append(converted(days, one.state.base_currency, currency, market.rates))
    return with_nothing_before(added_up(of_portfolios), first, last)


def _benchmark(security_id: str, currency: str, dates: Collection[datetime.date]) -> Benchmark:
    """The instrument at its quotes: no portfolio's splits are the group's."""
    terms = instrument_terms([security_id]).get(security_id)
    prices = quoted_prices("", security_id, dates)
    return Benchmark(security_id, currency, market.rates, prices, terms.exchange if terms else None)
