"""Writing reference data: portfolios, instruments, prices, rates and weights, with every version they had.

The one `MarketMark` row orders the writers of instruments, prices, rates and weights, as a portfolio's own mark orders
the writers of its ledger and settings. Of two versions the higher counts, of equal ones the later on the topic. A
record that says what stands already changes nothing, and a batch of such raises no mark: whatever was computed or is
cached up to it stays good. Everything is announced again all the same, since the first announcement may have been lost.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from django.contrib.auth.models import User
from django.db import connection

from portfolio.attributes import record_attributes
from portfolio.knowledge import moment_under_lock, say_since_when_recording
from portfolio.marks import Mark, lock_marks, raise_marks
from portfolio.models import Instrument, MarketMark, Portfolio
from portfolio.places import Place
from portfolio.quotes import BENCHMARK_WEIGHTS, PRICES, RATES, Quotes, record_quotes
from portfolio.streaming.broker import Record
from portfolio.streaming.handling import Handled, Letter, Publication, Received
from portfolio.streaming.messages import (
    MarketDataKind,
    MarketDataRecorded,
    Message,
    RawBenchmarkWeight,
    RawInstrument,
    RawPortfolio,
    RawPrice,
    RawRate,
)

R = TypeVar("R", bound=Message)


def record_market_data(received: Sequence[Received], *, now: datetime.datetime | None = None) -> Handled:
    """Keep a batch of reference data and announce all of it, also what was known before.

    Set aside: the attributes of a portfolio that belongs to somebody else (`NOT_OWNER`). Runs in the caller's database
    transaction. The rows are dated by the database's clock, read under the marks' locks; a moment given as `now` stands
    in for it.
    """
    assert connection.in_atomic_block, "the marks' locks must last until the rows are committed"
    publications: list[Publication] = []
    letters: list[Letter] = []
    portfolios = [one for one in received if isinstance(one.message, RawPortfolio)]
    if portfolios:
        publications, letters = _record_portfolios(portfolios, now)
    if len(portfolios) < len(received):
        publications += _record_of_market(received, now)
    return Handled(publications=publications, letters=letters)


@dataclass(frozen=True, slots=True)
class _Recorded:
    """What a batch of one sort came to: whether rows were written under the raised mark, and what is announced."""

    is_new: bool
    news: Sequence[_News]


@dataclass(frozen=True, slots=True)
class _News:
    """One announcement: what has changed, for prices and their like from which day on, and the record that said so."""

    kind: MarketDataKind
    name: str
    record: Record
    from_date: datetime.date | None = None


def _record_of_market(received: Sequence[Received], now: datetime.datetime | None) -> list[Publication]:
    """Keep what is about the market under the next market_seq; where nothing of it is new, that is not given out."""
    mark = _lock_market_mark(now)
    next_mark = MarketMark(
        id=mark.id,
        market_seq=mark.market_seq + 1,
        recorded_at=max(now or moment_under_lock(), mark.recorded_at + datetime.timedelta(microseconds=1)),
    )
    batches = {of: [one for one in received if isinstance(one.message, of)] for of in _RECORDERS}
    recorded = [_RECORDERS[of](batch, next_mark) for of, batch in batches.items() if batch]
    if any(one.is_new for one in recorded):
        next_mark.save(force_update=True)
        mark = next_mark
    return [
        Publication(
            MarketDataRecorded(kind=news.kind, name=news.name, seq=mark.market_seq, from_date=news.from_date),
            news.record,
        )
        for one in recorded
        for news in one.news
    ]


def _lock_market_mark(now: datetime.datetime | None) -> MarketMark:
    """Lock the mark of all market data until the end of the database transaction; made where there was none."""
    say_since_when_recording()
    first = MarketMark(id=1, market_seq=0, recorded_at=now or moment_under_lock())
    MarketMark.objects.bulk_create([first], ignore_conflicts=True)
    return MarketMark.objects.select_for_update().get(id=1)


# --- portfolios ---------------------------------------------------------------------------------------------------


def _record_portfolios(
    batch: Sequence[Received], now: datetime.datetime | None
) -> tuple[list[Publication], list[Letter]]:
    submitters: dict[str, str] = {}
    for one in batch:
        message = _message(one, RawPortfolio)
        submitters.setdefault(message.portfolio.portfolio_id, message.submitted_by or "")
    marks = lock_marks(submitters, now=now)
    trusted = _trusted({_message(one, RawPortfolio).submitted_by or "" for one in batch})
    allowed: list[Received] = []
    letters: list[Letter] = []
    for one in batch:
        if _may_write(_message(one, RawPortfolio), marks, trusted):
            allowed.append(one)
        else:
            letters.append(_not_owner(one))
    messages = [_message(one, RawPortfolio) for one in allowed]
    submissions = [message.portfolio for message in messages]
    changed = record_attributes(
        Portfolio,
        [
            (m.portfolio.portfolio_id, m.portfolio, m.submitted_by or "", Place.of(one))
            for one, m in zip(allowed, messages, strict=True)
        ],
        kind="PORTFOLIO",
        recorded_at=now or moment_under_lock(),
        stamps={},
    )
    marks |= raise_marks({name: marks[name] for name in changed}, now=now, settings_changed=True)
    publications = [
        Publication(
            MarketDataRecorded(kind="PORTFOLIO", name=s.portfolio_id, seq=marks[s.portfolio_id].change_seq), one.record
        )
        for one, s in zip(allowed, submissions, strict=True)
    ]
    return publications, letters


def _trusted(names: set[str]) -> set[str]:
    """Those of the users who may submit to every portfolio; a system's records have no user and are trusted."""
    users = User.objects.filter(username__in=names, is_active=True)
    return {""} | {user.get_username() for user in users if user.has_perm("portfolio.write_any_portfolio")}


