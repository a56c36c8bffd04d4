"""The baton: what is owed is requested, dispatched, closed; and swept up where a message was lost.

What is owed stands in the database: a portfolio's mark (`PortfolioChange.change_seq`), the market's sequence and, for
values, what the positions have done and the day. Messages only wake: they name portfolios to look at, and no counter is
taken from what announces a change. So a message lost, doubled, late or stale can do no harm, and a calculator's done
only ever raises what is done.

A portfolio has at most one dispatch outstanding a kind; what is requested meanwhile is dispatched as one with its done.
Values wait until the positions owe nothing, within bounds (see `orchestrator.requests`).
A dispatch nobody answered is repeated after a while that doubles each time: it may well be waiting in the topic of a
calculator that is down. A failure is tried again a bounded number of times, then waits for something new or a person;
dispatches that nobody answered are no failures.

Every statement takes thousands of portfolios. Locks are taken in one order, so that several orchestrators never wait
for one another in a ring: the market's round, missing rows, then the rows themselves. All operations expect to run in a
transaction of the caller's, which publishes what they return after it is committed.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping

from orchestrator.closing import Reached, close_succeeded, note_failed
from orchestrator.interests import News, next_news, record_interests, record_quotes, share_round
from orchestrator.models import NO_DATE
from orchestrator.requests import (
    POSITIONS,
    VALUATIONS,
    Dispatch,
    Task,
    dispatch,
    of_kind,
    request_positions,
    request_valuations,
    take,
)
from portfolio.streaming.messages import (
    MarketDataRecorded,
    Message,
    PositionCalculationDone,
    TransactionsRecorded,
    ValuationCalculationDone,
)

NEWS_PORTFOLIOS_MAX = 20_000
"""How many portfolios one step of the market's round reaches."""

Done = PositionCalculationDone | ValuationCalculationDone


def advance(*, messages: Collection[Message], quiet_s: float, now: datetime.datetime) -> list[Dispatch]:
    """Take in a batch of news and dones; the calculations to dispatch, by kind and portfolio_id.

    A positions' done requests its values, which then wait until the positions have stood still for `quiet_s` and are
    dispatched from elsewhere (`orchestrator.quiet`); but those that waited for positions which have failed go at once.
    """
    market = [m for m in messages if isinstance(m, MarketDataRecorded)]
    asked_again = {m.name for m in market if m.kind == "PORTFOLIO"}
    woken = {m.portfolio_id for m in messages if isinstance(m, TransactionsRecorded)} | asked_again
    dones = [m for m in messages if isinstance(m, PositionCalculationDone)]
    valued = [m for m in messages if isinstance(m, ValuationCalculationDone)]
    tells = any(m.kind != "PORTFOLIO" for m in market)
    news = next_news(portfolios_max=NEWS_PORTFOLIOS_MAX) if tells else News()
    if any(done.interests for done in dones) or any(done.quoted_in for done in valued):
        share_round()
    awaited = _awaited(valued)
    positions = woken | news.positions.keys() | {done.portfolio_id for done in dones} | awaited.keys()
    valuations = asked_again | news.valuations.keys() | {done.portfolio_id for done in valued}
    valuations |= {done.portfolio_id for done in dones if done.error is None}
    held = take(
        tasks={Task(p, POSITIONS) for p in positions} | {Task(p, VALUATIONS) for p in valuations},
        if_there={Task(done.portfolio_id, VALUATIONS) for done in dones if done.error is not None},
    )
    request_positions(wanted=_furthest(dict.fromkeys(of_kind(held, POSITIONS), 0), news.positions, awaited), now=now)
    close(dones=[*dones, *valued], now=now)
    late = record_interests(dones=_newest_interests(dones))
    request_positions(wanted=late.positions, now=now)
    late_quotes = record_quotes(dones=valued)
    of_market = (news.valuations, late.valuations, late_quotes)
    request_valuations(wanted=_furthest(dict.fromkeys(of_kind(held, VALUATIONS), 0), *of_market), now=now)
    return dispatch(tasks=held, quiet_s=quiet_s, now=now)


def close(*, dones: Collection[Done], now: datetime.datetime) -> None:
    """Raise what is done, close the dispatches it answers, note failures.

    A done that tells less than a dispatch asked for answers an older one: it raises the counters and closes nothing. A
    failure counts against the dispatch outstanding, where there is one.
    """
    succeeded: dict[Task, Reached] = {}
    failed: dict[Task, str] = {}
    for done in dones:
        task = Task(done.portfolio_id, POSITIONS if isinstance(done, PositionCalculationDone) else VALUATIONS)
        if done.error is not None:
            failed[task] = done.error
        else:
            succeeded[task] = succeeded.get(task, Reached()).and_also(_reached(done))
    if succeeded:
        close_succeeded(succeeded, now=now)
    if failed:
        note_failed(failed, now=now)


def _reached(done: Done) -> Reached:
    if isinstance(done, PositionCalculationDone):
        return Reached(done.computed_seq, done.market_seq)
    return Reached(done.computed_seq, done.market_seq, done.valued_until or NO_DATE, done.awaits_market_seq)


def _awaited(valued: Collection[ValuationCalculationDone]) -> dict[str, int]:
    """The market_seq that positions have to follow before their values can be made of it."""
    awaiting = [{done.portfolio_id: done.awaits_market_seq} for done in valued if done.awaits_market_seq]
    return _furthest(*awaiting)


def _furthest(*wanted: Mapping[str, int]) -> dict[str, int]:
    """Of each portfolio the furthest market_seq that is wanted of it."""
    together: dict[str, int] = {}
    for each in wanted:
        together |= {portfolio_id: max(seq, together.get(portfolio_id, 0)) for portfolio_id, seq in each.items()}
    return together


def _newest_interests(dones: Collection[PositionCalculationDone]) -> Collection[PositionCalculationDone]:
    """Of each portfolio the done with the newest set of interests, where one tells any."""
    newest: dict[str, PositionCalculationDone] = {}
    for done in dones:
        standing = newest.get(done.portfolio_id)
        if done.error is None and done.interests_seq > (standing.interests_seq if standing else 0):
            newest[done.portfolio_id] = done
    return newest.values()
