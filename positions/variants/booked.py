"""Variants: a portfolio booked anew from its ledger, by another cost method or as known at a moment; nothing is stored.

The engine and the answers are those of the stored positions; only where the entries, the market and what other
portfolios gave come from differs. What was booked is kept for a while under everything it depends on: how far the
ledgers have grown, and the market.
"""

from __future__ import annotations

import datetime
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import NamedTuple

from django.conf import settings

from portfolio.models import MarketMark, Portfolio, PortfolioChange
from positions.analytics.history import History, Recorder
from positions.calculating.links import Offer, is_linked, offers
from positions.calculating.terms import terms_of
from positions.engine.booking import Books, book
from positions.engine.entry import Entry, Terms, enrich, key_of
from positions.engine.holdings import Kind
from positions.engine.valuation import MarketPrice
from positions.figures import Snapshot, provisional_ones
from positions.variants.believed import Believed, believed
from positions.variants.chains import Chain, chain_of
from transactions.entries import LedgerEntry, counting

FIXED_WEIGHT = 1_000
"""What a variant weighs in the cache beside its transactions, in transactions."""


class Asked(NamedTuple):
    """A portfolio at the end of a day, by a cost method (None: its own), as known at a moment (None: now).

    `every_day`: the states of all days are wanted too, not only that of the last.
    """

    portfolio_id: str
    as_of: datetime.date
    cost_method: str | None
    known_at: datetime.datetime | None
    every_day: bool = False


@dataclass(frozen=True, slots=True)
class Variant:
    """A portfolio as it was booked for one question: its holdings valued, and what booking has produced."""

    terms: Terms
    books: Books
    history: History
    """Its timelines; quotes are read one by one, by `snapshot`, or for some days from `market`."""
    snapshot: Snapshot
    market: Believed
    entries: int
    others: Mapping[str, int]
    """The portfolios that what was received was found out from, and how far their ledgers had grown."""


def variant_of(asked: Asked, *, mark: PortfolioChange, apart: Callable[[], AbstractContextManager[None]]) -> Variant:
    """The variant asked for: as it is kept, or booked now, within `apart`. Within a snapshot of the database.

    Raises ChainTooLong, OutOfRange, and whatever `apart` raises.
    """
    market_mark = MarketMark.objects.first() or MarketMark(market_seq=0, recorded_at=mark.recorded_at)
    key = _Key(*asked, mark.change_seq, market_mark.market_seq)
    key_now = _Key(*asked[:3], None, *key[4:])
    # A moment after which nothing was recorded is as good as now.
    latest = asked.known_at is not None and max(mark.recorded_at, market_mark.recorded_at) <= asked.known_at
    found = _kept.get(key)
    if found is None and latest:
        as_now = _kept.get(key_now)
        found = as_now if as_now and not as_now.others else None
    if found is None or found.others != _grown(found.others):
        with apart():
            found = book_variant(asked)
        _kept.put(key_now if latest and not found.others else key, found)
    return found


def book_variant(asked: Asked) -> Variant:
    """The portfolio booked from its ledger for this question alone. Raises ChainTooLong, OutOfRange."""
    portfolio_id, as_of, known_at = asked.portfolio_id, asked.as_of, asked.known_at
    (entries,) = counting(portfolio_ids=[portfolio_id], until=as_of, known_at=known_at).values()
    return book_entries(asked, sorted(entries, key=key_of))


def book_entries(
    asked: Asked,
    entries: Sequence[LedgerEntry],
    *,
    watch: Callable[[Books], Callable[[Entry], None]] | None = None,
) -> Variant:
    """Entries of the portfolio (what counts of it, in booking order) booked as asked: all of them, or of those that
    hang together. `watch` gets the books and gives what is called before each entry is booked.

    Raises ChainTooLong, OutOfRange.
    """
    market = believed(known_at=asked.known_at)
    portfolio_id = asked.portfolio_id
    (terms,) = terms_of({portfolio_id: entries}, market.rates).values()
    chain = _chain(asked, entries, market)
    if asked.cost_method:
        terms = replace(terms, cost_basis_method=asked.cost_method)
    books = Books(terms, given=dict(chain.offer.given), claims=chain.offer.claims)
    recorder = Recorder(books, every_day=asked.every_day)
    before_entry = watch(books) if watch else None
    book((enrich(entry, terms) for entry in entries), books, recorder.end_of_day, before_entry)
    history = History(
        base_currency=terms.base_currency,
        cash_tracked=terms.cash_tracked,
        timelines=recorder.timelines(),
        moves=books.moves,
        instruments=terms.instruments,
        rates=terms.rates,
    )
    snapshot = _snapshot(asked, books, history, market)
    return Variant(terms, books, history, snapshot, market, len(entries), _grown(chain.portfolio_ids))


