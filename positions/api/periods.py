"""Periods of a portfolio over REST: its statement, and its performance."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portfolio.rendering import QUICK_RENDERERS
from positions.api.period_serializers import PerformanceSerializer, StatementSerializer
from positions.api.unchanged import unless_unchanged
from positions.periods.frames import reading_period
from positions.periods.holdings import statement_of
from positions.periods.questions import MEASURE, PERIOD, PerformanceQuery, PeriodQuery
from positions.periods.returns import performance_of
from positions.variants.asked import reading, variant_query


class StatementView(APIView):
    """What the portfolio opened with, what came, went and was gained, and what it closed with."""

    renderer_classes = QUICK_RENDERERS

    @extend_schema(operation_id="statement", parameters=[*PERIOD], responses=StatementSerializer)
    @unless_unchanged
    def get(self, request: Request, portfolio_id: str) -> Response:
        asked = variant_query(request, kind=PeriodQuery)
        with reading_period(request.user, portfolio_id, asked) as of:
            return Response(statement_of(of))


class PerformanceView(APIView):
    """The time-weighted and money-weighted return of the portfolio, of one holding or an asset class."""

    renderer_classes = QUICK_RENDERERS

    @extend_schema(
        operation_id="performance",
        parameters=[
            *PERIOD,
            *MEASURE,
            OpenApiParameter("security_id", str, description="of this holding alone"),
            OpenApiParameter("asset_class", str, description="of the holdings of this asset class alone"),
            OpenApiParameter(
                "benchmark", str, description="the instrument to compare with; the portfolio's own where it is left out"
            ),
        ],
        responses=PerformanceSerializer,
    )
    @unless_unchanged
    def get(self, request: Request, portfolio_id: str) -> Response:
        asked = variant_query(request, kind=PerformanceQuery)
        with reading(request, portfolio_id, asked, every_day=True) as found:
            return Response(performance_of(found, asked))
