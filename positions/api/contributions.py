"""Where a portfolio's return came from, over REST: contribution of its holdings, attribution against a benchmark."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portfolio.models import SegmentBy
from portfolio.reading import OneOfField
from positions.api.frame_serializers import DaysAnswerSerializer, DaySourcesSerializer
from positions.api.serializers import FigureField
from positions.api.unchanged import unless_unchanged
from positions.periods.contributions import attribution_answer, contribution_answer
from positions.periods.frames import reading_period
from positions.periods.questions import PERIOD, PeriodQuery
from positions.periods.segments import DIVISIONS, HOLDING
from positions.variants.asked import variant_query


class ContributionQuery(PeriodQuery):
    """Of what the contributions are asked for."""

    by = OneOfField(DIVISIONS, default=HOLDING)


class AttributionQuery(PeriodQuery):
    """Against what, and by which attribute of the instruments."""

    benchmark_id = serializers.CharField(required=False, max_length=64)
    by = OneOfField(SegmentBy.values, default=SegmentBy.ASSET_CLASS.value)


class PartSerializer(serializers.Serializer[Any]):
    """A holding or a segment: what it gained in base, and what it added to the return, a fraction."""

    segment = serializers.CharField(required=False)
    security_id = serializers.CharField(required=False)
    currency = serializers.CharField(required=False, help_text="of cash, and of what stands with no security")
    gain = FigureField()
    contribution = FigureField()


class _GainsAnswerSerializer(DaysAnswerSerializer):
    """An answer about what holdings gained from day to day."""

    sources = DaySourcesSerializer(many=True, help_text="of both ends")


class ContributionSerializer(_GainsAnswerSerializer):
    """The return of the period and its parts, which add up to it. Parts that gained nothing are left out."""

    by = serializers.CharField()
    flow_timing = serializers.CharField()
    linking = serializers.CharField()
    time_weighted_return = FigureField()
    contributions = PartSerializer(many=True)


class EffectsSerializer(serializers.Serializer[Any]):
    """Effects as fractions of return, linked over the period; `total` is their sum."""

    allocation = FigureField()
    selection = FigureField()
    interaction = FigureField()
    total = FigureField()


class SegmentEffectsSerializer(EffectsSerializer):
    """The effects of a segment."""

    segment = serializers.CharField()


class AttributionSerializer(_GainsAnswerSerializer):
    """The active return, and the effects that add up to it."""

    benchmark_id = serializers.CharField(allow_null=True)
    by = serializers.CharField()
    flow_timing = serializers.CharField()
    linking = serializers.CharField()
    benchmark_dates = serializers.IntegerField(help_text="days of which the benchmark tells weights, used here")
    last_benchmark_date = serializers.DateField(allow_null=True, help_text="after it the benchmark stands still")
    portfolio_return = FigureField()
    benchmark_return = FigureField()
    active_return = FigureField(help_text="the portfolio's return less the benchmark's")
    effects = EffectsSerializer()
    segments = SegmentEffectsSerializer(many=True)


class ContributionView(APIView):
    """What each holding, or segment, added to the time-weighted return of a period."""

    @extend_schema(
        operation_id="contribution",
        parameters=[*PERIOD, OpenApiParameter("by", str, enum=DIVISIONS, description="what the parts are")],
        responses=ContributionSerializer,
    )
    @unless_unchanged
    def get(self, request: Request, portfolio_id: str) -> Response:
        asked = variant_query(request, kind=ContributionQuery)
        with reading_period(request.user, portfolio_id, asked) as of:
            return Response(contribution_answer(of, by=asked["by"]))


class AttributionView(APIView):
    """Why a portfolio returned more or less than its benchmark: Brinson-Fachler by segment."""

    @extend_schema(
        operation_id="attribution",
        parameters=[
            *PERIOD,
            OpenApiParameter(
                "benchmark_id", str, description="whose weights to compare with; the portfolio's benchmark if left out"
            ),
            OpenApiParameter("by", str, enum=SegmentBy.values, description="the attribute that makes the segments"),
        ],
        responses=AttributionSerializer,
    )
    @unless_unchanged
    def get(self, request: Request, portfolio_id: str) -> Response:
        asked = variant_query(request, kind=AttributionQuery)
        with reading_period(request.user, portfolio_id, asked) as of:
            benchmark_id = of.benchmark_id(asked.get("benchmark_id"))
            return Response(attribution_answer(of, benchmark_id=benchmark_id, by=asked["by"]))
