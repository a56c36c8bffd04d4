"""Asking again, for a person: from scratch, or only for what has failed.

A recalculation from scratch raises the portfolio's mark as a change of its settings does. So it is owed like anything
else: the answers say that it is pending, no message needs to arrive, and what was given up is tried anew.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from django.db import connection
from django.db import transaction as db_transaction

from portfolio.marks import lock_marks, raise_marks
from portfolio.models import PortfolioChange
from portfolio.streaming.broker import BrokerUnavailable, Outgoing, Producer
from portfolio.streaming.messages import MarketDataRecorded, encode

PORTFOLIOS_MAX = 1_000
"""How many portfolios are asked for in one transaction."""


@dataclass(frozen=True, slots=True)
class Recalculation:
    """How many portfolios were asked for, and whether their wake-ups went out; else the sweep finds them."""

    portfolios: int
    woken: bool


def recalculate(
    *, portfolio_ids: Collection[str] | None, rebuild: bool = True, producer: Producer, now: datetime.datetime
) -> Recalculation:
    """Ask again for these portfolios, or for all (None), a thousand in a transaction of their own.

    With `rebuild` from scratch; without it, what has failed is tried again however often it did, and the rest only
    where something is owed. Portfolios that do not exist are passed over and not counted.
    """
    portfolios, woken = 0, True
    for known in _slices(portfolio_ids):
        with db_transaction.atomic():
            seqs = _raise(known, now) if rebuild else known
            _forgive(list(known), now)
        portfolios += len(known)
        woken = woken and _wake(seqs, producer)
    return Recalculation(portfolios, woken)


def _wake(seqs: Mapping[str, int], producer: Producer) -> bool:
    news = [MarketDataRecorded(kind="PORTFOLIO", name=portfolio_id, seq=seq) for portfolio_id, seq in seqs.items()]
    try:
        producer.publish(Outgoing(m.TOPIC, m.key, encode(m)) for m in news)
    except BrokerUnavailable:
        return False
    return True


def _slices(portfolio_ids: Collection[str] | None) -> Iterator[dict[str, int]]:
    """The portfolios that exist, in order, with their change_seq."""
    marks = PortfolioChange.objects.order_by("portfolio_id").values_list("portfolio_id", "change_seq")
    if portfolio_ids is not None:
        chosen = sorted(portfolio_ids)
        for start in range(0, len(chosen), PORTFOLIOS_MAX):
            if known := dict(marks.filter(portfolio_id__in=chosen[start : start + PORTFOLIOS_MAX])):
                yield known
        return
    after = ""
    while known := dict(marks.filter(portfolio_id__gt=after)[:PORTFOLIOS_MAX]):
        yield known
        after = next(reversed(known))


def _raise(portfolio_ids: Collection[str], now: datetime.datetime) -> dict[str, int]:
    marks = raise_marks(lock_marks(dict.fromkeys(portfolio_ids, ""), now=now), now=now, settings_changed=True)
    return {portfolio_id: mark.change_seq for portfolio_id, mark in marks.items()}


def _forgive(portfolio_ids: Collection[str], now: datetime.datetime) -> None:
    """Forget how often these have failed, one that is being tried again too: those that wait are due at once."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE calculations AS c SET
                failures = 0,
                attempts = CASE c.state WHEN 'FAILED' THEN 0 ELSE c.attempts END,
                not_before = CASE c.state WHEN 'FAILED' THEN %s::timestamptz END
            FROM (
                SELECT id FROM calculations
                WHERE portfolio_id = ANY(%s::text[]) AND (state = 'FAILED' OR failures > 0)
                ORDER BY portfolio_id, kind FOR NO KEY UPDATE
            ) AS failed
            WHERE c.id = failed.id
            """,
            [now, list(portfolio_ids)],
        )
