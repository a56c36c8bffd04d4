"""The baton: what is owed is requested, dispatched, closed; and swept up where a message was lost.

What is owed stands in the database: a portfolio's mark (`PortfolioChange.change_seq`) and the market's sequence.
Messages only wake: they name portfolios to look at, and no counter is taken from what announces a change. So a message
lost, doubled, late or stale can do no harm, and a calculator's done only ever raises what is done.

A portfolio has at most one dispatch outstanding a kind; what is requested meanwhile is dispatched as one with its done.
A dispatch nobody answered is repeated after a while that doubles each time: it may well be waiting in the topic of a
calculator that is down. A failure is tried again a bounded number of times, then waits for something new or a person;
dispatches that nobody answered are no failures.

Every statement takes thousands of portfolios. Locks are taken in one order, so that several orchestrators never wait
for one another in a ring: the market's round, missing rows, then the rows themselves by portfolio_id. All operations
expect to run in a transaction of the caller's, which publishes what they return after it is committed.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping

from django.conf import settings
from django.db import connection

from orchestrator.closing import close_succeeded, note_failed
from orchestrator.interests import next_news, record_interests, share_round
from orchestrator.models import Calculation
from portfolio.streaming.messages import (
    MarketDataRecorded,
    Message,
    PositionCalculation,
    PositionCalculationDone,
    TransactionsRecorded,
)

NEWS_PORTFOLIOS_MAX = 20_000
"""How many portfolios one step of the market's round reaches."""
TIMEOUT_DOUBLINGS_MAX = 5

DUE = """
    (c.requested_seq > c.done_seq OR c.requested_market_seq > c.done_market_seq)
    AND CASE c.state
        WHEN 'IDLE' THEN true
        WHEN 'FAILED' THEN c.failures < %(failures_max)s AND c.not_before <= %(now)s
        ELSE c.dispatched_at <= %(now)s - %(timeout_s)s * interval '1 second'
            * 2 ^ least(greatest(c.attempts - 1, 0), %(doublings_max)s)
    END
"""
"""Whether a row (c) is to be dispatched now: SQL, asked with `due_parameters`."""


def advance(*, messages: Collection[Message], now: datetime.datetime) -> list[PositionCalculation]:
    """Take in a batch of news and dones; the calculations to dispatch, by portfolio_id."""
    woken = {m.portfolio_id for m in messages if isinstance(m, TransactionsRecorded)}
    market = [m for m in messages if isinstance(m, MarketDataRecorded)]
    woken |= {m.name for m in market if m.kind == "PORTFOLIO"}
    dones = [m for m in messages if isinstance(m, PositionCalculationDone)]
    tells = any(m.kind in ("INSTRUMENT", "RATE") for m in market)
    news = next_news(portfolios_max=NEWS_PORTFOLIOS_MAX) if tells else {}
    if any(done.interests for done in dones):
        share_round()
    held = take(portfolio_ids=woken | news.keys() | {done.portfolio_id for done in dones})
    request(wanted={**dict.fromkeys(held, 0), **news}, now=now)
    close(dones=dones, now=now)
    return dispatch(portfolio_ids=held, now=now)


