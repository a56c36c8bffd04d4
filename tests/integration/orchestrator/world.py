"""What the orchestrator looks at: marks of portfolios, the market's sequence, and a calculator that answers."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from django.conf import settings
from django.db import transaction

from orchestrator.models import Calculation, Interest
from orchestrator.operations import advance
from orchestrator.requests import Dispatch
from orchestrator.sweep import PORTFOLIOS_MAX, Swept, sweep
from portfolio.models import FxRate, Instrument, MarketMark, PortfolioChange, Price
from portfolio.streaming.messages import (
    HeldSince,
    MarketDataRecorded,
    Message,
    PositionCalculation,
    PositionCalculationDone,
    TransactionsRecorded,
    ValuationCalculation,
    ValuationCalculationDone,
)

NOON = datetime.datetime(2025, 1, 15, 12, tzinfo=datetime.UTC)
DAY = datetime.date(2025, 1, 15)
EUR = HeldSince(kind="CURRENCY", name="EUR", since_date=DAY)
AAPL = HeldSince(kind="SECURITY", name="AAPL", since_date=DAY)


def at(seconds: float) -> datetime.datetime:
    """So many seconds after noon."""
    return NOON + datetime.timedelta(seconds=seconds)


def book(portfolio_id: str, times: int = 1) -> TransactionsRecorded:
    """The ledger of the portfolio grows; the message that says so."""
    mark, _ = PortfolioChange.objects.get_or_create(portfolio_id=portfolio_id, defaults={"recorded_at": NOON})
    mark.change_seq += times
    mark.save()
    return TransactionsRecorded(portfolio_id=portfolio_id, change_seq=mark.change_seq, recorded_at=NOON)


def book_many(portfolio_ids: Iterable[str]) -> list[TransactionsRecorded]:
    ids = list(portfolio_ids)
    PortfolioChange.objects.bulk_create(
        PortfolioChange(portfolio_id=portfolio_id, change_seq=1, recorded_at=NOON) for portfolio_id in ids
    )
    return [TransactionsRecorded(portfolio_id=portfolio_id, change_seq=1, recorded_at=NOON) for portfolio_id in ids]


def rate(from_currency: str, to_currency: str, day: datetime.date = DAY) -> MarketDataRecorded:
    """A rate is recorded; the message that says so."""
    seq = _next_market_seq()
    same = FxRate.objects.filter(from_currency=from_currency, to_currency=to_currency, rate_date=day)
    same.filter(superseded_at=None).update(superseded_at=NOON)
    FxRate.objects.create(
        from_currency=from_currency,
        to_currency=to_currency,
        rate_date=day,
        rate=Decimal("1.1"),
        market_seq=seq,
        recorded_at=NOON,
    )
    return MarketDataRecorded(kind="RATE", name=f"{from_currency}/{to_currency}", seq=seq, from_date=day)


def instrument(security_id: str) -> MarketDataRecorded:
    """The attributes of an instrument change; the message that says so."""
    seq = _next_market_seq()
    Instrument.objects.update_or_create(
        security_id=security_id, defaults={"currency": "USD", "market_seq": seq, "recorded_at": NOON}
    )
    return MarketDataRecorded(kind="INSTRUMENT", name=security_id, seq=seq)


def price(security_id: str, day: datetime.date = DAY) -> MarketDataRecorded:
    """A price is recorded; the message that says so."""
    seq = _next_market_seq()
    of_day = Price.objects.filter(security_id=security_id, price_date=day)
    of_day.filter(superseded_at=None).update(superseded_at=NOON)
    Price.objects.create(
        security_id=security_id,
        price_date=day,
        price=Decimal(100),
        currency="USD",
        market_seq=seq,
        recorded_at=NOON,
    )
    return MarketDataRecorded(kind="PRICE", name=security_id, seq=seq, from_date=day)


def market_seq() -> int:
    return MarketMark.objects.values_list("market_seq", flat=True).first() or 0


def all_told(*messages: Message, seconds: float = 0) -> list[Dispatch]:
    """The orchestrator takes in the messages as one batch; what it dispatches."""
    with transaction.atomic():
        return advance(messages=messages, quiet_s=settings.VALUATIONS_QUIET_S, now=at(seconds))


def told(*messages: Message, seconds: float = 0) -> list[PositionCalculation]:
    """As `all_told`: of what it dispatches, the positions."""
    return [one for one in all_told(*messages, seconds=seconds) if isinstance(one, PositionCalculation)]


def valuations_told(*messages: Message, seconds: float = 0) -> list[ValuationCalculation]:
    """As `all_told`: of what it dispatches, the valuations."""
    return [one for one in all_told(*messages, seconds=seconds) if isinstance(one, ValuationCalculation)]


def all_swept(seconds: float = 0, after: str = "", portfolios_max: int = PORTFOLIOS_MAX) -> Swept:
    with transaction.atomic():
        quiet_s = settings.VALUATIONS_QUIET_S
        return sweep(after=after, quiet_s=quiet_s, now=at(seconds), portfolios_max=portfolios_max)


class SweptPositions(NamedTuple):
    """What a step of the sweep dispatches of positions, and where the next goes on."""

    calculations: list[PositionCalculation]
    next_after: str


def swept(seconds: float = 0, after: str = "", portfolios_max: int = PORTFOLIOS_MAX) -> SweptPositions:
    """As `all_swept`: of what it dispatches, the positions."""
    step = all_swept(seconds, after, portfolios_max)
    return SweptPositions([c for c in step.calculations if isinstance(c, PositionCalculation)], step.next_after)


def calculated(asked: PositionCalculation, *held: HeldSince) -> PositionCalculationDone:
    """A calculator's answer: it saw the ledger and the market as they are now."""
    seq = PortfolioChange.objects.get(portfolio_id=asked.portfolio_id).change_seq
    news = bool(held) and asked.interests_seq < seq
    return PositionCalculationDone(
        portfolio_id=asked.portfolio_id,
        computed_seq=seq,
        market_seq=market_seq(),
        interests_seq=seq if news else 0,
        interests=held if news else (),
    )


