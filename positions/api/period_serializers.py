"""How answers about periods look, for the schema."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from positions.api.frame_serializers import (
    DaySourcesSerializer,
    DaysRemarkSerializer,
    HoldingRemarkSerializer,
    PeriodFrameSerializer,
    ValuedAtSerializer,
)
from positions.api.serializers import FigureField


class StatementRowSerializer(serializers.Serializer[Any]):
    """A holding in the period: opening + money_in - money_out + price_gain + fx_gain + residual = closing."""

    security_id = serializers.CharField(required=False)
    currency = serializers.CharField(required=False, help_text="in place of security_id: the cash of a currency")
    opening = FigureField()
    money_in = FigureField()
    money_out = FigureField()
    price_gain = FigureField()
    fx_gain = FigureField()
    closing = FigureField()
    income = FigureField()
    fees = FigureField()
    taxes = FigureField()
    residual = FigureField()
    opened_at = ValuedAtSerializer(allow_null=True)
    closed_at = ValuedAtSerializer(allow_null=True)
    flags = serializers.ListField(child=serializers.CharField())


class StatementSerializer(PeriodFrameSerializer):
    """A period in base currency: opening + inflows - outflows + gains + income - fees - taxes + residual = closing."""

    opening = FigureField()
    inflows = FigureField()
    outflows = FigureField()
    price_gain = FigureField()
    fx_gain = FigureField()
    realized_gain = FigureField()
    unrealized_gain_change = FigureField()
    income = FigureField()
    fees = FigureField()
    taxes = FigureField()
    closing = FigureField()
    residual = FigureField()
    holdings = StatementRowSerializer(many=True)
    remarks = HoldingRemarkSerializer(many=True, help_text="100 at most")
    sources = DaySourcesSerializer(many=True, help_text="of both ends")


class ReturnsSerializer(serializers.Serializer[Any]):
    """The returns of a period, as fractions."""

    start = serializers.DateField()
    end = serializers.DateField()
    time_weighted_return = FigureField()
    time_weighted_return_annualized = FigureField()
    money_weighted_return = FigureField()
    money_weighted_return_annualized = FigureField()
    modified_dietz = FigureField()
    benchmark_return = FigureField()


class BenchmarkPriceSerializer(serializers.Serializer[Any]):
    """What the benchmark was worth, or why that is not known."""

    price = FigureField()
    currency = serializers.CharField()
    price_date = serializers.DateField()
    fx_rate = FigureField()
    flags = serializers.ListField(child=serializers.CharField())


class BenchmarkSerializer(serializers.Serializer[Any]):
    """What was compared with, and at which prices and rates."""

    security_id = serializers.CharField()
    start = BenchmarkPriceSerializer()
    end = BenchmarkPriceSerializer()


class SeriesDaySerializer(serializers.Serializer[Any]):
    """A day of the series: its return since the one before, and what the returns have come to since the start."""

    date = serializers.DateField()
    value = FigureField()
    cumulative = FigureField()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {**super().get_fields(), "return": FigureField()}


class ComparedReturnsSerializer(ReturnsSerializer):
    """The returns, how they were measured, and those of the benchmark."""

    base_currency = serializers.CharField()
    flow_timing = serializers.CharField()
    gross = serializers.BooleanField()
    benchmark_money_weighted_return = FigureField()
    benchmark = BenchmarkSerializer(allow_null=True)
    periods = serializers.DictField(child=ReturnsSerializer())
    series_of = serializers.ChoiceField(["daily", "monthly", "none"])
    series = SeriesDaySerializer(many=True)
    flags = serializers.ListField(child=serializers.CharField())
    remarks = DaysRemarkSerializer(many=True)


class PerformanceSerializer(PeriodFrameSerializer, ComparedReturnsSerializer):
    """The performance of a portfolio, or of a part of it."""

    of = serializers.DictField(allow_null=True, help_text="the part asked for: `security_id`, `asset_class`")