def take(*, portfolio_ids: Collection[str], skip_locked: bool = False) -> list[str]:
    """Hold the calculations of these portfolios until the transaction ends, adding those that are missing.

    Gives the portfolios held: without those that have no mark (they do not exist) and, if asked, those others hold.
    """
    if not portfolio_ids:
        return []
    chosen: dict[str, list[str] | str] = {"portfolio_ids": list(portfolio_ids), "kind": Calculation.Kind.POSITIONS}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO calculations (portfolio_id, kind)
            SELECT m.portfolio_id, %(kind)s FROM portfolio_changes AS m
            WHERE m.portfolio_id = ANY(%(portfolio_ids)s::text[]) AND NOT EXISTS (
                SELECT 1 FROM calculations AS c WHERE c.portfolio_id = m.portfolio_id AND c.kind = %(kind)s
            )
            ORDER BY m.portfolio_id ON CONFLICT DO NOTHING
            """,
            chosen,
        )
        cursor.execute(
            f"""
            SELECT portfolio_id FROM calculations
            WHERE portfolio_id = ANY(%(portfolio_ids)s::text[]) AND kind = %(kind)s
            ORDER BY portfolio_id FOR NO KEY UPDATE {"SKIP LOCKED" if skip_locked else ""}
            """,  # noqa: S608 - only this app's own constants are written in
            chosen,
        )
        return [portfolio_id for (portfolio_id,) in cursor.fetchall()]


def request(*, wanted: Mapping[str, int], now: datetime.datetime) -> None:
    """Raise what is requested of these portfolios to their marks, and to the market_seq given for each (0: none).

    Where that requests something new, earlier failures no longer count, and what has failed is tried anew.
    """
    if not wanted:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE calculations AS c SET
                requested_seq = greatest(c.requested_seq, m.change_seq),
                requested_market_seq = greatest(c.requested_market_seq, w.market_seq),
                requested_at = CASE
                    WHEN c.requested_seq > c.done_seq OR c.requested_market_seq > c.done_market_seq THEN c.requested_at
                    ELSE %(now)s
                END,
                attempts = CASE c.state WHEN 'FAILED' THEN 0 ELSE c.attempts END,
                failures = 0,
                not_before = CASE c.state WHEN 'FAILED' THEN %(now)s END
            FROM unnest(%(portfolio_ids)s::text[], %(market_seqs)s::bigint[]) AS w (portfolio_id, market_seq)
            JOIN portfolio_changes AS m ON m.portfolio_id = w.portfolio_id
            WHERE c.portfolio_id = w.portfolio_id AND c.kind = %(kind)s
                AND (m.change_seq > c.requested_seq OR w.market_seq > c.requested_market_seq)
            """,
            {
                "portfolio_ids": list(wanted),
                "market_seqs": list(wanted.values()),
                "kind": Calculation.Kind.POSITIONS,
                "now": now,
            },
        )


def dispatch(*, portfolio_ids: Collection[str], now: datetime.datetime) -> list[PositionCalculation]:
    """Send on its way what is owed of these portfolios and not on its way yet: the messages to publish."""
    if not portfolio_ids:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE calculations AS c SET
                state = 'DISPATCHED', dispatched_at = %(now)s, attempts = c.attempts + 1, not_before = NULL,
                dispatched_seq = c.requested_seq, dispatched_market_seq = c.requested_market_seq
            WHERE c.portfolio_id = ANY(%(portfolio_ids)s::text[]) AND c.kind = %(kind)s AND {DUE}
            RETURNING c.portfolio_id, c.requested_seq, c.requested_market_seq, c.interests_seq
            """,  # noqa: S608 - only this app's own constants are written in
            {"portfolio_ids": list(portfolio_ids), "kind": Calculation.Kind.POSITIONS, **due_parameters(now)},
        )
        return [
            PositionCalculation(
                portfolio_id=portfolio_id,
                requested_seq=requested_seq,
                requested_market_seq=market_seq,
                interests_seq=interests_seq,
            )
            for portfolio_id, requested_seq, market_seq, interests_seq in sorted(cursor.fetchall())
        ]


def due_parameters(now: datetime.datetime) -> dict[str, datetime.datetime | float]:
    """What `DUE` is asked with."""
    return {
        "now": now,
        "timeout_s": settings.DISPATCH_TIMEOUT_S,
        "doublings_max": TIMEOUT_DOUBLINGS_MAX,
        "failures_max": settings.CALCULATION_ATTEMPTS_MAX,
    }


def close(*, dones: Collection[PositionCalculationDone], now: datetime.datetime) -> None:
    """Raise what is done, close the dispatches it answers, note failures, record interests.

    A done that tells less than a dispatch asked for answers an older one: it raises the counters and closes nothing. A
    failure counts against the dispatch outstanding, where there is one.
    """
    succeeded: dict[str, tuple[int, int]] = {}
    failed: dict[str, str] = {}
    telling: dict[str, PositionCalculationDone] = {}
    for done in dones:
        if done.error is not None:
            failed[done.portfolio_id] = done.error
            continue
        seq, market_seq = succeeded.get(done.portfolio_id, (0, 0))
        succeeded[done.portfolio_id] = max(seq, done.computed_seq), max(market_seq, done.market_seq)
        if done.interests_seq > (telling[done.portfolio_id].interests_seq if done.portfolio_id in telling else 0):
            telling[done.portfolio_id] = done
    if succeeded:
        close_succeeded(succeeded, now=now)
    if failed:
        note_failed(failed, now=now)
    request(wanted=record_interests(dones=telling.values()), now=now)
