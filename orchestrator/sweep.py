"""The sweep: whatever is owed in the database and not on its way is dispatched, whatever message was lost.

It walks the portfolios by their key, some at a time, and starts anew after the last. The other way, an index on what
is open, would have to be written with every calculation (an index's condition counts like its columns there). A step of
the walk reads two ranges of keys and costs the same little however many portfolios there are; what grows with them is
only the time until a loss is noticed. Each process walks by itself: what one holds another passes over.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection

from orchestrator.interests import next_news
from orchestrator.models import Calculation
from orchestrator.operations import DUE, NEWS_PORTFOLIOS_MAX, dispatch, due_parameters, request, take
from portfolio.streaming.messages import PositionCalculation

PORTFOLIOS_MAX = 50_000
"""How many portfolios one sweep looks at."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What there is to publish, and the portfolio after which the next sweep goes on."""

    calculations: Sequence[PositionCalculation]
    next_after: str


def sweep(*, after: str, now: datetime.datetime, portfolios_max: int = PORTFOLIOS_MAX) -> Swept:
    """Look at the next portfolios after `after` ("" at first) and take the market's round a step further.

    Expects a transaction of the caller's, which publishes the calculations after it is committed.
    """
    news = next_news(portfolios_max=NEWS_PORTFOLIOS_MAX)
    found, next_after = _open_after(after, now, portfolios_max)
    # What somebody else holds is being looked after; but those whom the market's round names it has passed.
    held = take(portfolio_ids=found | news.keys(), skip_locked=not news)
    request(wanted={**dict.fromkeys(held, 0), **news}, now=now)
    return Swept(dispatch(portfolio_ids=held, now=now), next_after)


def _open_after(after: str, now: datetime.datetime, portfolios_max: int) -> tuple[set[str], str]:
    """Of the next portfolios those with something to request or dispatch; and the last one looked at, "" at the end."""
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
        # Both ranges are written out, so that both tables are read by their keys and not as a whole.
        cursor.execute(
            f"""
            SELECT m.portfolio_id FROM portfolio_changes AS m LEFT JOIN calculations AS c
                ON c.portfolio_id = m.portfolio_id AND c.kind = %(kind)s
                AND c.portfolio_id > %(after)s {"AND c.portfolio_id <= %(up_to)s" if up_to else ""}
            WHERE m.portfolio_id > %(after)s {"AND m.portfolio_id <= %(up_to)s" if up_to else ""}
                AND (c.id IS NULL OR m.change_seq > c.requested_seq OR ({DUE}))
            """,  # noqa: S608 - only this app's own constants are written in
            {"kind": Calculation.Kind.POSITIONS, "after": after, "up_to": up_to, **due_parameters(now)},
        )
        return {portfolio_id for (portfolio_id,) in cursor.fetchall()}, up_to
