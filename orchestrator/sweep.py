"""The sweep: whatever is owed in the database and not on its way is dispatched, whatever message was lost.

It walks the portfolios by their key, some at a time, and starts anew after the last. The other way, an index on what
is open, would have to be written with every calculation (an index's condition counts like its columns there). A step of
the walk reads two ranges of keys and costs the same little however many portfolios there are; what grows with them is
only the time until a loss is noticed, or that valuations have waited for their positions as long as they may. Each
process walks by itself: what one holds another passes over.

It also asks for the values of a new day, once a day and portfolio. All portfolios are due at midnight (UTC) together; a
step asks for some of those it comes by, so that they are spread over the walks that follow.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import connection

from orchestrator.interests import next_news
from orchestrator.models import NO_DATE
from orchestrator.operations import NEWS_PORTFOLIOS_MAX
from orchestrator.requests import (
    POSITIONS,
    VALUATIONS,
    Dispatch,
    Task,
    dispatch,
    due,
    due_parameters,
    of_kind,
    request_positions,
    request_valuations,
    take,
    waits,
    waits_parameters,
)
from portfolio.dates import day_of

PORTFOLIOS_MAX = 50_000
"""How many portfolios one sweep looks at."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What there is to publish, and the portfolio after which the next sweep goes on."""

    calculations: Sequence[Dispatch]
    next_after: str


@dataclass(frozen=True, slots=True)
class _Open:
    """Calculations with something to request or dispatch, and those whose day has passed."""

    tasks: set[Task]
    a_new_day: set[str]


def sweep(*, after: str, quiet_s: float, now: datetime.datetime, portfolios_max: int = PORTFOLIOS_MAX) -> Swept:
    """Look at the next portfolios after `after` ("" at first) and take the market's round a step further.

    Values that are owed are passed over until their positions have stood still for `quiet_s`.

    Expects a transaction of the caller's, which publishes the calculations after it is committed.
    """
    news = next_news(portfolios_max=NEWS_PORTFOLIOS_MAX)
    found, next_after = _open_after(after, quiet_s, now, portfolios_max)
    tasks = found.tasks | {Task(p, POSITIONS) for p in news.positions} | {Task(p, VALUATIONS) for p in news.valuations}
    # What somebody else holds is being looked after; but those whom the market's round names it has passed.
    held = take(tasks=tasks, skip_locked=not news.portfolio_ids())
    request_positions(wanted={**dict.fromkeys(of_kind(held, POSITIONS), 0), **news.positions}, now=now)
    request_valuations(
        wanted={**dict.fromkeys(of_kind(held, VALUATIONS), 0), **news.valuations}, a_new_day=found.a_new_day, now=now
    )
    return Swept(dispatch(tasks=held, quiet_s=quiet_s, now=now), next_after)


def _open_after(after: str, quiet_s: float, now: datetime.datetime, portfolios_max: int) -> tuple[_Open, str]:
    """What is open of the next portfolios; and the last one looked at, "" at the end."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT portfolio_id FROM portfolio_changes WHERE portfolio_id > %s
            ORDER BY portfolio_id OFFSET %s LIMIT 1
            """,
            [after, portfolios_max - 1],
        )
        row = cursor.fetchone()
        up_to = row[0] if row else ""
        # The range is written out for each table, so that all are read by their keys and none as a whole.
        cursor.execute(
            f"""
            SELECT * FROM (
                SELECT m.portfolio_id,
                    p.id IS NULL OR m.change_seq > p.requested_seq OR {due("p")} AS is_open,
                    (v.id IS NULL AND p.done_seq > 0) OR p.done_seq > v.requested_seq
                        OR p.done_market_seq > v.requested_market_seq
                        OR ({due("v")} AND NOT {waits("v", "p", "m")}) AS is_owed,
                    v.requested_date > %(no_date)s AND v.requested_date < %(today)s AS is_over
                FROM portfolio_changes AS m
                LEFT JOIN calculations AS p
                    ON p.portfolio_id = m.portfolio_id AND p.kind = 'POSITIONS' AND {_in_range("p", up_to)}
                LEFT JOIN calculations AS v
                    ON v.portfolio_id = m.portfolio_id AND v.kind = 'VALUATIONS' AND {_in_range("v", up_to)}
                WHERE {_in_range("m", up_to)}
            ) AS seen
            WHERE is_open OR is_owed OR is_over ORDER BY portfolio_id
            """,  # noqa: S608 - only this app's own constants are written in
            {
                "after": after,
                "up_to": up_to,
                "today": day_of(now),
                "no_date": NO_DATE,
                **due_parameters(now),
                **waits_parameters(quiet_s),
            },
        )
        rows = cursor.fetchall()
    over = [portfolio_id for portfolio_id, _, _, is_over in rows if is_over][: settings.NEW_DAY_PORTFOLIOS_MAX]
    positions = {Task(portfolio_id, POSITIONS) for portfolio_id, is_open, _, _ in rows if is_open}
    valuations = {Task(portfolio_id, VALUATIONS) for portfolio_id, _, is_owed, _ in rows if is_owed}
    return _Open(positions | valuations | {Task(p, VALUATIONS) for p in over}, set(over)), up_to


def _in_range(alias: str, up_to: str) -> str:
    column = f"{alias}.portfolio_id"
    return f"{column} > %(after)s" + (f" AND {column} <= %(up_to)s" if up_to else "")
