"""Which days of which portfolios are to be valued again: those that something has changed under, and the new ones.

A changed row of the positions counts from its day on; what the market has changed `valuation_news` says. The days of a
portfolio go from the day before its first entry to today, or to its last entry where that is later.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.db import connection

from portfolio.dates import DAYS_MAX, ONE_DAY
from portfolio.models import PortfolioChange
from portfolio.money import ZERO
from positions.models import PortfolioState, Position, PositionChange, ValuationState
from positions.valuing.news import EVER, Held, Interval, Valued, changed_by_market
from positions.valuing.timelines import Span

DAYS_AHEAD_MAX = 366
"""Days longer ago, or longer ahead, have no value of their own: a mistyped year must not make a million of them."""


@dataclass(slots=True)
class Due:
    """What is to be done for one portfolio: its days go from `first` to `last` (none without `first`), and those of the
    spans are to be valued.
    """

    state: ValuationState
    positions: PortfolioState
    first: datetime.date | None
    last: datetime.date
    held: Sequence[Held] = ()
    spans: list[Span] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is due of the portfolios, and the notes of changed rows that it follows."""

    due: Sequence[Due]
    followed: Sequence[int]


def plan_days(
    states: Mapping[str, ValuationState],
    positions: Mapping[str, PortfolioState],
    until: Mapping[str, datetime.date],
) -> Plan:
    """What is due of the portfolios, valued up to the day that `until` says or their last entry, whichever is later."""
    notes = PositionChange.objects.filter(portfolio_id__in=states).values_list("id", "portfolio_id", "changed_from")
    followed: list[int] = []
    changed_from: dict[str, datetime.date] = {}
    for note_id, portfolio_id, day in notes:
        followed.append(note_id)
        changed_from[portfolio_id] = min(day, changed_from.get(portfolio_id, day))
    rebuilt = dict(PortfolioChange.objects.filter(portfolio_id__in=states).values_list("portfolio_id", "rebuild_seq"))
    first_dates = {p: state.first_date for p, state in states.items()}
    asked = {p for p, state in states.items() if p in changed_from or state.first_date is None}
    first_dates |= days_before_the_first_entries(asked)
    held = _held(list(states))
    due: dict[str, Due] = {}
    intervals: dict[str, list[Interval]] = {}
    for portfolio_id, state in states.items():
        computed = positions.get(portfolio_id) or PortfolioState(portfolio_id=portfolio_id)
        one = _due(state, computed, first_dates[portfolio_id], until[portfolio_id])
        due[portfolio_id] = one
        one.held = held.get(portfolio_id, ())
        if one.first:
            intervals[portfolio_id] = _changed_by_entries(
                one, rebuilt.get(portfolio_id, 0), changed_from.get(portfolio_id)
            )
    going_on = [due[p] for p, of_portfolio in intervals.items() if EVER not in of_portfolio]
    for portfolio_id, more in changed_by_market([Valued(d.state, d.positions, d.held) for d in going_on]).items():
        intervals[portfolio_id] += more
    for portfolio_id, of_portfolio in intervals.items():
        due[portfolio_id].spans = _spans(due[portfolio_id], of_portfolio)
    return Plan(list(due.values()), followed)


def forget_followed(note_ids: Sequence[int]) -> None:
    """Delete the notes of changed rows that have been followed; newer ones stay."""
    if note_ids:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM position_changes WHERE id = ANY(%s)", [list(note_ids)])


def _due(state: ValuationState, positions: PortfolioState, first: datetime.date | None, until: datetime.date) -> Due:
    last = min(max(until, positions.last_date or until), until + DAYS_AHEAD_MAX * ONE_DAY)
    if first:
        first = max(first, until - DAYS_MAX * ONE_DAY)
    return Due(state, positions, first if first and first <= last else None, last)


def _changed_by_entries(due: Due, rebuild_seq: int, changed_from: datetime.date | None) -> list[Interval]:
    """The days that are new, and those on which rows of the positions have changed; EVER where all are valued anew."""
    state, first = due.state, due.first
    if (
        state.first_date is None
        or state.last_date is None
        or rebuild_seq > state.computed_seq
        or state.base_currency != due.positions.base_currency
    ):
        return [EVER]
    assert first, "there are days"
    intervals = [Interval(state.last_date + ONE_DAY)]
    if first < state.first_date:
        intervals.append(Interval(first, state.first_date))
    if changed_from:
        intervals.append(Interval(changed_from))
    return intervals


def _spans(due: Due, intervals: Iterable[Interval]) -> list[Span]:
    """The intervals within the portfolio's days, those that touch put together."""
    assert due.first, "there are days"
    spans: list[Span] = []
    for first, last in sorted((max(i.first, due.first), min(i.last or due.last, due.last)) for i in intervals):
        if first > last:
            continue
        if spans and first <= spans[-1].last + ONE_DAY:
            spans[-1] = Span(due.state.portfolio_id, spans[-1].first, max(last, spans[-1].last))
        else:
            spans.append(Span(due.state.portfolio_id, first, last))
    return spans


def days_before_the_first_entries(portfolio_ids: Collection[str]) -> dict[str, datetime.date | None]:
    """The day before the first entry booked of each; None where there is none."""
    if not portfolio_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT p.portfolio_id, min(first.position_date)
            FROM positions AS p CROSS JOIN LATERAL (
                SELECT d.position_date FROM position_days AS d
                WHERE d.portfolio_id = p.portfolio_id AND d.kind = p.kind AND d.security_id = p.security_id
                ORDER BY d.position_date LIMIT 1
            ) AS first
            WHERE p.portfolio_id = ANY(%s) GROUP BY p.portfolio_id
            """,
            [list(portfolio_ids)],
        )
        found = {p: max(day, datetime.date.min + ONE_DAY) - ONE_DAY for p, day in cursor.fetchall()}
    return {portfolio_id: found.get(portfolio_id) for portfolio_id in portfolio_ids}


def _held(portfolio_ids: Collection[str]) -> dict[str, list[Held]]:
    rows = Position.objects.filter(portfolio_id__in=portfolio_ids).values_list(
        "portfolio_id", "kind", "security_id", "currency", "first_date", "quantity"
    )
    held: dict[str, list[Held]] = {}
    for portfolio_id, kind, security_id, currency, first_date, quantity in rows:
        since = first_date or datetime.date.min
        held.setdefault(portfolio_id, []).append(Held(kind, security_id, currency, since, quantity != ZERO))
    return held
