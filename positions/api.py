"""Reading positions over REST."""

from __future__ import annotations

import datetime
import threading
from typing import Any

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portfolio.pagination import KeysetPagination, Orderings
from portfolio.problems import InvalidContent, TooMany, Unknown
from portfolio.reading import visible_portfolio
from positions.evaluation import evaluate
from positions.figures import portfolio_answer
from positions.models import Disposal, Lot, PositionDay
from positions.queries import Pending, exceptions_of, one_snapshot, pending_of, snapshot_of, state_of
from positions.serializers import (
    DisposalSerializer,
    ExceptionSerializer,
    LotSerializer,
    PendingSerializer,
    PortfolioPositionsSerializer,
    PositionDaySerializer,
    PositionDetailSerializer,
)

HISTORY_DAYS_MAX = 1000
_PAGING = ("cursor", "page_size", "ordering")
_evaluating = threading.BoundedSemaphore(1)
"""What-ifs run one at a time in a process, so that they never take the door's threads together."""
_AS_OF = OpenApiParameter("as_of", datetime.date, description="the end of this day; today where it is left out")


class PositionQuery(serializers.Serializer[Any]):
    """What may be asked of positions."""

    as_of = serializers.DateField(required=False)
    closed = serializers.BooleanField(default=False)

    def day(self) -> datetime.date:
        """The day asked about."""
        asked: datetime.date | None = self.validated_data.get("as_of")
        return asked or datetime.datetime.now(datetime.UTC).date()


class PositionList(APIView):
    """The positions of a portfolio at the end of a day, its cash, totals and open exceptions."""

    @extend_schema(
        operation_id="positions",
        parameters=[_AS_OF, OpenApiParameter("closed", bool, description="list what is no longer held too")],
        responses=PortfolioPositionsSerializer,
    )
    def get(self, request: Request, portfolio_id: str) -> Response:
        query = _query(request)
        with one_snapshot():
            mark = visible_portfolio(request.user, portfolio_id)
            state = state_of(portfolio_id=portfolio_id)
            snapshot = snapshot_of(state=state, as_of=query.day())
            exceptions = exceptions_of(portfolio_id=portfolio_id, until=query.day())
            pending = pending_of(state=state, mark=mark)
        return Response(
            {
                "portfolio_id": portfolio_id,
                "base_currency": snapshot.base_currency,
                "as_of": snapshot.as_of,
                "cost_method": state.cost_basis_method,
                "pending": _pending_answer(pending),
                **portfolio_answer(snapshot, closed=query.validated_data["closed"]),
                "exceptions": ExceptionSerializer(exceptions, many=True).data,
            }
        )


class PositionDetail(APIView):
    """One position of a portfolio: valued, with its history, its open lots and what was disposed of."""

    @extend_schema(operation_id="position", responses=PositionDetailSerializer)
    def get(self, request: Request, portfolio_id: str, security_id: str) -> Response:
        refuse_unknown(request)
        day = datetime.datetime.now(datetime.UTC).date()
        with one_snapshot():
            mark = visible_portfolio(request.user, portfolio_id)
            state = state_of(portfolio_id=portfolio_id)
            positions = portfolio_answer(snapshot_of(state=state, as_of=day), closed=True)["positions"]
            position = next((one for one in positions if one["security_id"] == security_id), None)
            if position is None:
                raise Unknown(f"The portfolio {portfolio_id} never held {security_id!r} up to {day}.")
            of_security = {"portfolio_id": portfolio_id, "security_id": security_id}
            days = PositionDay.objects.filter(**of_security, kind="SECURITY", position_date__lte=day)
            lots = Lot.objects.filter(**of_security).order_by(*_LOT_ORDER)
            disposals = Disposal.objects.filter(**of_security, disposal_date__lte=day).order_by(*_DISPOSAL_ORDER)
            answer = {
                "position": position,
                "history": PositionDaySerializer(days.order_by("-position_date")[:HISTORY_DAYS_MAX], many=True).data,
                "lots": LotSerializer(lots[:HISTORY_DAYS_MAX], many=True).data,
                "disposals": DisposalSerializer(disposals[:HISTORY_DAYS_MAX], many=True).data,
                "pending": _pending_answer(pending_of(state=state, mark=mark)),
            }
        return Response(answer)


_LOT_ORDER = ("security_id", "acquisition_date", "acquisition_time_us", "opening_transaction_id", "id")
_DISPOSAL_ORDER = ("disposal_date", "closing_transaction_id", "security_id", "piece", "id")


class LotFilter(filters.FilterSet):
    """Which lots."""

    class Meta:
        model = Lot
        fields = ["security_id"]


class LotList(ListAPIView[Lot]):
    """The open lots of a portfolio, by security and age."""

    queryset = Lot.objects.all()
    serializer_class = LotSerializer
    pagination_class = KeysetPagination
    filterset_class = LotFilter
    orderings: Orderings = {"security_id": _LOT_ORDER}

    def get_queryset(self) -> QuerySet[Lot]:
        refuse_unknown(self.request, "security_id", *_PAGING)
        mark = visible_portfolio(self.request.user, self.kwargs["portfolio_id"])
        return Lot.objects.filter(portfolio_id=mark.portfolio_id)


class DisposalFilter(filters.FilterSet):
    """Which disposals: of a security, from one day to another."""

    start = filters.DateFilter("disposal_date", "gte")
    end = filters.DateFilter("disposal_date", "lte")

    class Meta:
        model = Disposal
        fields = ["security_id"]


class DisposalList(ListAPIView[Disposal]):
    """What a portfolio disposed of, piece by piece."""

    queryset = Disposal.objects.all()
    serializer_class = DisposalSerializer
    pagination_class = KeysetPagination
    filterset_class = DisposalFilter
    orderings: Orderings = {
        "disposal_date": _DISPOSAL_ORDER,
        "-disposal_date": tuple(f"-{name}" for name in _DISPOSAL_ORDER),
    }

    def get_queryset(self) -> QuerySet[Disposal]:
        refuse_unknown(self.request, "security_id", "start", "end", *_PAGING)
        mark = visible_portfolio(self.request.user, self.kwargs["portfolio_id"])
        return Disposal.objects.filter(portfolio_id=mark.portfolio_id)


class Evaluation(APIView):
    """What-if: positions, lots and disposals of a history that is sent along; nothing is stored."""

    @extend_schema(request={"application/json": {"type": "object"}}, responses={200: {"type": "object"}})
    def post(self, request: Request) -> Response:
        if not _evaluating.acquire(blocking=False):
            raise TooMany("Another what-if is being answered here. Try again in a moment.", retry_after_s=1)
        try:
            # The body is read as bytes: its decimals must not pass through floats.
            body = request._request.body  # noqa: SLF001
            return Response(evaluate(body, today=datetime.datetime.now(datetime.UTC).date()))
        finally:
            _evaluating.release()


def refuse_unknown(request: Request, *known: str) -> None:
    """Raise InvalidContent where something is asked that this answer would pass over in silence."""
    unknown = request.query_params.keys() - {"format", *known}
    if unknown:
        raise InvalidContent(f"Not supported here: {', '.join(sorted(unknown))}.")


def _query(request: Request) -> PositionQuery:
    refuse_unknown(request, "as_of", "closed")
    query = PositionQuery(data=request.query_params)
    query.is_valid(raise_exception=True)
    return query


def _pending_answer(pending: Pending | None) -> Any:
    return PendingSerializer(pending).data if pending else None
