"""Reads of what is owed, on its way, done and failed."""

from __future__ import annotations

from django.db.models import F, Q, QuerySet

from orchestrator.models import Calculation
from portfolio.queries import AnyUser, readable

PENDING = (
    Q(requested_seq__gt=F("done_seq"))
    | Q(requested_market_seq__gt=F("done_market_seq"))
    | Q(requested_date__gt=F("done_date"))
)
"""What `Calculation.pending` says of a row, as a condition."""
FAILED = Q(not_before__isnull=False)
"""The state FAILED, as the condition that an index answers."""


def calculations(*, user: AnyUser) -> QuerySet[Calculation]:
    """The calculations of the portfolios that the user may read."""
    return readable(user, Calculation.objects.all())
