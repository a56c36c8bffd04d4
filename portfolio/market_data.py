"""Writing reference data: portfolios, instruments, prices and rates, with every version they had.

The one `MarketMark` row orders the writers of instruments, prices and rates, as a portfolio's own mark orders the
writers of its ledger and settings. Of two versions the higher counts, of equal ones the later on the topic. A record
that says what stands already changes nothing.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Model

from portfolio.marks import Mark, lock_marks, raise_marks
from portfolio.models import Instrument, MarketMark, Portfolio, ReferenceVersion
from portfolio.quotes import record_prices, record_rates
from portfolio.streaming.handling import Handled, Letter, Publication, Received
from portfolio.streaming.messages import (
    MarketDataRecorded,
    Message,
    RawInstrument,
    RawPortfolio,
    RawPrice,
    RawRate,
    SubmittedInstrument,
    SubmittedPortfolio,
)

R = TypeVar("R", bound=Message)


def record_market_data(received: Sequence[Received], *, now: datetime.datetime) -> Handled:
    """Keep a batch of reference data and announce all of it, also what was known before.

    Set aside: the attributes of a portfolio that belongs to somebody else (`NOT_OWNER`). Runs in the caller's database
    transaction.
    """
    assert connection.in_atomic_block, "the marks' locks must last until the rows are committed"
    publications: list[Publication] = []
    letters: list[Letter] = []
    portfolios = [one for one in received if isinstance(one.message, RawPortfolio)]
    if portfolios:
        publications, letters = _record_portfolios(portfolios, now)
    if len(portfolios) < len(received):
        mark = _raise_market_mark(now)
        for message_type, record in _RECORDERS.items():
            batch = [one for one in received if isinstance(one.message, message_type)]
            if batch:
                publications += record(batch, mark)
    return Handled(publications=publications, letters=letters)


def _raise_market_mark(now: datetime.datetime) -> MarketMark:
    """Lock the mark of all market data until the end of the database transaction, and raise it."""
    MarketMark.objects.bulk_create([MarketMark(id=1, market_seq=0, recorded_at=now)], ignore_conflicts=True)
    mark = MarketMark.objects.select_for_update().get(id=1)
    mark.market_seq += 1
    mark.recorded_at = max(now, mark.recorded_at + datetime.timedelta(microseconds=1))
    mark.save()
    return mark


# --- portfolios ---------------------------------------------------------------------------------------------------


def _record_portfolios(batch: Sequence[Received], now: datetime.datetime) -> tuple[list[Publication], list[Letter]]:
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
    changed = _record_attributes(
        Portfolio,
        [(m.portfolio.portfolio_id, m.portfolio, m.submitted_by or "") for m in messages],
        kind="PORTFOLIO",
        recorded_at=now,
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


def _record_instruments(batch: Sequence[Received], mark: MarketMark) -> list[Publication]:
    messages = [_message(one, RawInstrument) for one in batch]
    submissions = [message.instrument for message in messages]
    _record_attributes(
        Instrument,
        [(m.instrument.security_id, m.instrument, m.submitted_by or "") for m in messages],
        kind="INSTRUMENT",
        recorded_at=mark.recorded_at,
        stamps={"market_seq": mark.market_seq},
    )
    return [
        Publication(MarketDataRecorded(kind="INSTRUMENT", name=s.security_id, seq=mark.market_seq), one.record)
        for one, s in zip(batch, submissions, strict=True)
    ]


def _record_attributes(
    model: type[Portfolio | Instrument],
    submissions: Sequence[tuple[str, SubmittedPortfolio | SubmittedInstrument, str]],
    *,
    kind: str,
    recorded_at: datetime.datetime,
    stamps: dict[str, Any],
) -> set[str]:
    """Keep every version that is new, make the one that counts the model's row, and return whose row has changed.

    A submission comes with the name of what it is about and with who submitted it.
    """
    names = {name for name, _, _ in submissions}
    rows: dict[str, Model] = dict(model.objects.in_bulk(names))
    kept = list(ReferenceVersion.objects.filter(kind=kind, name__in=names).values_list("name", "content"))
    contents: dict[str, dict[str, Any]] = {name: _attributes_of(row) for name, row in rows.items()}
    versions: list[ReferenceVersion] = []
    changed: dict[str, Any] = {}
    for name, submission, submitted_by in submissions:
        attributes, content = msgspec.structs.asdict(submission), msgspec.to_builtins(submission)
        standing = contents.get(name)
        lower = standing is not None and submission.version < standing["version"]
        if standing == attributes or (lower and (name, content) in kept):
            continue
        kept.append((name, content))
        versions.append(
            ReferenceVersion(
                kind=kind,
                name=name,
                version=submission.version,
                content=content,
                submitted_by=submitted_by,
                recorded_at=recorded_at,
            )
        )
        if not lower:
            contents[name] = attributes
            changed[name] = model(**attributes, recorded_at=recorded_at, **stamps)
    ReferenceVersion.objects.bulk_create(versions)
    fields = [field.name for field in model._meta.concrete_fields if not field.primary_key]
    primary_key = model._meta.pk
    assert primary_key is not None, "every model has one"
    model.objects.bulk_create(
        changed.values(), update_conflicts=True, unique_fields=[primary_key.name], update_fields=fields
    )
    return set(changed)


def _attributes_of(row: Model) -> dict[str, Any]:
    return {field.name: getattr(row, field.name) for field in row._meta.concrete_fields if field.name not in _STAMPS}


_STAMPS = ("recorded_at", "market_seq")


def _record_prices(batch: Sequence[Received], mark: MarketMark) -> list[Publication]:
    submissions = [_message(one, RawPrice).market_price for one in batch]
    record_prices(submissions, mark=mark)
    return [
        Publication(
            MarketDataRecorded(kind="PRICE", name=s.security_id, seq=mark.market_seq, from_date=s.price_date),
            one.record,
        )
        for one, s in _first_day_of_each(batch, submissions, lambda s: s.security_id, lambda s: s.price_date)
    ]


def _record_rates(batch: Sequence[Received], mark: MarketMark) -> list[Publication]:
    submissions = [_message(one, RawRate).fx_rate for one in batch]
    record_rates(submissions, mark=mark)
    return [
        Publication(
            MarketDataRecorded(
                kind="RATE", name=f"{s.from_currency}/{s.to_currency}", seq=mark.market_seq, from_date=s.rate_date
            ),
            one.record,
        )
        for one, s in _first_day_of_each(
            batch, submissions, lambda s: (s.from_currency, s.to_currency), lambda s: s.rate_date
        )
    ]


def _first_day_of_each(
    batch: Sequence[Received],
    submissions: Sequence[Any],
    name: Callable[[Any], Any],
    day: Callable[[Any], datetime.date],
) -> list[tuple[Received, Any]]:
    """Of every name the submission of its first day: one announcement says from when on it has changed."""
    first: dict[Any, tuple[Received, Any]] = {}
    for one, submission in zip(batch, submissions, strict=True):
        standing = first.get(name(submission))
        if standing is None or day(submission) < day(standing[1]):
            first[name(submission)] = (one, submission)
    return list(first.values())


def _message(one: Received, message_type: type[R]) -> R:
    assert isinstance(one.message, message_type)
    return one.message


_RECORDERS: dict[type[Message], Callable[[Sequence[Received], MarketMark], list[Publication]]] = {
    RawInstrument: _record_instruments,
    RawPrice: _record_prices,
    RawRate: _record_rates,
}
