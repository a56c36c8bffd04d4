"""Reads of the ground floor: who may see and submit to which portfolio; prices and rates on or before a day."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeVar

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import BooleanField, F, Func, Model, QuerySet

from portfolio.models import PortfolioChange

M = TypeVar("M", bound=Model)
AnyUser = User | AbstractBaseUser | AnonymousUser


def may_read_every_portfolio(user: AnyUser) -> bool:
    """Whether the user sees all portfolios: a superuser, or one with the permission `view_any_portfolio`."""
    return isinstance(user, User) and user.has_perm("portfolio.view_any_portfolio")


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


class _IsAnyOf(Func):
    """`value = ANY (array)`."""

    template = "%(expressions)s)"
    arg_joiner = " = ANY("
    output_field = BooleanField()


def _owned(user: AnyUser) -> QuerySet[PortfolioChange]:
    if not isinstance(user, User):
        return PortfolioChange.objects.none()
    return PortfolioChange.objects.filter(owner=user.get_username())
