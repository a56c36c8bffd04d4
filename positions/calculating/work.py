"""What is to be booked of a batch of portfolios, and how: appended, a component again, or the whole anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from portfolio.models import CashMode, Portfolio, PortfolioChange
from positions.calculating.components import Component, Concerned, components
from positions.calculating.late_data import concerned_by_market
from positions.calculating.links import waiting_for_an_out
from positions.calculating.market import instrument_terms, market
from positions.engine.entry import EntryKey, Terms, key_of
from positions.models import PortfolioState, TransferLink
from transactions.entries import Change, LedgerEntry, changes_since, effective, whole_ledgers
from transactions.excerpts import last_entries, sizes_of, sizes_since


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be booked of one portfolio, in booking order: `anew` as a whole, or a component of it again."""

    state: PortfolioState
    entries: Sequence[LedgerEntry]
    anew: bool = False
    component: Component | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be booked in one database transaction, and the portfolios that are left for the next."""

    work: list[Work]
    postponed: set[str] = field(default_factory=set)


def plan(states: Mapping[str, PortfolioState], marks: Mapping[str, PortfolioChange], *, entries_max: int) -> Plan:
    """What has to be booked of each portfolio; those of which nothing is owed are left out.

    No more than `entries_max` entries are booked at once, unless one portfolio alone has more: a component counts as
    the whole.
    """
    room = _Room(entries_max)
    seqs = {p: states[p].computed_seq for p, mark in marks.items() if mark.change_seq > states[p].computed_seq}
    rebuilt = {p for p, mark in marks.items() if states[p].computed_seq and mark.rebuild_seq > states[p].computed_seq}
    grown = {p: seq for p, seq in seqs.items() if p not in rebuilt}
    if len(states) > 1:
        room.take(sizes_since(change_seqs=grown))
    changes = changes_since(change_seqs={p: seq for p, seq in grown.items() if p not in room.postponed})
    concerned, anew = concerned_by_market({p: states[p] for p in states.keys() - rebuilt - room.postponed})
    anew |= rebuilt
    appended: dict[str, list[LedgerEntry]] = {}
    for portfolio_id, of_portfolio in changes.items():
        entries = _appended(states[portfolio_id], of_portfolio)
        if entries is not None and portfolio_id not in anew | concerned.keys():
            appended[portfolio_id] = entries
        elif states[portfolio_id].last_date is None:
            anew.add(portfolio_id)
        else:
            changed = concerned.setdefault(portfolio_id, Concerned())
            changed.transaction_ids.update(change.entry.transaction_id for change in of_portfolio)
    anew |= waiting_for_an_out({p: entries for p, entries in appended.items() if states[p].computed_seq})
    sizes = sizes_of(portfolio_ids=anew | concerned.keys())
    if len(states) > 1:
        room.take(sizes)
    found, whole = components(
        {p: one for p, one in concerned.items() if p not in anew | room.postponed}, states, sizes=sizes
    )
    anew |= whole
    work = [Work(states[p], entries) for p, entries in appended.items() if p not in anew | room.postponed]
    work += [Work(states[one.portfolio_id], one.entries, component=one) for one in found]
    for portfolio_id, versions in whole_ledgers(portfolio_ids=sorted(anew - room.postponed)).items():
        work.append(Work(states[portfolio_id], sorted(effective(versions), key=key_of), anew=True))
    return Plan(work, room.postponed)


@dataclass(slots=True)
class _Room:
    """How many entries still fit into the database transaction, and which portfolios did not."""

    left: int
    postponed: set[str] = field(default_factory=set)
    _taken: set[str] = field(default_factory=set)

    def take(self, sizes: Mapping[str, int]) -> None:
        """Make room for the portfolios' entries, smallest first; the first of all fits always."""
        for portfolio_id, size in sorted(sizes.items(), key=lambda one: (one[1], one[0])):
            if portfolio_id in self.postponed:
                continue
            if size <= self.left or not self._taken - {portfolio_id}:
                self.left -= size
                self._taken.add(portfolio_id)
            else:
                self.postponed.add(portfolio_id)
                self._taken.discard(portfolio_id)


def _appended(state: PortfolioState, changes: Sequence[Change]) -> list[LedgerEntry] | None:
    """The new entries where all of them sort after the last one booked and none replaces another; None otherwise."""
    fresh = not state.computed_seq
    if not fresh and any(change.versions > 1 for change in changes):
        return None
    entries = sorted(effective([change.entry for change in changes]), key=key_of)
    if entries and state.last_date and key_of(entries[0]) <= _last_key(state):
        return None
    return entries


def _last_key(state: PortfolioState) -> EntryKey:
    assert state.last_date is not None, "something was booked"
    return EntryKey(state.last_date, state.last_time_us, state.last_rank, state.last_transaction_id)


def last_place_of(one: Work, component: Component) -> EntryKey | None:
    """Where the portfolio's last entry stands once the component is booked again; None where no entry is left.

    With linked transfers in the portfolio the place of before is kept where it may be too late: an entry that sorts
    before it is not appended, which only costs time.
    """
    before = _last_key(one.state)
    last = max(map(key_of, one.entries), default=None)
    if last and last >= before:
        return last
    if before.transaction_id not in {entry.transaction_id for entry in component.versions}:
        return before
    portfolio_id = one.state.portfolio_id
    if TransferLink.objects.filter(portfolio_id=portfolio_id).exists():
        return before
    return max(map(key_of, last_entries(portfolio_ids=[portfolio_id])[portfolio_id]), default=None)


def terms_of(work: Sequence[Work]) -> dict[str, Terms]:
    """The terms each portfolio is booked under; those of a provisional one follow from its first entry."""
    settings = Portfolio.objects.in_bulk([one.state.portfolio_id for one in work])
    securities = {
        name for one in work for entry in one.entries for name in (entry.security_id, entry.target_security_id)
    }
    instruments = instrument_terms({name for name in securities if name})
    terms: dict[str, Terms] = {}
    for one in work:
        portfolio_id, state = one.state.portfolio_id, one.state
        known = settings.get(portfolio_id)
        if known:
            terms[portfolio_id] = Terms(
                portfolio_id=portfolio_id,
                base_currency=known.base_currency,
                cost_basis_method=known.cost_basis_method,
                cash_tracked=known.cash_mode == CashMode.TRACKED,
                allow_short=known.allow_short,
                fees_in_cost=known.fees_in_cost,
                instruments=instruments,
                rates=market.rates,
            )
        else:
            goes_on = state.last_date is not None and not one.anew
            base_currency = state.base_currency if goes_on or not one.entries else one.entries[0].currency
            terms[portfolio_id] = Terms(
                portfolio_id, base_currency, cash_tracked=False, instruments=instruments, rates=market.rates
            )
        state.provisional = known is None
    return terms
