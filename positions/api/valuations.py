"""Reading a portfolio's daily values over REST: a row for every calendar day."""

from __future__ import annotations

import datetime
from operator import attrgetter
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portfolio.dates import ONE_DAY, current_day
from portfolio.pagination import Orderings
from portfolio.rendering import QUICK_RENDERERS
from positions.analytics.days import Day
from positions.api.frame_serializers import DaysRemarkSerializer, FrameSerializer
from positions.api.serializers import FigureField
from positions.api.unchanged import unless_unchanged
from positions.figures import figure
from positions.periods.days import stored_days
from positions.periods.frames import framed
from positions.periods.sources import Sources
from positions.valuing.day_rows import remark_answer, remarks_of
from positions.valuing.valued_days import ValuedDays
from positions.variants.asked import reading, refuse_unknown
from positions.variants.pages import BookedPages, Row

FIGURES = ("value", "securities", "cash", "inflow", "outflow", "income", "fees", "taxes")
_figures_of = attrgetter(*FIGURES)


class ValuationSerializer(serializers.Serializer[Any]):
    """The end of a day, in base currency: value is securities and cash; flows, income, fees and taxes are the day's."""

    date = serializers.DateField()
    value = FigureField()
    securities = FigureField()
    cash = FigureField()
    inflow = FigureField()
    outflow = FigureField()
    income = FigureField()
    fees = FigureField()
    taxes = FigureField()
    flags = serializers.ListField(child=serializers.CharField())


class ValuationPageSerializer(FrameSerializer):
    """A page of daily values: the days of the question are up to `as_of`."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = ValuationSerializer(many=True)
    remarks = DaysRemarkSerializer(many=True, help_text="of the days on the page")


class ValuationQuery(serializers.Serializer[Any]):
    """Which days are asked for."""

    start = serializers.DateField(required=False)
    end = serializers.DateField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        start, end = attrs.get("start"), attrs.get("end")
        if start and end and start > end:
            raise serializers.ValidationError({"start": [f"is after the end, {end}"]})
        return attrs


class ValuationList(APIView):
    """What a portfolio was worth at the end of each day, from the day before its first entry on."""

    renderer_classes = QUICK_RENDERERS
    orderings: Orderings = {"date": ("date",), "-date": ("-date",)}

    @extend_schema(
        operation_id="valuations",
        parameters=[
            OpenApiParameter("start", datetime.date, description="the first day, itself included"),
            OpenApiParameter("end", datetime.date, description="the last day, itself included; today where left out"),
            OpenApiParameter("cursor", str, description="a place in the list, from `next` or `previous`"),
            OpenApiParameter("page_size", int, description="days on a page"),
            OpenApiParameter("ordering", str, enum=list(orderings), description="`-` for the falling order"),
        ],
        responses=ValuationPageSerializer,
    )
    @unless_unchanged
    def get(self, request: Request, portfolio_id: str) -> Response:
        refuse_unknown(request, "start", "end", "cursor", "page_size", "ordering")
        query = ValuationQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        today = current_day()
        start, end = query.validated_data.get("start"), query.validated_data.get("end") or today
        with reading(request, portfolio_id, {"as_of": end}) as found:
            valued = stored_days(found)
            dates = _dates(valued, start, end)
            rows = [Row((day.isoformat(),), {"date": day}) for day in dates]
            # A day has one row: the page is chosen among the dates, and only its days are read.
            response = BookedPages().page(rows, request, self)
            asked = [row["date"] for row in response.data["results"]]
            days = valued.between(min(asked), max(asked)) if asked else []
            by_date = {day.date: day_answer(day) for day in days}
            remarks = Sources([remark_answer(one) for one in remarks_of(days)])
            results = {"results": [by_date[date] for date in asked]}
            response.data |= framed(found, results, remarks, pending=valued.pending)
        return response


def day_answer(day: Day) -> dict[str, Any]:
    """A day of the contract; a figure that is not known says why."""
    missing = day.missing or "MISSING_FX_RATE"
    figures = {name: figure(number, missing) for name, number in zip(FIGURES, _figures_of(day), strict=True)}
    return {"date": day.date, **figures, "flags": sorted(day.flags)}


def _dates(found: ValuedDays, start: datetime.date | None, end: datetime.date) -> list[datetime.date]:
    if found.first is None:
        return []
    first, last = max(start or found.first, found.first), min(end, found.last)
    return [first + number * ONE_DAY for number in range((last - first).days + 1)]
