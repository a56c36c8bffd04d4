"""Reading positions over REST: those of a portfolio, and one with its history; and what-ifs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portfolio.dates import current_day
from portfolio.problems import TooLarge, Unknown
from portfolio.rendering import QUICK_RENDERERS
from positions.api.position_serializers import PortfolioPositionsSerializer, PositionDetailSerializer
from positions.api.serializers import DisposalSerializer, LotSerializer
from positions.api.unchanged import unless_lots_unchanged, unless_unchanged
from positions.engine.holdings import HoldingKey, Kind
from positions.evaluation import evaluate
from positions.figures import day_answer, disposal_answer, lot_answer
from positions.models import DISPOSAL_ORDER, LOT_ORDER, Disposal, Lot, PositionDay
from positions.periods.holdings import position_answer, positions_answer
from positions.variants.apart import apart
from positions.variants.asked import VARIANT, Reading, VariantQuery, reading, variant_query

HISTORY_DAYS_MAX = 1000


class PositionQuery(VariantQuery):
    """What may be asked of positions."""

    closed = serializers.BooleanField(default=False)


class PositionList(APIView):
    """The positions of a portfolio at the end of a day, its cash, totals and open exceptions."""

    renderer_classes = QUICK_RENDERERS

    @extend_schema(
        operation_id="positions",
        parameters=[*VARIANT, OpenApiParameter("closed", bool, description="list what is no longer held too")],
        responses=PortfolioPositionsSerializer,
    )
    @unless_unchanged
    def get(self, request: Request, portfolio_id: str) -> Response:
        asked = variant_query(request, kind=PositionQuery)
        with reading(request, portfolio_id, asked) as found:
            return Response(positions_answer(found, closed=asked["closed"]))


class PositionDetail(APIView):
    """One position of a portfolio: valued, with its history, its open lots and what was disposed of."""

    @extend_schema(operation_id="position", parameters=[*VARIANT], responses=PositionDetailSerializer)
    @unless_lots_unchanged
    def get(self, request: Request, portfolio_id: str, security_id: str) -> Response:
        asked = variant_query(request)
        with reading(request, portfolio_id, asked, lots=True, every_day=True) as found:
            answer = position_answer(found, security_id)
            if answer is None:
                raise Unknown(f"The portfolio {portfolio_id} never held {security_id!r} up to {found.as_of}.")
            parts = _booked_parts(found, security_id) if found.variant else _stored_parts(found, security_id)
            return Response({**answer, **parts})


def _stored_parts(found: Reading, security_id: str) -> dict[str, Any]:
    of_security = {"portfolio_id": found.mark.portfolio_id, "security_id": security_id}
    days = PositionDay.objects.filter(**of_security, kind="SECURITY", position_date__lte=found.as_of)
    lots = Lot.objects.filter(**of_security).order_by(*LOT_ORDER)
    disposals = Disposal.objects.filter(**of_security, disposal_date__lte=found.as_of).order_by(*DISPOSAL_ORDER)
    history: Iterable[Any] = days.order_by("-position_date")[:HISTORY_DAYS_MAX]
    return {
        "history": [day_answer(row.position_date, row) for row in history],
        "lots": LotSerializer(lots[:HISTORY_DAYS_MAX], many=True).data,
        "disposals": DisposalSerializer(disposals[:HISTORY_DAYS_MAX], many=True).data,
    }


def _booked_parts(found: Reading, security_id: str) -> dict[str, Any]:
    assert found.variant, "asked of what was booked"
    books, key = found.variant.books, HoldingKey(Kind.SECURITY, security_id)
    timeline = found.variant.history.timelines[key]
    days = [day_answer(day, held) for day, held in zip(timeline.dates, timeline.states, strict=True)]
    disposals = sorted((d for d in books.disposals if d.security_id == security_id), key=_disposal_key)
    return {
        "history": days[::-1][:HISTORY_DAYS_MAX],
        "lots": [lot_answer(security_id, lot) for lot in books.holdings[key].open_lots()[:HISTORY_DAYS_MAX]],
        "disposals": [disposal_answer(disposal) for disposal in disposals[:HISTORY_DAYS_MAX]],
    }


def _disposal_key(disposal: Any) -> tuple[Any, ...]:
    return (disposal.closing.date, disposal.closing.transaction_id, disposal.piece)


class Evaluation(APIView):
    """What-if: positions, lots and disposals of a history that is sent along; nothing is stored."""

    @extend_schema(request={"application/json": {"type": "object"}}, responses={200: {"type": "object"}})
    def post(self, request: Request) -> HttpResponse:
        bytes_max = min(settings.EVALUATE_BODY_BYTES_MAX, settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not length.isdecimal() or int(length) > bytes_max:
            raise TooLarge(f"The body has {length} bytes; a what-if has {bytes_max:,} at most.")
        with apart():
            # The body is read as bytes: its decimals must not pass through floats.
            body = request._request.body  # noqa: SLF001
            today = current_day()
            answer = evaluate(body, today=today, records_max=settings.EVALUATE_RECORDS_MAX)
            # A long history has a long answer: it is written at once, and not by way of a renderer.
            return HttpResponse(msgspec.json.encode(answer), content_type="application/json")
