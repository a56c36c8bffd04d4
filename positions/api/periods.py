"""Periods of a portfolio over REST: its statement, and its performance."""

from __future__ import annotations

from contextlib import ExitStack

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portfolio.rendering import QUICK_RENDERERS
from positions.analytics.statement import statement
from positions.api.period_serializers import GroupPerformanceSerializer, PerformanceSerializer, StatementSerializer
from positions.api.unchanged import unless_unchanged
from positions.periods.answers import statement_answer
from positions.periods.days import first_transaction_of, statement_history
from positions.periods.group_returns import group_performance
from positions.periods.questions import MEASURE, PERIOD, GroupQuery, PerformanceQuery, PeriodQuery, asked_period
from positions.periods.returns import performance_of
from positions.queries import one_snapshot
from positions.variants.asked import COST_METHOD, KNOWN_AT, reading, variant_query


class StatementView(APIView):
    """What the portfolio opened with, what came, went and was gained, and what it closed with."""

    renderer_classes = QUICK_RENDERERS

    @extend_schema(operation_id="statement", parameters=[*PERIOD], responses=StatementSerializer)
    @unless_unchanged
    def get(self, request: Request, portfolio_id: str) -> Response:
        asked = variant_query(request, kind=PeriodQuery)
        with reading(request, portfolio_id, asked, every_day=True) as found:
            of = asked_period(asked, None if asked.get("start") else first_transaction_of(found))
            history = statement_history(found, of.period.start, of.period.end)
            return Response(
                {
                    **found.head(),
                    "base_currency": history.base_currency,
                    "period": of.name,
                    **statement_answer(statement(history, of.period.start, of.period.end)),
                }
            )


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
        with one_snapshot(), ExitStack() as readings:
            group = [readings.enter_context(reading(request, one, asked)) for one in asked["portfolio_id"]]
            return Response(group_performance(group, asked))
