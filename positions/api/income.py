"""Income and realised gains of a portfolio over REST: what a tax return asks for."""

from __future__ import annotations

import datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from portfolio.dates import DAYS_MAX, ONE_DAY, current_day
from positions.api.csv_rendering import CSVRenderer, csv_of
from positions.api.frame_serializers import HoldingRemarkSerializer, PeriodFrameSerializer
from positions.api.serializers import FigureField
from positions.api.unchanged import BOOKED_ANEW, unless_unchanged
from positions.periods.frames import PeriodReading, base_currency_of, reading_period
from positions.periods.incomes import income_answer
from positions.periods.questions import PERIOD, PeriodQuery
from positions.periods.realized_gains import (
    COLUMNS,
    DISPOSALS_LISTED_MAX,
    TEXTS,
    gains_sources,
    report_rows,
    tax_years,
    year_answer,
)
from positions.variants.asked import variant_query

FIRST_YEAR = 1800

YEAR = OpenApiParameter("year", int, description="a calendar year, in place of start, end and period")


class YearQuery(PeriodQuery):
    """A period, or a calendar year."""

    year = serializers.IntegerField(required=False, min_value=FIRST_YEAR, max_value=datetime.MAXYEAR)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The year as a period. Raises ValidationError."""
        year = attrs.get("year")
        if year is not None:
            if attrs.keys() & {"start", "end", "period"}:
                raise serializers.ValidationError({"year": ["stands in place of start, end and period"]})
            today = current_day()
            if year > today.year:
                raise serializers.ValidationError({"year": [f"has not begun: it is {today}"]})
            end = min(datetime.date(year, 12, 31), today)
            attrs = {**attrs, "start": datetime.date(year - 1, 12, 31), "end": end}
        return super().validate(attrs)


class GainsQuery(YearQuery):
    """From when on a holding period is long."""

    long_term_days = serializers.IntegerField(required=False, min_value=0, max_value=DAYS_MAX)


class _RatesAnswerSerializer(PeriodFrameSerializer):
    """An answer about amounts that were converted when they were booked: its remarks are of the rates used then."""

    remarks = HoldingRemarkSerializer(many=True, help_text="100 at most")


class IncomeSumSerializer(serializers.Serializer[Any]):
    """Income in base, the tax on it, and what is left. What is paid on a short holding is negative."""

    income = FigureField()
    taxes = FigureField()
    net = FigureField()


class MonthSerializer(IncomeSumSerializer):
    """The income of a month."""

    month = serializers.CharField(help_text="2025-03")


class HoldingIncomeSerializer(IncomeSumSerializer):
    """The income of a holding."""

    security_id = serializers.CharField(required=False)
    currency = serializers.CharField(required=False, help_text="of interest that names no security")


class IncomeSerializer(_RatesAnswerSerializer):
    """Dividends and interest of the period by month and by holding; those without any are left out."""

    months = MonthSerializer(many=True)
    holdings = HoldingIncomeSerializer(many=True)
    total = IncomeSumSerializer()


class GainsSerializer(serializers.Serializer[Any]):
    """Disposals added up, in base; `gains` are those above zero, `losses` those below, unsigned."""

    count = serializers.IntegerField()
    proceeds = FigureField()
    cost_basis = FigureField()
    realized_gain = FigureField()
    realized_fx_gain = FigureField(help_text="the part of the gain that is exchange")
    gains = FigureField()
    losses = FigureField()


class GainsByTermSerializer(serializers.Serializer[Any]):
    """Held for up to `long_term_days`, for longer, and what relieved nothing that was held."""

    short = GainsSerializer()
    long = GainsSerializer()
    undated = GainsSerializer()


class ReportedDisposalSerializer(serializers.Serializer[Any]):
    """A disposal with its holding period, in local money and in base."""

    tax_year = serializers.IntegerField()
    security_id = serializers.CharField()
    quantity = FigureField()
    acquisition_date = serializers.DateField(allow_null=True)
    disposal_date = serializers.DateField()
    days_held = serializers.IntegerField(allow_null=True)
    term = serializers.ChoiceField(["short", "long", "undated"])
    currency = serializers.CharField()
    proceeds = FigureField()
    cost_basis = FigureField()
    realized_gain = FigureField()
    base_currency = serializers.CharField()
    proceeds_base = FigureField()
    cost_basis_base = FigureField()
    realized_gain_base = FigureField()
    realized_fx_gain_base = FigureField()
    opening_transaction_id = serializers.CharField(allow_null=True)
    closing_transaction_id = serializers.CharField()


class TaxYearSerializer(serializers.Serializer[Any]):
    """The disposals of a tax year."""

    year = serializers.IntegerField()
    first_date = serializers.DateField()
    last_date = serializers.DateField()
    total = GainsSerializer()
    by_term = GainsByTermSerializer()
    disposals = ReportedDisposalSerializer(
        many=True, required=False, help_text=f"where a `year` is asked for; the first {DISPOSALS_LISTED_MAX}"
    )
    all_disposals = serializers.URLField(
        required=False, allow_null=True, help_text="the list of all of them, where there are more"
    )


class RealizedGainsSerializer(_RatesAnswerSerializer):
    """Realised gains of securities by tax year."""

    long_term_days = serializers.IntegerField(help_text="what was held for more days than these is long term")
    years = TaxYearSerializer(many=True)


class IncomeView(APIView):
    """The income of a portfolio in a period."""

    @extend_schema(operation_id="income", parameters=[*PERIOD, YEAR], responses=IncomeSerializer)
    @unless_unchanged
    def get(self, request: Request, portfolio_id: str) -> Response:
        asked = variant_query(request, kind=YearQuery)
        with reading_period(request.user, portfolio_id, asked) as of:
            return Response(income_answer(of))


class RealizedGainsView(APIView):
    """The realised gains of a portfolio by tax year; as CSV, every disposal of the period."""

    renderer_classes = [JSONRenderer, BrowsableAPIRenderer, CSVRenderer]

    @extend_schema(
        operation_id="realized_gains",
        parameters=[
            *PERIOD,
            YEAR,
            OpenApiParameter(
                "long_term_days",
                int,
                description="long term is what was held for more days than these; LONG_TERM_DAYS of the installation"
                " where it is left out",
            ),
            OpenApiParameter("format", str, enum=["json", "csv"], description="as does the Accept header"),
        ],
        responses={
            (200, "application/json"): RealizedGainsSerializer,
            (200, "text/csv"): OpenApiResponse(OpenApiTypes.STR, description="one line a disposal"),
        },
    )
    @unless_unchanged
    def get(self, request: Request, portfolio_id: str) -> Response:
        asked = variant_query(request, kind=GainsQuery)
        long_term_days = asked.get("long_term_days", settings.LONG_TERM_DAYS)
        with reading_period(request.user, portfolio_id, asked) as of:
            years = tax_years(of.found, of.period, long_term_days=long_term_days)
            base_currency = base_currency_of(of.found)
            if isinstance(request.accepted_renderer, CSVRenderer):
                rows = report_rows(years, base_currency=base_currency)
                return Response(csv_of(COLUMNS, rows, texts=TEXTS), headers=_as_file(of))
            listed = "year" in asked
            answers = [year_answer(year, base_currency=base_currency, disposals=listed) for year in years]
            for answer in answers if listed else ():
                cut = answer["total"]["count"] > len(answer["disposals"])
                answer["all_disposals"] = _list_of_all(request, of) if cut else None
            figures = {"long_term_days": long_term_days, "years": answers}
            return Response(of.framed(figures, gains_sources(of.found, years)))


def _list_of_all(request: Request, of: PeriodReading) -> str:
    """The address of the list that has every disposal of the period, page by page, of the same variant."""
    variant = {name: request.query_params[name] for name in sorted(BOOKED_ANEW & request.query_params.keys())}
    days = {"start": of.period.start + ONE_DAY, "end": of.period.end}
    return f"{reverse('disposals', [of.found.mark.portfolio_id], request=request)}?{urlencode({**days, **variant})}"


def _as_file(of: PeriodReading) -> dict[str, str]:
    """A name to save it under; an id may hold what a header must not."""
    name = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in of.found.mark.portfolio_id)
    file = f"realized-gains-{name}-{of.period.start}-{of.period.end}.csv"
    return {"Content-Disposition": f'attachment; filename="{file}"'}
