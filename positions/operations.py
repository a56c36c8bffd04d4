"""Calculating positions: what is owed of a batch of portfolios, in one database transaction.

The states of the portfolios are locked in sorted order under REPEATABLE READ and updated, so that two calculators never
compute one portfolio from two snapshots: the later one fails to serialise and starts again.

Entries that sort after the last one booked are appended to the stored holdings: work in order costs what is new. What
something else concerns (a back-dated trade, a correction, a rate that arrived late) is booked again from its beginning,
and cash made again from that day on; see `calculating.components` for where that has to be the whole portfolio. All of
it goes through the same fold, `engine.booking.book`. What is to be done is found in `calculating.work`.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence

import structlog
from django.conf import settings

from portfolio.models import PortfolioChange
from portfolio.streaming.messages import HeldSince, PositionCalculation, PositionCalculationDone
from portfolio.streaming.verdicts import passes
from positions.calculating.attempts import in_one_snapshot
from positions.calculating.links import Offer, offers
from positions.calculating.market import market
from positions.calculating.replay import replay
from positions.calculating.storage import note_changes, update_states
from positions.calculating.stored_holdings import HoldingName, read_holdings
from positions.calculating.work import Work, last_place_of, plan, terms_of
from positions.calculating.writing import Outcome, book_portfolio, write
from positions.engine.entry import Terms
from positions.engine.holdings import Holding, HoldingKey, Kind
from positions.models import PortfolioState, Position

TOUCH_LOTS = {"SPLIT", "STOCK_DIVIDEND", "SYMBOL_CHANGE", "MERGER", "SPIN_OFF"} | {
    "SELL",
    "REDEMPTION",
    "RETURN_OF_CAPITAL",
    "TRANSFER_OUT",
}
"""Types that change lots which are there; others only do while a holding is on the other side."""

log = structlog.get_logger(__name__)


def calculate_positions(
    requests: Mapping[str, PositionCalculation], *, now: datetime.datetime
) -> list[PositionCalculationDone]:
    """Bring the positions of the portfolios up to date, and say how far each now is.

    More entries than CALCULATION_ENTRIES_MAX take more database transactions than one. A portfolio that cannot be
    calculated is left as it was, its state says why, and the others go on. Raises what passes by itself, such as the
    database being away.
    """
    try:
        return _calculate(requests, now)
    except Exception as error:
        if passes(error):
            raise
        if len(requests) > 1:
            # One of them is at fault; by itself it is found, and only it fails.
            return [done for one, r in requests.items() for done in calculate_positions({one: r}, now=now)]
        (portfolio_id,) = requests
        log.exception("calculation_failed", portfolio_id=portfolio_id)
        return [_mark_failed(portfolio_id, error, now)]


def _calculate(requests: Mapping[str, PositionCalculation], now: datetime.datetime) -> list[PositionCalculationDone]:
    dones: list[PositionCalculationDone] = []
    left = dict(requests)
    while left:
        dones += _calculate_some(left, now)
        for done in dones:
            left.pop(done.portfolio_id, None)
    return dones


def _calculate_some(
    requests: Mapping[str, PositionCalculation], now: datetime.datetime
) -> list[PositionCalculationDone]:
    """Calculate as many of the portfolios as one database transaction may, at least one."""
    return in_one_snapshot(lambda: _calculate_in_snapshot(requests, now))


def _calculate_in_snapshot(
    requests: Mapping[str, PositionCalculation], now: datetime.datetime
) -> list[PositionCalculationDone]:
    states = _lock_states(sorted(requests))
    market_seq = market.refresh()
    marks = PortfolioChange.objects.in_bulk(states.keys())
    to_do = plan(states, marks, entries_max=settings.CALCULATION_ENTRIES_MAX)
    for portfolio_id in to_do.postponed:
        del states[portfolio_id]
    terms = terms_of(to_do.work)
    straight = [one for one in to_do.work if one.component is None]
    outcomes = _book(straight, terms)
    write(outcomes)
    replayed = [one for one in to_do.work if one.component]
    outcomes += replay([one.component for one in replayed if one.component], terms)
    for one, outcome in zip([*straight, *replayed], outcomes, strict=True):
        _advance(one, terms[one.state.portfolio_id], outcome)
    for portfolio_id, state in states.items():
        state.computed_seq = marks[portfolio_id].change_seq if portfolio_id in marks else 0
        state.market_seq, state.computed_at, state.error = market_seq, now, ""
    update_states(list(states.values()))
    note_changes(
        [(o.portfolio_id, states[o.portfolio_id].computed_seq, o.changed_from) for o in outcomes if o.changed_from]
    )
    return _dones(requests, states)


def _lock_states(portfolio_ids: Sequence[str]) -> dict[str, PortfolioState]:
    """The states of the portfolios, locked in order; made where there were none."""
    states = _locked(portfolio_ids)
    if missing := [portfolio_id for portfolio_id in portfolio_ids if portfolio_id not in states]:
        PortfolioState.objects.bulk_create([PortfolioState(portfolio_id=p) for p in missing], ignore_conflicts=True)
        states |= _locked(missing)
    return states


def _locked(portfolio_ids: Sequence[str]) -> dict[str, PortfolioState]:
    rows = PortfolioState.objects.select_for_update().filter(portfolio_id__in=portfolio_ids).order_by("portfolio_id")
    return {state.portfolio_id: state for state in rows}


# --- booking ------------------------------------------------------------------------------------------------------


def _book(work: Sequence[Work], terms: Mapping[str, Terms]) -> list[Outcome]:
    names: dict[HoldingName, bool] = {}
    newest_first: set[str] = set()
    for one in work:
        if not one.anew and one.state.last_date is not None:
            method = terms[one.state.portfolio_id].cost_basis_method
            averaged = method == "AVCO"
            if method == "LIFO":
                newest_first.add(one.state.portfolio_id)
            for name, needs_lots in _named(one):
                names[name] = names.get(name, False) or needs_lots or averaged
    needed = [name for name, needs_lots in names.items() if needs_lots and name.key.kind is Kind.SECURITY]
    stored: dict[str, dict[HoldingKey, Holding]] = {one.state.portfolio_id: {} for one in work}
    for name, held in read_holdings(list(names), lots_needed=needed, newest_first=newest_first).items():
        stored[name.portfolio_id][name.key] = held
    offered = offers(
        {one.state.portfolio_id: one.entries for one in work},
        anew={one.state.portfolio_id for one in work if one.anew},
    )
    return [
        book_portfolio(
            terms[one.state.portfolio_id],
            one.entries,
            stored[one.state.portfolio_id],
            offered.get(one.state.portfolio_id, Offer()),
            anew=one.anew,
            last_date=one.state.last_date,
        )
        for one in work
    ]


def _named(one: Work) -> list[tuple[HoldingName, bool]]:
    """The holdings that the entries are booked into, and whether their lots are likely to be needed."""
    portfolio_id = one.state.portfolio_id
    names = []
    for entry in one.entries:
        names += [
            (HoldingName(portfolio_id, HoldingKey(Kind.CASH, currency)), False)
            for currency in (entry.currency, entry.target_currency)
            if currency
        ]
        names += [
            (HoldingName(portfolio_id, HoldingKey(Kind.SECURITY, security_id)), entry.transaction_type in TOUCH_LOTS)
            for security_id in (entry.security_id, entry.target_security_id)
            if security_id
        ]
    return names


def _advance(one: Work, terms: Terms, outcome: Outcome) -> None:
    """Put into the state what was booked."""
    state = one.state
    state.base_currency, state.cost_basis_method = terms.base_currency, terms.cost_basis_method
    state.cash_tracked = terms.cash_tracked
    if one.component:
        outcome.last_place = last_place_of(one, one.component)
    if (one.anew or one.component) and outcome.last_place is None:
        state.last_date = None
    if outcome.last_place:
        state.last_date, state.last_time_us, state.last_rank, state.last_transaction_id = outcome.last_place
    if outcome.opens_holdings:
        state.interests_seq += 1


# --- what is said afterwards --------------------------------------------------------------------------------------


def _dones(
    requests: Mapping[str, PositionCalculation], states: Mapping[str, PortfolioState]
) -> list[PositionCalculationDone]:
    news = {p for p, state in states.items() if state.interests_seq > requests[p].interests_seq}
    interests = _interests({p: states[p].base_currency for p in news})
    return [
        PositionCalculationDone(
            portfolio_id=portfolio_id,
            computed_seq=state.computed_seq,
            market_seq=state.market_seq,
            interests_seq=state.interests_seq,
            interests=tuple(interests.get(portfolio_id, ())),
        )
        for portfolio_id, state in states.items()
    ]


def _interests(base_currencies: Mapping[str, str]) -> dict[str, list[HeldSince]]:
    """What each portfolio's figures depend on: every security, and the currencies of every exchange it makes."""
    since: dict[str, dict[tuple[str, str], datetime.date]] = {p: {} for p in base_currencies}
    rows = Position.objects.filter(portfolio_id__in=base_currencies).exclude(first_date=None)
    for portfolio_id, kind, security_id, currency, first_date in rows.values_list(
        "portfolio_id", "kind", "security_id", "currency", "first_date"
    ):
        depends_on = [("SECURITY", security_id)] if kind == Kind.SECURITY else []
        base_currency = base_currencies[portfolio_id]
        if currency != base_currency:
            depends_on += [("CURRENCY", currency), ("CURRENCY", base_currency)]
        assert first_date is not None, "left out above"
        for name in depends_on:
            since[portfolio_id][name] = min(first_date, since[portfolio_id].get(name, first_date))
    return {
        portfolio_id: [HeldSince(kind=kind, name=name, since_date=day) for (kind, name), day in sorted(names.items())]  # type: ignore[arg-type]
        for portfolio_id, names in since.items()
    }


def _mark_failed(portfolio_id: str, error: Exception, now: datetime.datetime) -> PositionCalculationDone:
    """Say in the portfolio's state why it could not be calculated; what was computed before stands."""
    reason = f"{type(error).__name__}: {error}"
    state, _ = PortfolioState.objects.get_or_create(portfolio_id=portfolio_id)
    PortfolioState.objects.filter(portfolio_id=portfolio_id).update(error=reason, computed_at=now)
    return PositionCalculationDone(
        portfolio_id=portfolio_id, computed_seq=state.computed_seq, market_seq=state.market_seq, error=reason
    )
