"""The statement's identity from stored rows, period by period, and the daily values beside it."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from decimal import Decimal

from django.db.models import Sum

from portfolio.amounts import number_of
from portfolio.money import UNKNOWN, exact
from positions.analytics.periods import Period
from positions.analytics.statement import Statement, statement
from positions.checking.differences import Comparison, Difference
from positions.figures import portfolio_answer
from positions.models import DailyValuation, PortfolioState
from positions.periods.histories import read_ends
from positions.periods.segments import holding_name
from positions.queries import snapshot_of

_OF_DAYS = {"inflow": "inflows", "outflow": "outflows", "income": "income", "fees": "fees", "taxes": "taxes"}
"""What a day has, and what the statement calls its sum."""


def years_of(first: datetime.date, last: datetime.date) -> Iterator[Period]:
    """All of (first, last], then its calendar years one by one."""
    yield Period(first, last)
    start = first
    while start < last:
        end = min(datetime.date(start.year + (start.month == 12 and start.day == 31), 12, 31), last)
        yield Period(start, end)
        start = end


def statement_adds_up(
    compare: Comparison, state: PortfolioState, period: Period, *, days_too: bool
) -> Iterator[Difference]:
    """The statement of a period has no residual, nor has any of its rows; the days between say the same of flows,
    income, fees and taxes, if these are to be looked at too.
    """
    history = read_ends(state, period.start, period.end)
    with exact():
        of_period = statement(history, period.start, period.end)
        within = f"statement of {period.start} to {period.end}"
        yield from compare.zero("", f"residual, {within}", number_of(of_period.residual))
        for row in of_period.holdings:
            yield from compare.zero(holding_name(row.key), f"residual, {within}", number_of(row.residual))
        if days_too:
            yield from _days_add_up(compare, of_period, within)


def _days_add_up(compare: Comparison, of_period: Statement, within: str) -> Iterator[Difference]:
    rows = DailyValuation.objects.filter(portfolio_id=compare.portfolio_id)
    sums = rows.filter(valuation_date__gt=of_period.start, valuation_date__lte=of_period.end).aggregate(
        **{name: Sum(name) for name in _OF_DAYS}
    )
    for name, of_statement in _OF_DAYS.items():
        stored, expected = sums[name], getattr(of_period, of_statement)
        # A sum with an unknown day in it can be known in the statement, which goes from end to end.
        if stored is not None and not stored.is_nan() and not expected.is_nan():
            yield from compare.close("", f"{of_statement} of the daily values, {within}", stored, expected)
    for day, name in ((of_period.start, "opening"), (of_period.end, "closing")):
        value = rows.filter(valuation_date=day).values_list("value", flat=True).first()
        if value is not None:
            yield from compare.close("", f"daily value of {day}, {within}", value, getattr(of_period, name))


def last_day_is_the_snapshot(
    compare: Comparison, state: PortfolioState, first: datetime.date, last: datetime.date
) -> Iterator[Difference]:
    """There is a daily value for every day, and the last of them is what the positions come to on it."""
    rows = DailyValuation.objects.filter(portfolio_id=compare.portfolio_id)
    yield from compare.equal("", {"daily values": rows.count()}, {"daily values": (last - first).days + 1})
    value = rows.filter(valuation_date=last).values_list("value", flat=True).first()
    told = portfolio_answer(snapshot_of(state=state, as_of=last), closed=False)["totals"]["value"]
    expected = Decimal(told) if isinstance(told, str) else UNKNOWN
    if value is not None:
        yield from compare.close("", f"daily value of {last}, beside the positions", value, expected)
