"""What a portfolio consists of, over REST: its allocation by an attribute of the instruments, and its concentration."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portfolio.reading import OneOfField
from positions.api.frame_serializers import HoldingsAnswerSerializer, ValuedAtSerializer
from positions.api.serializers import FigureField
from positions.api.unchanged import unless_unchanged
from positions.periods.exposures import allocation_answer, concentration_answer
from positions.periods.segments import DIVISIONS
from positions.variants.asked import VARIANT, VariantQuery, reading, variant_query

BY = OpenApiParameter(
    "by",
    str,
    enum=DIVISIONS,
    description="the attribute of the instruments to divide by; cash is a segment of its own, except by currency, and"
    " what an instrument does not say is in the segment `unknown`",
)


class AllocationQuery(VariantQuery):
    """By what the portfolio is to be divided."""

    by = OneOfField(DIVISIONS, default="asset_class")


class SharesSerializer(serializers.Serializer[Any]):
    """A segment: its long and its short side in base, and both in weights of gross assets; short is below zero."""

    segment = serializers.CharField(required=False, help_text="by holding it is a security_id or, of cash, a currency")
    security_id = serializers.CharField(required=False)
    currency = serializers.CharField(required=False)
    long = FigureField()
    short = FigureField()
    weight = FigureField()
    short_weight = FigureField()
    valued_at = ValuedAtSerializer(required=False, allow_null=True, help_text="by holding; null of cash")


class AllocationSerializer(HoldingsAnswerSerializer):
    """The segments, the largest first, and what they are parts of: all that is held long, in base."""

    by = serializers.CharField()
    gross_assets = FigureField()
    shares = SharesSerializer(many=True)


class WeightSerializer(serializers.Serializer[Any]):
    """A holding and its long weight."""

    security_id = serializers.CharField(required=False)
    currency = serializers.CharField(required=False)
    weight = FigureField()


class ConcentrationSerializer(HoldingsAnswerSerializer):
    """How much depends on how few: weights of gross assets, the cash of a currency being one holding."""

    gross_assets = FigureField()
    holdings_count = serializers.IntegerField(help_text="holdings held long")
    herfindahl_index = FigureField(help_text="the sum of squared weights: 1 of one holding, 1/n of n equal ones")
    top_5 = FigureField(help_text="the weight of the 5 largest together")
    top_10 = FigureField()
    largest = WeightSerializer(many=True, help_text="the 10 largest")


class AllocationView(APIView):
    """A portfolio divided by asset class, sector, country, currency, issuer or holding, at the end of a day."""

    @extend_schema(operation_id="allocation", parameters=[*VARIANT, BY], responses=AllocationSerializer)
    @unless_unchanged
    def get(self, request: Request, portfolio_id: str) -> Response:
        asked = variant_query(request, kind=AllocationQuery)
        with reading(request, portfolio_id, asked) as found:
            return Response(allocation_answer(found, by=asked["by"]))


class ConcentrationView(APIView):
    """How concentrated a portfolio is at the end of a day."""

    @extend_schema(operation_id="concentration", parameters=[*VARIANT], responses=ConcentrationSerializer)
    @unless_unchanged
    def get(self, request: Request, portfolio_id: str) -> Response:
        asked = variant_query(request)
        with reading(request, portfolio_id, asked) as found:
            return Response(concentration_answer(found))