def failed(asked: PositionCalculation, error: str = "a division by zero") -> PositionCalculationDone:
    """A calculator's answer where it could not."""
    return PositionCalculationDone(portfolio_id=asked.portfolio_id, computed_seq=0, error=error)


def valued(
    asked: ValuationCalculation, *quoted_in: str, seconds: float = 0, to_follow: int = 0
) -> ValuationCalculationDone:
    """A calculator's answer: it saw the positions, the market and the clock as they are now.

    `to_follow` is the market_seq of what the positions depend on: where they have not seen it, the answer says so.
    """
    positions = calculation(asked.portfolio_id)
    behind = positions.done_market_seq < to_follow
    return ValuationCalculationDone(
        portfolio_id=asked.portfolio_id,
        computed_seq=positions.done_seq,
        market_seq=positions.done_market_seq if behind else market_seq(),
        awaits_market_seq=market_seq() if behind else 0,
        valued_until=at(seconds).date(),
        quoted_in=quoted_in,
    )


def settled(portfolio_id: str, *held: HeldSince) -> None:
    """A portfolio that was calculated and valued once, so that its interests are known."""
    (asked,) = told(book(portfolio_id))
    (asked_value,) = valuations_told(calculated(asked, *held))
    assert all_told(valued(asked_value)) == []
    assert not calculation(portfolio_id).pending
    assert not valuation(portfolio_id).pending


def calculation(portfolio_id: str) -> Calculation:
    return Calculation.objects.get(portfolio_id=portfolio_id, kind=Calculation.Kind.POSITIONS)


def valuation(portfolio_id: str) -> Calculation:
    return Calculation.objects.get(portfolio_id=portfolio_id, kind=Calculation.Kind.VALUATIONS)


def interests(portfolio_id: str) -> set[str]:
    return set(Interest.objects.filter(portfolio_id=portfolio_id).values_list("name", flat=True))


def _next_market_seq() -> int:
    mark, _ = MarketMark.objects.get_or_create(id=1, defaults={"market_seq": 0, "recorded_at": NOON})
    mark.market_seq += 1
    mark.save()
    return mark.market_seq
