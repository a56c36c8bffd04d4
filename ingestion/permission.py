"""Whose portfolio it is: asked of the database once a request, and not again within TOKEN_CACHE_S for what was allowed.

Only leave is remembered, never a refusal. A portfolio once recorded keeps its owner, so leave can be out of date only
where nobody's portfolio has become somebody's in these seconds; the consumer, which sees who was first, sets such a
record aside. Permissions are the user's own, remembered with the token for as long.
"""

from __future__ import annotations

import time

from django.conf import settings
from django.contrib.auth.models import User

from portfolio import queries

LEAVES_KEPT_MAX = 200_000

_leaves: dict[tuple[str, str], float] = {}


def may_submit_for_everybody(user: queries.AnyUser) -> bool:
    """Whether the user may write every portfolio, and what belongs to none: instruments, prices, rates."""
    return isinstance(user, User) and user.has_perm("portfolio.write_any_portfolio")


def forbidden_to_submit(user: queries.AnyUser, portfolio_ids: set[str]) -> set[str]:
    """Those of the portfolios that the user may not submit to."""
    if may_submit_for_everybody(user):
        return set()
    now_s = time.monotonic()
    name = user.get_username()
    asked = {portfolio_id for portfolio_id in portfolio_ids if _leaves.get((name, portfolio_id), 0.0) <= now_s}
    refused = queries.forbidden_to_submit(user, asked) if asked else set()
    if len(_leaves) + len(asked) > LEAVES_KEPT_MAX:
        _leaves.clear()
    until_s = now_s + settings.TOKEN_CACHE_S
    _leaves.update(((name, portfolio_id), until_s) for portfolio_id in asked - refused)
    return refused


def forget_leaves() -> None:
    """Ask the database again for every portfolio."""
    _leaves.clear()