def _may_write(message: RawPortfolio, marks: dict[str, Mark], trusted: set[str]) -> bool:
    user = message.submitted_by or ""
    return user in trusted or marks[message.portfolio.portfolio_id].owner == user


def _not_owner(one: Received) -> Letter:
    message = _message(one, RawPortfolio)
    portfolio_id = message.portfolio.portfolio_id
    reason = f"{message.submitted_by} submitted attributes of {portfolio_id}, which belongs to somebody else"
    return Letter(one.record, "NOT_OWNER", reason, portfolio_id=portfolio_id)


# --- attributes ---------------------------------------------------------------------------------------------------


def _record_instruments(batch: Sequence[Received], mark: MarketMark) -> _Recorded:
    messages = [_message(one, RawInstrument) for one in batch]
    changed = record_attributes(
        Instrument,
        [
            (m.instrument.security_id, m.instrument, m.submitted_by or "", Place.of(one))
            for one, m in zip(batch, messages, strict=True)
        ],
        kind="INSTRUMENT",
        recorded_at=mark.recorded_at,
        stamps={"market_seq": mark.market_seq},
    )
    news = [_News("INSTRUMENT", m.instrument.security_id, one.record) for one, m in zip(batch, messages, strict=True)]
    return _Recorded(bool(changed), news)


# --- quotes -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Sort:
    """A sort of quotes: where they are kept, and how they are announced."""

    table: Quotes
    kind: MarketDataKind
    submission: Callable[[Any], Any]
    name: Callable[[Any], str]
    day: Callable[[Any], datetime.date]


def _record_quotes(sort: _Sort, batch: Sequence[Received], mark: MarketMark) -> _Recorded:
    """Keep them; of every name one announcement says from which day on it has changed."""
    submissions = [sort.submission(one.message) for one in batch]
    places = [(submission, Place.of(one)) for one, submission in zip(batch, submissions, strict=True)]
    kept = record_quotes(sort.table, places, mark=mark)
    first: dict[str, tuple[Received, Any]] = {}
    for one, submission in zip(batch, submissions, strict=True):
        standing = first.setdefault(sort.name(submission), (one, submission))
        if sort.day(submission) < sort.day(standing[1]):
            first[sort.name(submission)] = (one, submission)
    news = [_News(sort.kind, name, one.record, sort.day(s)) for name, (one, s) in first.items()]
    return _Recorded(kept > 0, news)


def _message(one: Received, message_type: type[R]) -> R:
    assert isinstance(one.message, message_type)
    return one.message


_RECORDERS: dict[type[Message], Callable[[Sequence[Received], MarketMark], _Recorded]] = {
    RawInstrument: _record_instruments,
    RawPrice: partial(
        _record_quotes,
        _Sort(PRICES, "PRICE", lambda m: m.market_price, lambda s: str(s.security_id), lambda s: s.price_date),
    ),
    RawRate: partial(
        _record_quotes,
        _Sort(
            RATES, "RATE", lambda m: m.fx_rate, lambda s: f"{s.from_currency}/{s.to_currency}", lambda s: s.rate_date
        ),
    ),
    RawBenchmarkWeight: partial(
        _record_quotes,
        _Sort(
            BENCHMARK_WEIGHTS,
            "BENCHMARK_WEIGHT",
            lambda m: m.benchmark_weight,
            lambda s: str(s.benchmark_id),
            lambda s: s.weight_date,
        ),
    ),
}