def _chain(asked: Asked, entries: Sequence[LedgerEntry], market: Believed) -> Chain:
    """What other portfolios gave: as stored; as known at a moment, they are booked too."""
    portfolio_id, as_of, known_at = asked.portfolio_id, asked.as_of, asked.known_at
    if not any(is_linked(entry) for entry in entries):
        return Chain(Offer(), frozenset())
    if known_at is None:
        offered = offers({portfolio_id: entries}, anew={portfolio_id}).get(portfolio_id, Offer())
        return Chain(offered, frozenset(out.portfolio_id for out in offered.given))
    return chain_of(portfolio_id=portfolio_id, entries=entries, until=as_of, known_at=known_at, market=market)


def _snapshot(asked: Asked, books: Books, history: History, market: Believed) -> Snapshot:
    def quote(security_id: str, day: datetime.date) -> MarketPrice | None:
        return _prices([security_id], day, history, market).get(security_id)

    holdings = list(books.holdings.values())
    securities = [held.key.security_id for held in holdings if held.key.kind is Kind.SECURITY]
    unknown = not Portfolio.objects.filter(portfolio_id=asked.portfolio_id).exists()
    return Snapshot(
        base_currency=history.base_currency,
        as_of=asked.as_of,
        cash_tracked=history.cash_tracked,
        holdings=holdings,
        market_prices=_prices(securities, asked.as_of, history, market),
        instruments=history.instruments,
        rates=market.rates,
        quotes_before=quote,
        provisional=provisional_ones(securities, history.instruments, portfolio_unknown=unknown),
        provisional_portfolio=unknown,
    )


def _prices(
    security_ids: Collection[str], day: datetime.date, history: History, market: Believed
) -> dict[str, MarketPrice]:
    quotes = market.last_quotes(security_ids, day)
    return {security_id: history.as_market_price(security_id, quote) for security_id, quote in quotes.items()}


def _grown(portfolio_ids: Collection[str]) -> dict[str, int]:
    """How far the ledgers of the portfolios have grown."""
    if not portfolio_ids:
        return {}
    marks = PortfolioChange.objects.filter(portfolio_id__in=list(portfolio_ids))
    seqs = dict(marks.values_list("portfolio_id", "change_seq"))
    return {portfolio_id: seqs.get(portfolio_id, 0) for portfolio_id in portfolio_ids}


# --- what is kept -------------------------------------------------------------------------------------------------


class _Key(NamedTuple):
    """All that a variant depends on."""

    portfolio_id: str
    as_of: datetime.date
    cost_method: str | None
    known_at: datetime.datetime | None
    every_day: bool
    change_seq: int
    market_seq: int


class _Kept:
    """The variants last asked for, as many as weigh no more than VARIANTS_KEPT_TRANSACTIONS_MAX together."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._variants: OrderedDict[_Key, Variant] = OrderedDict()
        self._weight = 0

    def get(self, key: _Key) -> Variant | None:
        with self._lock:
            if key in self._variants:
                self._variants.move_to_end(key)
            return self._variants.get(key)

    def put(self, key: _Key, variant: Variant) -> None:
        with self._lock:
            self._weight -= self._weight_of(self._variants.pop(key, None))
            self._variants[key] = variant
            self._weight += self._weight_of(variant)
            while self._weight > settings.VARIANTS_KEPT_TRANSACTIONS_MAX and self._variants:
                _, oldest = self._variants.popitem(last=False)
                self._weight -= self._weight_of(oldest)

    def forget(self) -> None:
        with self._lock:
            self._variants.clear()
            self._weight = 0

    @staticmethod
    def _weight_of(variant: Variant | None) -> int:
        return variant.entries + FIXED_WEIGHT if variant else 0


_kept = _Kept()


def forget_variants() -> None:
    """Start with nothing, as for another database."""
    _kept.forget()
