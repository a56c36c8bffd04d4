"""Reading a portfolio's daily values over REST: a row for every calendar day."""

from __future__ import annotations

import datetime
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portfolio.pagination import Orderings
from portfolio.reading import visible_portfolio
from portfolio.rendering import QUICK_RENDERERS
from positions.analytics.days import Day
from positions.api.serializers import FigureField, PendingSerializer
from positions.api.unchanged import unless_unchanged
from positions.figures import Figure, figure
from positions.queries import one_snapshot, pending_of, state_of
from positions.valuing.news import ONE_DAY
from positions.valuing.valued_days import ValuedDays, valued_days
from positions.variants.asked import refuse_unknown
from positions.variants.pages import BookedPages, Row

FIGURES = ("value", "securities", "cash", "inflow", "outflow", "income", "fees", "taxes")


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


class ValuationPageSerializer(serializers.Serializer[Any]):
    """A page of daily values, and whether calculations are still on the way for the portfolio."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    portfolio_id = serializers.CharField()
    base_currency = serializers.CharField()
    pending = PendingSerializer(allow_null=True)
    results = ValuationSerializer(many=True)


class ValuationQuery(serializers.Serializer[Any]):
    """Which days are asked for."""

    start = serializers.DateField(required=False)
    end = serializers.DateField(required=False)


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
        today = datetime.datetime.now(datetime.UTC).date()
        with one_snapshot():
            mark = visible_portfolio(request.user, portfolio_id)
            state = state_of(portfolio_id=portfolio_id)
            found = valued_days(state=state, mark=mark, pending=pending_of(state=state, mark=mark), today=today)
            dates = _dates(found, query.validated_data.get("start"), query.validated_data.get("end") or today)
            rows = [Row((day.isoformat(),), {"date": day}) for day in dates]
            # A day has one row: the page is chosen among the dates, and only its days are read.
            response = BookedPages().page(rows, request, self)
            asked = [row["date"] for row in response.data["results"]]
            days = {day.date: day for day in found.between(min(asked), max(asked))} if asked else {}
        response.data |= {
            "portfolio_id": portfolio_id,
            "base_currency": found.state.base_currency,
            "pending": PendingSerializer(found.pending).data if found.pending else None,
            "results": [day_answer(days[date]) for date in asked],
        }
        return response


def day_answer(day: Day) -> dict[str, Any]:
    """A day of the contract; a figure that is not known says why."""
    return {"date": day.date, **{name: _figure(day, name) for name in FIGURES}, "flags": sorted(day.flags)}


def _figure(day: Day, name: str) -> Figure | None:
    return figure(getattr(day, name), day.missing or "MISSING_FX_RATE")


def _dates(found: ValuedDays, start: datetime.date | None, end: datetime.date) -> list[datetime.date]:
    if found.first is None:
        return []
    first, last = max(start or found.first, found.first), min(end, found.last)
    return [first + number * ONE_DAY for number in range((last - first).days + 1)]
