"""The linked transfers from one portfolio of a group to another: what of their flows is none of the group's.

The days of a portfolio hold the sum of what flowed on them; which transaction flowed how much is in the rows that they
were made from. Units are linked as they were booked: the TRANSFER_IN that took the lots of its TRANSFER_OUT, all of
them. Money brings no lots, so its link is not booked, and is read from the ledger, as far as the rows are calculated:
of the TRANSFER_INs that name a TRANSFER_OUT, and are not dated before it, the first in booking order has it.

Amounts of money may differ. In one currency the smaller of the two is what went from one to the other, and the rest
stays a flow, out where less came than left, in where more did: what nobody has called a fee is not made a loss (a fee
of the transfer is its `trade_fee`). In two currencies all of both is, and the exchange between them is in the return.
A portfolio whose cash is not tracked has no flow of such a transfer, so it is one of the other.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal

from django.db.models import F

from portfolio.amounts import number_of
from portfolio.dates import ONE_DAY
from portfolio.money import ZERO, exact, rounded
from positions.analytics.groups import Leg, Transfer
from positions.engine.entry import LegKey, key_of
from positions.models import BookingException, CashMovement, Move, PortfolioState, TransferLink
from positions.periods.histories import read_ends
from transactions.entries import LedgerEntry
from transactions.queries import every_version

Pair = tuple[LegKey, LegKey]
"""The TRANSFER_OUT and the TRANSFER_IN that has it."""


def transfers_between(states: Sequence[PortfolioState], first: datetime.date, last: datetime.date) -> list[Transfer]:
    """The transfers between different ones of these portfolios that come after `first` and leave by `last`.

    The caller has one database snapshot, and has refreshed the market's memory in it.
    """
    by_id = {state.portfolio_id: state for state in states}
    return [*_of_units(by_id, first, last), *_of_money(by_id, first, last)]


# --- units --------------------------------------------------------------------------------------------------------


def _of_units(states: Mapping[str, PortfolioState], first: datetime.date, last: datetime.date) -> list[Transfer]:
    pairs = _matched(states)
    dates = _dates_of_moves({leg for pair in pairs for leg in pair})
    pairs = [(out, into) for out, into in pairs if out in dates and into in dates]
    pairs = [(out, into) for out, into in pairs if dates[out] <= last and dates[into] > first]
    worths: dict[LegKey, Decimal] = {}
    for portfolio_id in sorted({leg.portfolio_id for pair in pairs for leg in pair}):
        days = [dates[leg] for pair in pairs for leg in pair if leg.portfolio_id == portfolio_id]
        before, until = min(days) - ONE_DAY, max(days)
        for value in read_ends(states[portfolio_id], before, until).moves_in(before, until):
            worths[LegKey(portfolio_id, value.move.transaction_id)] = abs(number_of(value.worth))

    def leg(of: LegKey) -> Leg:
        return Leg(of.portfolio_id, dates[of], worths[of])

    return [Transfer(leg(out), leg(into), in_kind=True) for out, into in pairs]


def _matched(states: Mapping[str, PortfolioState]) -> list[Pair]:
    links = TransferLink.objects.filter(portfolio_id__in=states, linked_portfolio_id__in=states)
    unmatched = set(
        BookingException.objects.filter(portfolio_id__in=states, code="TRANSFER_UNMATCHED").values_list(
            "portfolio_id", "transaction_id"
        )
    )
    return [
        (LegKey(link.linked_portfolio_id, link.linked_transaction_id), into)
        for link in links.exclude(portfolio_id=F("linked_portfolio_id"))
        if (into := LegKey(link.portfolio_id, link.transaction_id)) not in unmatched
    ]


def _dates_of_moves(legs: Collection[LegKey]) -> dict[LegKey, datetime.date]:
    moves = Move.objects.filter(portfolio_id__in=_portfolios(legs), transaction_id__in=_transactions(legs))
    return {LegKey(move.portfolio_id, move.transaction_id): move.move_date for move in moves} if legs else {}


# --- money --------------------------------------------------------------------------------------------------------


def _of_money(states: Mapping[str, PortfolioState], first: datetime.date, last: datetime.date) -> list[Transfer]:
    tracked = {p: state.computed_seq for p, state in states.items() if state.cash_tracked}
    named = every_version().filter(
        linked_portfolio_id__in=tracked, linked_transaction_id__isnull=False, security_id=None
    )
    pairs = [
        (
            LegKey(row.linked_portfolio_id or "", row.linked_transaction_id or ""),
            LegKey(row.portfolio_id, row.transaction_id),
        )
        for row in named.only("portfolio_id", "transaction_id", "linked_portfolio_id", "linked_transaction_id")
    ]
    if all(into.portfolio_id not in tracked or into.portfolio_id == out.portfolio_id for out, into in pairs):
        return []
    entries = _as_calculated({leg for pair in pairs for leg in pair}, tracked)
    within = [
        (entries[out], entries[into])
        for out, into in _taken(entries)
        if into.portfolio_id in tracked and into.portfolio_id != out.portfolio_id
    ]
    within = [(out, into) for out, into in within if out.transaction_date <= last and into.transaction_date > first]
    flows = _flows([entry for pair in within for entry in pair])
    return [
        _transfer(out, into, flows[out_leg], flows[into_leg])
        for out, into in within
        if (out_leg := _leg(out)) in flows and (into_leg := _leg(into)) in flows
    ]


def _as_calculated(legs: Collection[LegKey], seqs: Mapping[str, int]) -> dict[LegKey, LedgerEntry]:
    """The transactions as the rows know them: in the highest version up to the change_seq given for their portfolio."""
    versions = every_version().filter(portfolio_id__in=_portfolios(legs), transaction_id__in=_transactions(legs))
    highest: dict[LegKey, LedgerEntry] = {}
    for *fields, change_seq in versions.order_by("version").values_list(*LedgerEntry._fields, "change_seq"):
        entry = LedgerEntry._make(fields)
        if change_seq <= seqs.get(entry.portfolio_id, change_seq):
            highest[_leg(entry)] = entry
    return {leg: entry for leg, entry in highest.items() if entry.status != "CANCELLED"}


def _taken(entries: Mapping[LegKey, LedgerEntry]) -> list[Pair]:
    """Which TRANSFER_IN has which TRANSFER_OUT: one to one."""
    takers: dict[LegKey, LegKey] = {}
    for into, entry in sorted(entries.items(), key=lambda one: (key_of(one[1]), one[0])):
        if not entry.linked_transaction_id or not _moves_money(entry, "TRANSFER_IN"):
            continue
        out = LegKey(entry.linked_portfolio_id or entry.portfolio_id, entry.linked_transaction_id)
        given = entries.get(out)
        if given and _moves_money(given, "TRANSFER_OUT") and given.transaction_date <= entry.transaction_date:
            takers.setdefault(out, into)
    return list(takers.items())


def _moves_money(entry: LedgerEntry, transaction_type: str) -> bool:
    return entry.transaction_type == transaction_type and entry.security_id is None


def _flows(booked: Sequence[LedgerEntry]) -> dict[LegKey, Decimal]:
    """What each transaction has put in or taken out, in base, as booked."""
    rows = CashMovement.objects.filter(
        portfolio_id__in={entry.portfolio_id for entry in booked},
        currency__in={entry.currency for entry in booked},
        movement_date__in={entry.transaction_date for entry in booked},
        transaction_id__in={entry.transaction_id for entry in booked},
    )
    flows: dict[LegKey, Decimal] = {}
    with exact():
        for row in rows:
            leg = LegKey(row.portfolio_id, row.transaction_id)
            flows[leg] = flows.get(leg, ZERO) + (row.inflow_base or ZERO) + (row.outflow_base or ZERO)
    return flows


def _transfer(out: LedgerEntry, into: LedgerEntry, left: Decimal, came: Decimal) -> Transfer:
    with exact():
        given, taken = _amount(out), _amount(into)
        if out.currency == into.currency and given > taken:
            left = rounded(left * taken / given)
        elif out.currency == into.currency and taken > given:
            came = rounded(came * given / taken)
    return Transfer(
        Leg(out.portfolio_id, out.transaction_date, left),
        Leg(into.portfolio_id, into.transaction_date, came),
        in_kind=False,
    )


def _amount(entry: LedgerEntry) -> Decimal:
    if entry.gross_transaction_amount is not None:
        return entry.gross_transaction_amount
    return (entry.quantity or ZERO) * (entry.price or ZERO)


def _leg(entry: LedgerEntry) -> LegKey:
    return LegKey(entry.portfolio_id, entry.transaction_id)


def _portfolios(legs: Iterable[LegKey]) -> set[str]:
    return {leg.portfolio_id for leg in legs}


def _transactions(legs: Iterable[LegKey]) -> set[str]:
    return {leg.transaction_id for leg in legs}
