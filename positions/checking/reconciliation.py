"""Reconciliation: whether what is stored of a portfolio ties, from every side it can be looked at.

A portfolio is looked at in one snapshot of the database, so calculators may go on beside it. What is still on its way
is no difference: while calculations of a portfolio are pending, only rows that are written together are compared.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass

from portfolio.models import PortfolioChange
from positions.analytics.periods import Period
from positions.checking.anew import days_are_as_valued_anew, rows_are_as_booked_anew
from positions.checking.days import last_day_is_the_snapshot, statement_adds_up, years_of
from positions.checking.differences import Comparison, Difference
from positions.checking.rows import (
    cost_is_held_or_relieved,
    disposals_add_up,
    last_days_are_positions,
    lots_add_up,
    movements_add_up,
    positions_of,
)
from positions.models import PortfolioState
from positions.queries import one_snapshot, pending_of
from positions.standing import standing_of
from positions.valuing.timelines import Span
from positions.valuing.valued_days import ValuedDays, valued_days

_OF_ROWS = (lots_add_up, disposals_add_up, movements_add_up, cost_is_held_or_relieved, last_days_are_positions)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What was found of a portfolio. `pending`: calculations are on the way, and it was not compared with the ledger,
    nor its daily values with anything. `error` is why the last calculation failed, if it did.
    """

    portfolio_id: str
    differences: tuple[Difference, ...]
    pending: bool
    error: str


def reconcile(
    *, portfolio_id: str, today: datetime.date, period: Period | None = None, deep: bool = False
) -> Reconciliation:
    """Compare all that is stored of a portfolio; statements of the period, or of all its time and each of its years.

    `deep`: book it and value its days anew, too. Raises PortfolioChange.DoesNotExist.
    """
    with one_snapshot():
        standing = standing_of(portfolio_id=portfolio_id)
        if standing is None:
            raise PortfolioChange.DoesNotExist(f"There is no portfolio {portfolio_id!r}.")
        state = standing.state
        pending = pending_of(state=state, mark=standing.mark, market_seq=standing.market_seq)
        days = valued_days(standing=standing, today=today, pending=pending)
        differences = tuple(_differences(state, days, period, deep=deep and pending is None))
        return Reconciliation(portfolio_id, differences, days.pending is not None, state.error)


def _differences(state: PortfolioState, days: ValuedDays, period: Period | None, *, deep: bool) -> Iterator[Difference]:
    compare = Comparison(state.portfolio_id)
    positions = positions_of(state.portfolio_id)
    for check in _OF_ROWS:
        yield from check(compare, positions)
    first, last = days.first, days.last
    stored = days.stored
    days_too = days.pending is None and stored is not None and stored.last_date is not None
    if days_too and stored and stored.last_date:
        # What is stored ends with the day before, until today is valued.
        last = stored.last_date
    if first is not None:
        for of in [period] if period else years_of(first, last):
            yield from statement_adds_up(compare, state, of, days_too=days_too)
        if days_too:
            yield from last_day_is_the_snapshot(compare, state, first, last)
    if deep:
        yield from rows_are_as_booked_anew(compare)
        if days_too and first is not None:
            yield from days_are_as_valued_anew(compare, state, Span(state.portfolio_id, first, last))
