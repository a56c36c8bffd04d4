"""Answering 304 to who has the answer already: an ETag of everything that an answer about a portfolio is made from.

What the rows say of a portfolio changes only with its ledger, with a calculation of it, with its attributes, with the
market, or with the day; the counters and moments of these are in one row of one query, so that nothing needs to be
computed to find that nothing has changed. The tags are weak: `known_at` says in each answer up to when it is true, and
an unchanged one is true for longer. Variants, and the open lots of an earlier day, are booked from other portfolios'
ledgers too, and have none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, TypeVar

from django.conf import settings
from django.utils.cache import patch_cache_control
from django.utils.decorators import method_decorator
from django.views.decorators.http import condition
from rest_framework.request import Request

from portfolio.dates import current_day
from positions.standing import visible_standing

M = TypeVar("M", bound=Callable[..., Any])

BOOKED_ANEW = frozenset({"known_at", "cost_method"})
"""Parameters whose answers rest on more than the rows of the portfolio."""
LOTS_BOOKED_ANEW = BOOKED_ANEW | {"as_of"}
"""The same of answers with open lots: the rows hold those of after the last entry alone."""


def unless_unchanged(method: M) -> M:
    """For the `get` of a view of one portfolio: 304 where If-None-Match names the answer as it stands."""
    return _conditional(method, BOOKED_ANEW)


def unless_lots_unchanged(method: M) -> M:
    """As `unless_unchanged`, for a view that tells open lots."""
    return _conditional(method, LOTS_BOOKED_ANEW)


def _conditional(method: M, booked_anew: frozenset[str]) -> M:
    """The method, answering 304; what asks for one of these parameters has no tag."""

    def tag(request: Request, portfolio_id: str, **_: str) -> str | None:
        return entity_tag(request, portfolio_id, booked_anew)

    def with_cache_control(view: Callable[..., Any]) -> Callable[..., Any]:
        def answer(request: Request, *args: Any, **kwargs: Any) -> Any:
            response = view(request, *args, **kwargs)
            # Its reader may keep it, nobody else, and has to ask whether it still stands.
            patch_cache_control(response, private=True, no_cache=True)
            return response

        return answer

    decorated: M = method_decorator([with_cache_control, condition(etag_func=tag)])(method)
    return decorated


def entity_tag(request: Request, portfolio_id: str, booked_anew: frozenset[str]) -> str | None:
    """The tag of the answer to this request as it stands now; none where one of the parameters `booked_anew` is asked.
    Raises portfolio.problems.Unknown.
    """
    standing = visible_standing(request.user, portfolio_id)
    if not booked_anew.isdisjoint(request.query_params) or request.accepted_renderer.format != "json":
        return None
    asked = (request.get_full_path(), settings.SPECTACULAR_SETTINGS["VERSION"])
    today = current_day()
    digest = hashlib.blake2b(repr((standing.row, asked, today)).encode(), digest_size=16).hexdigest()
    return f'W/"{digest}"'
