"""The performance of several portfolios as one: what their owner, or whoever may read them all, has earned together."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Sequence
from typing import Any

from portfolio.amounts import number_of
from positions.analytics.benchmark import Benchmark, days_of_benchmark
from positions.analytics.days import days_of as days_within
from positions.analytics.groups import Within, added_up, converted, without
from positions.analytics.performance import days_needed, performance
from positions.analytics.returns import FlowTiming
from positions.analytics.unavailable import DETAILS
from positions.api.serializers import PendingSerializer
from positions.calculating.market import instrument_terms, market
from positions.models import BookingException, TransferLink
from positions.periods.answers import REMARKS_MAX, performance_answer
from positions.periods.benchmark_prices import quoted_prices
from positions.periods.days import days_of, first_transaction_of, stored_days
from positions.periods.histories import read_ends
from positions.periods.questions import asked_period, asked_series
from positions.valuing.day_rows import remark_answer, remarks_of
from positions.variants.asked import Reading


def group_performance(group: Sequence[Reading], asked: dict[str, Any]) -> dict[str, Any]:
    """`performance` of the contract for all of them, in the currency asked for or the first one's base.

    They were read within one snapshot. Raises rest_framework's ValidationError.
    """
    transactions = [first for found in group if (first := first_transaction_of(found))]
    first_transaction = min(transactions, default=None)
    of = asked_period(asked, first_transaction)
    currency = asked.get("currency") or group[0].state.base_currency
    first, last = days_needed(of.period.start, of.period.end, first_transaction), of.period.end
    within = _within(group, first, last)
    market.refresh()
    days = added_up(
        [
            converted(
                without(days_of(found, first, last), within.get(found.mark.portfolio_id, {})),
                found.state.base_currency,
                currency,
                market.rates,
            )
            for found in group
        ]
    )
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
    pending = next((p for found in group if (p := found.pending or stored_days(found).pending)), None)
    return {
        "portfolio_ids": [found.mark.portfolio_id for found in group],
        "base_currency": currency,
        "as_of": last,
        "known_at": min(found.known_at for found in group),
        "pending": PendingSerializer(pending).data if pending else None,
        "period": of.name,
        **performance_answer(
            returns,
            flags={one.code for one in remarks} - DETAILS.keys(),
            benchmark=_benchmark(asked["benchmark"], currency, days_of_benchmark(asked_days, returns))
            if asked.get("benchmark")
            else None,
            days=asked_days,
        ),
        "remarks": [remark_answer(one) for one in remarks[:REMARKS_MAX]],
    }


def _benchmark(security_id: str, currency: str, dates: Collection[datetime.date]) -> Benchmark:
    """The instrument at its quotes: no portfolio's splits are the group's."""
    terms = instrument_terms([security_id]).get(security_id)
    prices = quoted_prices("", security_id, dates)
    return Benchmark(security_id, currency, market.rates, prices, terms.exchange if terms else None)


def _within(
    group: Sequence[Reading], first: datetime.date, last: datetime.date
) -> dict[str, dict[datetime.date, Within]]:
    """The linked transfers between portfolios of the group that left and came on one day, by portfolio and day, at what
    they are worth to each side.
    """
    by_id = {found.mark.portfolio_id: found for found in group}
    links = TransferLink.objects.filter(portfolio_id__in=by_id, linked_portfolio_id__in=by_id)
    unmatched = set(
        BookingException.objects.filter(portfolio_id__in=by_id, code="TRANSFER_UNMATCHED").values_list(
            "portfolio_id", "transaction_id"
        )
    )
    pairs = [
        ((link.portfolio_id, link.transaction_id), (link.linked_portfolio_id, link.linked_transaction_id))
        for link in links
        if (link.portfolio_id, link.transaction_id) not in unmatched and link.portfolio_id != link.linked_portfolio_id
    ]
    concerned = {portfolio_id for pair in pairs for portfolio_id, _ in pair}
    moves = {
        (portfolio_id, value.move.transaction_id): value
        for portfolio_id in concerned
        for value in read_ends(by_id[portfolio_id].state, first, last).moves_in(first, last)
    }
    within: dict[str, dict[datetime.date, Within]] = {}
    for taken, given in pairs:
        came, went = moves.get(taken), moves.get(given)
        if came and went and came.move.date == went.move.date:
            _note(within.setdefault(taken[0], {}), came.move.date, Within(inflow=number_of(came.worth)))
            _note(within.setdefault(given[0], {}), went.move.date, Within(outflow=-number_of(went.worth)))
    return within


def _note(of_portfolio: dict[datetime.date, Within], day: datetime.date, flows: Within) -> None:
    before = of_portfolio.get(day, Within())
    of_portfolio[day] = Within(before.inflow + flows.inflow, before.outflow + flows.outflow)
