"""Several portfolios as one, over REST."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portfolio.rendering import QUICK_RENDERERS
from positions.api.period_serializers import ComparedReturnsSerializer
from positions.api.serializers import PendingSerializer
from positions.periods.group_returns import group_performance
from positions.periods.questions import MEASURE, PERIOD, GroupQuery
from positions.variants.asked import COST_METHOD, KNOWN_AT, readings_of, variant_query


class GroupPerformanceSerializer(ComparedReturnsSerializer):
    """The performance of several portfolios as one."""

    portfolio_ids = serializers.ListField(child=serializers.CharField())
    as_of = serializers.DateField(help_text="the end of the period")
    known_at = serializers.DateTimeField(help_text="the moment used")
    pending = PendingSerializer(allow_null=True)
    more_remarks = serializers.BooleanField(help_text="there are more than are listed")
    period = serializers.CharField(allow_null=True, help_text="the name of the standard period, where it is one")


class GroupPerformanceView(APIView):
    """The performance of several portfolios as one, in one currency."""

    renderer_classes = QUICK_RENDERERS

    @extend_schema(
        operation_id="group_performance",
        parameters=[
            OpenApiParameter("portfolio_id", str, many=True, required=True, description="once for each portfolio"),
            OpenApiParameter(
                "currency", str, description="the base currency of the first where it is left out; others are converted"
            ),
            *(one for one in PERIOD if one not in (KNOWN_AT, COST_METHOD)),
            *MEASURE,
            OpenApiParameter("benchmark", str, description="the instrument to compare with"),
        ],
        responses=GroupPerformanceSerializer,
    )
    def get(self, request: Request) -> Response:
        asked = variant_query(request, kind=GroupQuery)
        with readings_of(request.user, asked["portfolio_id"], asked) as group:
            return Response(group_performance(group, asked))
