"""How answers about positions look: for the schema, and for rows of lots and disposals."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from positions.analytics.unavailable import DETAILS
from positions.figures import figure

_UNAVAILABLE = {
    "type": "object",
    "properties": {"unavailable": {"type": "string", "enum": [*DETAILS]}, "detail": {"type": "string"}},
    "required": ["unavailable", "detail"],
}


@extend_schema_field({"oneOf": [{"type": "string", "format": "decimal"}, _UNAVAILABLE]})
class FigureField(serializers.Field[Any, Any, Any, Any]):
    """A decimal string, or why there is none."""

    def __init__(self, **options: Any) -> None:
        super().__init__(read_only=True, **options)

    def to_representation(self, value: Any) -> Any:
        return value if isinstance(value, str | dict) else figure(value)


class PositionSerializer(serializers.Serializer[Any]):
    """A holding of a security, valued; local money in `currency`, `_base` in the portfolio's base currency."""

    security_id = serializers.CharField()
    currency = serializers.CharField()
    quantity = FigureField()
    cost_basis = FigureField()
    cost_basis_base = FigureField()
    average_cost = FigureField(allow_null=True)
    realized_gain = FigureField()
    realized_gain_base = FigureField()
    realized_fx_gain_base = FigureField()
    income = FigureField()
    income_base = FigureField()
    price = FigureField()
    price_date = serializers.DateField(allow_null=True)
    price_source = serializers.ChoiceField(["MARKET", "TRADE"], allow_null=True)
    fx_rate = FigureField()
    market_value = FigureField()
    market_value_base = FigureField()
    unrealized_gain = FigureField()
    unrealized_gain_base = FigureField()
    unrealized_fx_gain_base = FigureField()
    weight = FigureField()
    flags = serializers.ListField(child=serializers.CharField())


class CashSerializer(serializers.Serializer[Any]):
    """The cash of one currency."""

    currency = serializers.CharField()
    balance = FigureField()
    balance_base = FigureField()
    cost_base = FigureField()
    realized_fx_gain_base = FigureField()
    unrealized_fx_gain_base = FigureField()


class TotalsSerializer(serializers.Serializer[Any]):
    """Sums in base currency; cost and gains are those of securities."""

    value = FigureField()
    securities = FigureField()
    cash = FigureField()
    cost_basis = FigureField()
    realized_gain = FigureField()
    unrealized_gain = FigureField()
    income = FigureField()
    fees = FigureField()
    taxes = FigureField()


class ExceptionSerializer(serializers.Serializer[Any]):
    """A transaction left out of the positions, or booked otherwise than it asked, and the money it is about."""

    code = serializers.CharField()
    transaction_id = serializers.CharField()
    security_id = serializers.CharField(allow_null=True)
    quantity = FigureField(allow_null=True)
    detail = serializers.CharField()
    amount = FigureField(allow_null=True, help_text="the gross amount; null where the transaction has none of its own")
    currency = serializers.CharField(allow_null=True, help_text="of the amount: the money of the trade")
    amount_base = FigureField(allow_null=True)


class FindingSerializer(serializers.Serializer[Any]):
    """Something that somebody should look at; it goes as soon as its reason does."""

    code = serializers.CharField()
    portfolio_id = serializers.CharField()
    transaction_id = serializers.CharField(allow_null=True)
    security_id = serializers.CharField(allow_null=True)
    currency = serializers.CharField(allow_null=True)
    amount = FigureField(allow_null=True, help_text="the money it affects, in `currency`")
    amount_base = FigureField(allow_null=True)
    detail = serializers.CharField()


class FindingPageSerializer(serializers.Serializer[Any]):
    """Findings by portfolio. A page may be short, or empty, and have a `next` all the same."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True, help_text="always null: the list only goes on")
    results = FindingSerializer(many=True)


class PendingSerializer(serializers.Serializer[Any]):
    """Calculations on the way: since when, and why the last one failed, if it did."""

    since = serializers.DateTimeField()
    error = serializers.CharField()


class LotSerializer(serializers.Serializer[Any]):
    """An open lot; local money, and base."""

    security_id = serializers.CharField()
    transaction_id = serializers.CharField(source="opening_transaction_id")
    acquisition_date = serializers.DateField()
    quantity = FigureField()
    unit_cost = FigureField()
    cost_basis = FigureField()
    cost_basis_base = FigureField()


class DisposalSerializer(serializers.Serializer[Any]):
    """A closed piece of a lot; local money, and base."""

    security_id = serializers.CharField()
    opening_transaction_id = serializers.CharField(allow_null=True)
    closing_transaction_id = serializers.CharField()
    acquisition_date = serializers.DateField(allow_null=True)
    disposal_date = serializers.DateField()
    days_held = serializers.IntegerField(allow_null=True)
    quantity = FigureField()
    proceeds = FigureField()
    cost_basis = FigureField()
    realized_gain = FigureField()
    proceeds_base = FigureField()
    cost_basis_base = FigureField()
    realized_gain_base = FigureField()
    realized_fx_gain_base = FigureField()


class PositionDaySerializer(serializers.Serializer[Any]):
    """A holding at the end of a day on which it changed."""

    position_date = serializers.DateField()
    quantity = FigureField()
    cost_basis = FigureField()
    cost_basis_base = FigureField()
    realized_gain = FigureField()
    realized_gain_base = FigureField()
    income = FigureField()
    income_base = FigureField()
