"""Reads of the ground floor: who may see and submit to which portfolio; the weights of a benchmark."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import BooleanField, F, Func, Max, Model, Q, QuerySet

from portfolio.models import BenchmarkWeight, PortfolioChange

M = TypeVar("M", bound=Model)
AnyUser = User | AbstractBaseUser | AnonymousUser


def may_read_every_portfolio(user: AnyUser) -> bool:
    """Whether the user sees all portfolios: a superuser, or one with the permission `view_any_portfolio`."""
    return isinstance(user, User) and user.has_perm("portfolio.view_any_portfolio")


def may_read(user: AnyUser, mark: PortfolioChange) -> bool:
    """Whether the user may read the portfolio of the mark: one of those that `readable` leaves."""
    return may_read_every_portfolio(user) or (isinstance(user, User) and mark.owner == user.get_username())


def readable(user: AnyUser, rows: QuerySet[M]) -> QuerySet[M]:
    """The rows (of any table with a `portfolio_id`) of the portfolios that the user may read."""
    if may_read_every_portfolio(user):
        return rows
    if not isinstance(user, User):
        return rows.none()
    # An array, not a join: an index that starts with portfolio_id then gives the rows in its own order, and a page of
    # them is read without the rest.
    return rows.filter(_IsAnyOf(F("portfolio_id"), ArraySubquery(_owned(user).values("portfolio_id"))))


def forbidden_to_submit(user: AnyUser, portfolio_ids: Collection[str]) -> set[str]:
    """Those of the portfolios that the user may not submit to: they belong to somebody else.

    A portfolio nobody has submitted to yet belongs to whoever is first.
    """
    if not isinstance(user, User):
        return set(portfolio_ids)
    if user.has_perm("portfolio.write_any_portfolio"):
        return set()
    others = PortfolioChange.objects.filter(portfolio_id__in=portfolio_ids).exclude(owner=user.get_username())
    return set(others.values_list("portfolio_id", flat=True))


@dataclass(frozen=True, slots=True)
class SegmentWeight:
    """The weight with which a segment of a benchmark enters a day, and the segment's return of that day, if told.

    Both are fractions, not percent.
    """

    segment: str
    weight_date: datetime.date
    weight: Decimal
    segment_return: Decimal | None


def benchmark_weights(
    *,
    benchmark_id: str,
    segment_by: str,
    start: datetime.date,
    end: datetime.date,
    known_at: datetime.datetime | None = None,
) -> Sequence[SegmentWeight]:
    """Weights and returns by segment for the period (start, end], by day and segment, as believed now or at a moment.

    They begin with the weights of the last day on or before `start` that has any: those that hold until the next day
    with weights. Nothing where the benchmark has no weights of that division.
    """
    rows = BenchmarkWeight.objects.filter(benchmark_id=benchmark_id, segment_by=segment_by, weight_date__lte=end)
    if known_at is None:
        rows = rows.filter(superseded_at=None)
    else:
        rows = rows.filter(Q(superseded_at=None) | Q(superseded_at__gt=known_at), recorded_at__lte=known_at)
    before = rows.filter(weight_date__lte=start).aggregate(last=Max("weight_date"))["last"]
    period = rows.filter(weight_date__gte=before) if before else rows
    values = period.order_by("weight_date", "segment").values_list("segment", "weight_date", "weight", "segment_return")
    return [SegmentWeight(*row) for row in values]


class _IsAnyOf(Func):
    """`value = ANY (array)`."""

    template = "%(expressions)s)"
    arg_joiner = " = ANY("
    output_field = BooleanField()


def _owned(user: AnyUser) -> QuerySet[PortfolioChange]:
    if not isinstance(user, User):
        return PortfolioChange.objects.none()
    return PortfolioChange.objects.filter(owner=user.get_username())
