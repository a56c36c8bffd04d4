"""Calculating daily valuations: what is owed of a batch of portfolios, in one database transaction.

As with positions, the states of the portfolios are locked in sorted order under REPEATABLE READ and updated, so that
two calculators never value one portfolio from two snapshots. `valuation_days` finds out which days are to be valued
again, `timelines` reads what they are made of, `analytics.series` works out their values, and of the rows only those
that differ are written. Days and holdings are taken in parts of a bounded size, however long a history is.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence

import structlog

from portfolio.dates import ONE_DAY, day_of
from portfolio.streaming.messages import ValuationCalculation, ValuationCalculationDone
from portfolio.streaming.verdicts import passes
from positions.analytics.history import History
from positions.analytics.series import daily_values
from positions.calculating.attempts import in_one_snapshot
from positions.calculating.late_data import concerned_by_market
from positions.calculating.market import market
from positions.models import PortfolioState, ValuationState
from positions.valuing.due_days import Due, forget_followed, plan_days
from positions.valuing.rows import cut_ends, replace_days, update_states
from positions.valuing.timelines import FOR_VALUES, Span, read_histories

VALUES_AT_ONCE_MAX = 200_000
"""So many holdings times days are read and valued at once."""

log = structlog.get_logger(__name__)


def calculate_valuations(
    requests: Mapping[str, ValuationCalculation], *, now: datetime.datetime
) -> list[ValuationCalculationDone]:
    """Bring the daily values of the portfolios up to date, and say how far each now is.

    One that cannot be valued is left as it was, its state says why, and the others go on. Raises what passes by itself,
    such as the database being away.
    """
    try:
        return _calculate(requests, now)
    except Exception as error:
        if passes(error):
            raise
        if len(requests) > 1:
            # One of them is at fault; by itself it is found, and only it fails.
            return [done for one, r in requests.items() for done in calculate_valuations({one: r}, now=now)]
        (portfolio_id,) = requests
        log.exception("valuation_failed", portfolio_id=portfolio_id)
        return [_mark_failed(portfolio_id, error, now)]


def _calculate(requests: Mapping[str, ValuationCalculation], now: datetime.datetime) -> list[ValuationCalculationDone]:
    return in_one_snapshot(lambda: _calculate_in_snapshot(requests, now))


def _calculate_in_snapshot(
    requests: Mapping[str, ValuationCalculation], now: datetime.datetime
) -> list[ValuationCalculationDone]:
    states = _lock_states(sorted(requests))
    market_seq = market.refresh()
    positions = PortfolioState.objects.in_bulk(list(states))
    until = {p: max(day_of(now), requests[p].requested_date or datetime.date.min) for p in states}
    plan = plan_days(states, positions, until)
    for part in _parts(plan.due):
        _value(part, {due.state.portfolio_id: due for due in plan.due})
    _cut(plan.due)
    for due in plan.due:
        state = due.state
        state.computed_seq, state.market_seq = due.positions.computed_seq, market_seq
        state.base_currency = due.positions.base_currency
        state.first_date, state.last_date = due.first, due.last if due.first else None
        state.error, state.computed_at = "", now
    update_states([due.state for due in plan.due])
    forget_followed(plan.followed)
    # Position rows that have not followed the market yet will change under the days: these are then not done up to
    # it, and the orchestrator asks for the positions, then for the days again.
    concerned, anew = concerned_by_market(positions)
    behind = concerned.keys() | anew
    return [
        ValuationCalculationDone(
            portfolio_id=state.portfolio_id,
            computed_seq=state.computed_seq,
            market_seq=positions[state.portfolio_id].market_seq if state.portfolio_id in behind else state.market_seq,
            awaits_market_seq=state.market_seq if state.portfolio_id in behind else 0,
            valued_until=until[state.portfolio_id],
            quoted_in=tuple(sorted(state.quoted_in)),
        )
        for state in states.values()
    ]


def _lock_states(portfolio_ids: Sequence[str]) -> dict[str, ValuationState]:
    """The states of the portfolios, locked in order; made where there were none."""
    states = _locked(portfolio_ids)
    if missing := [portfolio_id for portfolio_id in portfolio_ids if portfolio_id not in states]:
        ValuationState.objects.bulk_create([ValuationState(portfolio_id=p) for p in missing], ignore_conflicts=True)
        states |= _locked(missing)
    return states


def _locked(portfolio_ids: Sequence[str]) -> dict[str, ValuationState]:
    rows = ValuationState.objects.select_for_update().filter(portfolio_id__in=portfolio_ids).order_by("portfolio_id")
    return {state.portfolio_id: state for state in rows}


# --- the days -----------------------------------------------------------------------------------------------------


def _parts(due: Sequence[Due]) -> Iterator[list[Span]]:
    """The spans, long ones cut, in lists whose holdings times days are bounded."""
    part: list[Span] = []
    size = 0
    for one in due:
        holdings = max(len(one.held), 1)
        days_max = max(VALUES_AT_ONCE_MAX // holdings, 1)
        for span in one.spans:
            for piece in _cut_span(span, days_max):
                of_piece = holdings * ((piece.last - piece.first).days + 1)
                if part and size + of_piece > VALUES_AT_ONCE_MAX:
                    yield part
                    part, size = [], 0
                part.append(piece)
                size += of_piece
    if part:
        yield part


def _cut_span(span: Span, days_max: int) -> Iterator[Span]:
    first = span.first
    while (span.last - first).days >= days_max:
        yield Span(span.portfolio_id, first, first + (days_max - 1) * ONE_DAY)
        first += days_max * ONE_DAY
    yield Span(span.portfolio_id, first, span.last)


def _value(spans: Sequence[Span], due: Mapping[str, Due]) -> None:
    """Value the days of these spans, and write what differs."""
    histories = read_histories(
        spans, states={s.portfolio_id: due[s.portfolio_id].positions for s in spans}, figures=FOR_VALUES
    )
    for span, history in zip(spans, histories, strict=True):
        state = due[span.portfolio_id].state
        state.quoted_in = sorted({*state.quoted_in, *_other_currencies(history)})
    replace_days(
        (
            (span.portfolio_id, daily_values(history, span.first, span.last))
            for span, history in zip(spans, histories, strict=True)
        ),
        stored=[span for span in spans if _may_be_stored(span, due[span.portfolio_id].state)],
    )


def _may_be_stored(span: Span, state: ValuationState) -> bool:
    if state.first_date is None or state.last_date is None:
        return False
    return span.first <= state.last_date and span.last >= state.first_date


def _other_currencies(history: History) -> set[str]:
    """The currencies of quotes other than those of the holdings that they price."""
    own = {key.security_id: timeline.states[-1].currency for key, timeline in history.timelines.items()}
    return {q.currency for name, quotes in history.quotes.items() for q in quotes if q.currency != own.get(name)}


def _cut(due: Sequence[Due]) -> None:
    """Delete the rows of days that have no value any more."""
    ends: dict[str, tuple[datetime.date, datetime.date] | None] = {}
    for one in due:
        stored_from, stored_to = one.state.first_date, one.state.last_date
        if stored_from is None or stored_to is None:
            continue
        if one.first is None:
            ends[one.state.portfolio_id] = None
        elif stored_from < one.first or stored_to > one.last:
            ends[one.state.portfolio_id] = (one.first, one.last)
    cut_ends(ends)


def _mark_failed(portfolio_id: str, error: Exception, now: datetime.datetime) -> ValuationCalculationDone:
    """Say in the portfolio's state why its days could not be valued; what was valued before stands."""
    reason = f"{type(error).__name__}: {error}"
    state, _ = ValuationState.objects.get_or_create(portfolio_id=portfolio_id)
    ValuationState.objects.filter(portfolio_id=portfolio_id).update(error=reason, computed_at=now)
    return ValuationCalculationDone(
        portfolio_id=portfolio_id, computed_seq=state.computed_seq, market_seq=state.market_seq, error=reason
    )
