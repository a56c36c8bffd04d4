"""What every reading endpoint shares: which portfolio a path means, and how a row is spelled in an answer."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.db import models
from rest_framework import serializers

from portfolio.knowledge import settled_moment
from portfolio.models import PortfolioChange
from portfolio.money import plain
from portfolio.pagination import use_instead
from portfolio.problems import Unknown
from portfolio.queries import AnyUser, readable


def visible_portfolio(user: AnyUser, portfolio_id: str) -> PortfolioChange:
    """The mark of the portfolio. Raises Unknown where there is none, and just so where it is somebody else's."""
    mark = None
    # Nothing unprintable is an id, and a NUL would be an error of the database.
    if portfolio_id.isprintable():
        mark = readable(user, PortfolioChange.objects.filter(portfolio_id=portfolio_id)).first()
    if mark is None:
        raise unknown_portfolio(portfolio_id)
    return mark


def unknown_portfolio(portfolio_id: str) -> Unknown:
    """The refusal: the same for a portfolio that is not there and for one that is somebody else's."""
    return Unknown(f"There is no portfolio {portfolio_id!r}, or none that you may read.")


def moment_used(request: Any, asked: datetime.datetime) -> datetime.datetime:
    """The moment that a list is read as known at: the one asked for, moved before any writer in flight. The list says
    which it was. Read the list after this, not before.
    """
    moment = settled_moment(asked)
    use_instead(request, known_at=serializers.DateTimeField().to_representation(moment))
    return moment


class PlainDecimalField(serializers.DecimalField):
    """A decimal in its one plain spelling, as a string: no exponent, no trailing zeros."""

    def to_representation(self, value: Any) -> str:
        return plain(value if isinstance(value, Decimal) else Decimal(str(value)))


class ValueField(serializers.ChoiceField):
    """One of a model's choices, by its value: how a page labels it is no matter here."""

    def __init__(self, choices: Any, **options: Any) -> None:
        super().__init__([value for value, _ in choices], **options)


class RowSerializer(serializers.ModelSerializer[Any]):
    """A row as it is read: every field of the model but those named, decimals in their plain spelling."""

    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.DecimalField: PlainDecimalField,
    }
    serializer_choice_field = ValueField


class OneOfField(serializers.ChoiceField):
    """A choice whose refusal names what there is to choose from."""

    def __init__(self, choices: Sequence[str], **options: Any) -> None:
        named = f'"{{input}}" is none of {", ".join(choices)}'
        super().__init__(choices, error_messages={"invalid_choice": named}, **options)
