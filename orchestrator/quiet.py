"""Which portfolios' positions have just been done: their values wait for a quiet moment, and go when it is over.

What is kept here is the memory of one process and only says when to look: that values are owed, and whether they still
wait, stands in the database. What a process forgets when it ends the sweep finds.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable
from itertools import takewhile

from django.conf import settings

from orchestrator.requests import VALUATIONS, Dispatch, Task, dispatch, take


class QuietMoments:
    """Portfolios by the moment since which their positions stand still, the oldest first."""

    def __init__(self) -> None:
        self._since: dict[str, datetime.datetime] = {}

    def begin(self, portfolio_ids: Iterable[str], *, now: datetime.datetime) -> None:
        """The positions of these have been done: what was counted of an earlier moment counts no more."""
        for portfolio_id in portfolio_ids:
            self._since.pop(portfolio_id, None)
            self._since[portfolio_id] = now

    def over(self, *, now: datetime.datetime) -> list[str]:
        """Those that have stood still for long enough."""
        until = now - datetime.timedelta(seconds=settings.VALUATIONS_QUIET_S)
        return [portfolio_id for portfolio_id, _ in takewhile(lambda one: one[1] <= until, self._since.items())]

    def forget(self, portfolio_ids: Iterable[str], *, now: datetime.datetime) -> None:
        """Those of these that have stood still for long enough have been looked at."""
        for portfolio_id in set(self.over(now=now)).intersection(portfolio_ids):
            del self._since[portfolio_id]


def dispatch_values(*, portfolio_ids: Collection[str], now: datetime.datetime) -> list[Dispatch]:
    """Send on their way the valuations of these portfolios that are owed and wait no more.

    Expects a transaction of the caller's, which publishes them after it is committed.
    """
    return dispatch(tasks=take(tasks=[Task(portfolio_id, VALUATIONS) for portfolio_id in portfolio_ids]), now=now)
