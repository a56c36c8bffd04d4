"""Risk of a portfolio over REST."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from positions.api.frame_serializers import DaysAnswerSerializer
from positions.api.serializers import FigureField
from positions.api.unchanged import unless_unchanged
from positions.periods.frames import reading_period
from positions.periods.questions import PERIOD, PeriodQuery
from positions.periods.risks import TRADING_DAYS, risk_answer
from positions.variants.asked import variant_query

LOWEST_RATE, HIGHEST_RATE = Decimal("-0.99"), Decimal(10)


def _annual_rate() -> serializers.DecimalField:
    return serializers.DecimalField(
        max_digits=12, decimal_places=10, min_value=LOWEST_RATE, max_value=HIGHEST_RATE, default=Decimal(0)
    )


class RiskQuery(PeriodQuery):
    """Against what the returns are measured."""

    risk_free_rate = _annual_rate()
    mar = _annual_rate()
    benchmark = serializers.CharField(required=False, max_length=64)


class AgainstBenchmarkSerializer(serializers.Serializer[Any]):
    """How the portfolio moved with its benchmark, whose prices are taken in base currency on the same days; annual."""

    security_id = serializers.CharField(allow_null=True)
    beta = FigureField()
    tracking_error = FigureField()
    information_ratio = FigureField()


class LossesAtRiskSerializer(serializers.Serializer[Any]):
    """A day's loss, a fraction, that is exceeded with a chance of 100 - `level` percent, and the mean of those."""

    level = serializers.IntegerField()
    value_at_risk = FigureField()
    expected_shortfall = FigureField()
    gaussian_value_at_risk = FigureField()
    gaussian_expected_shortfall = FigureField()


class RiskSerializer(DaysAnswerSerializer):
    """Statistics of daily time-weighted returns on trading days; annual figures count 252 of these to a year."""

    flow_timing = serializers.CharField()
    trading_days = serializers.ChoiceField([TRADING_DAYS])
    risk_free_rate = FigureField()
    minimum_acceptable_return = FigureField()
    returns_count = serializers.IntegerField(help_text="how many returns the statistics are made of; 20 at least")
    volatility = FigureField()
    downside_risk = FigureField()
    sharpe_ratio = FigureField()
    sortino_ratio = FigureField()
    calmar_ratio = FigureField()
    maximum_drawdown = FigureField(help_text="a fraction of the peak, positive")
    peak_date = serializers.DateField(allow_null=True)
    trough_date = serializers.DateField(allow_null=True)
    recovery_date = serializers.DateField(allow_null=True, help_text="null while the peak has not been reached again")
    current_drawdown = FigureField()
    benchmark = AgainstBenchmarkSerializer()
    losses_at_risk = LossesAtRiskSerializer(many=True)


class RiskView(APIView):
    """Volatility, drawdown, ratios, losses at risk, and how the portfolio moved with a benchmark."""

    @extend_schema(
        operation_id="risk",
        parameters=[
            *PERIOD,
            OpenApiParameter("risk_free_rate", Decimal, description="annual, a fraction: 0.03 is 3 %"),
            OpenApiParameter("mar", Decimal, description="the minimum acceptable return, annual, a fraction"),
            OpenApiParameter(
                "benchmark", str, description="the instrument to compare with; the portfolio's own where it is left out"
            ),
        ],
        responses=RiskSerializer,
    )
    @unless_unchanged
    def get(self, request: Request, portfolio_id: str) -> Response:
        asked = variant_query(request, kind=RiskQuery)
        with reading_period(request.user, portfolio_id, asked) as of:
            answer = risk_answer(
                of,
                risk_free_rate=asked["risk_free_rate"],
                minimum_acceptable_return=asked["mar"],
                benchmark_id=of.benchmark_id(asked.get("benchmark")),
            )
            return Response(answer)
