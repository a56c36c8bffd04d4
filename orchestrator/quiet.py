"""Which portfolios' positions have just been done: their values wait for a quiet moment, and go when it is over.

What is kept here is the memory of one process and only says when to look: that values are owed, and whether they still
wait, stands in the database. What a process forgets when it ends the sweep finds.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable
from itertools import islice, takewhile

from orchestrator.requests import VALUATIONS, Dispatch, Task, dispatch, take


class QuietMoments:
    """Portfolios by the moment since which their positions stand still, the oldest first.

    A moment lasts `quiet_s`; where that is 0 values do not wait for one, and nothing is kept.
    """

    def __init__(self, *, quiet_s: float) -> None:
        self._length = datetime.timedelta(seconds=quiet_s)
        self._since: dict[str, datetime.datetime] = {}

    def begin(self, portfolio_ids: Iterable[str], *, now: datetime.datetime) -> None:
        """The positions of these have been done: what was counted of an earlier moment counts no more."""
        if not self._length:
            return
        for portfolio_id in portfolio_ids:
            self._since.pop(portfolio_id, None)
            self._since[portfolio_id] = now

    def over(self, *, portfolios_max: int, now: datetime.datetime) -> list[str]:
        """Those that have stood still for long enough: the first so many, the rest when these are forgotten."""
        over = takewhile(lambda one: self._is_over(one[1], now), self._since.items())
        return [portfolio_id for portfolio_id, _ in islice(over, portfolios_max)]

    def forget(self, portfolio_ids: Iterable[str], *, now: datetime.datetime) -> None:
        """Those of these that have stood still for long enough have been looked at."""
        for portfolio_id in portfolio_ids:
            since = self._since.get(portfolio_id)
            if since is not None and self._is_over(since, now):
                del self._since[portfolio_id]

    def _is_over(self, since: datetime.datetime, now: datetime.datetime) -> bool:
        return since <= now - self._length


def dispatch_values(*, portfolio_ids: Collection[str], quiet_s: float, now: datetime.datetime) -> list[Dispatch]:
    """Send on their way the valuations of these portfolios that are owed and wait no more.

    Expects a transaction of the caller's, which publishes them after it is committed.
    """
    held = take(tasks=[Task(portfolio_id, VALUATIONS) for portfolio_id in portfolio_ids])
    return dispatch(tasks=held, quiet_s=quiet_s, now=now)
