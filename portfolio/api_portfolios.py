"""Portfolios over REST: to read, and for their owners to submit and to patch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portfolio.api_filters import PortfolioFilter
from portfolio.api_serializers import PortfolioSerializer
from portfolio.models import Portfolio, PortfolioChange
from portfolio.pagination import KeysetPagination, Orderings
from portfolio.problems import Conflict, UnsupportedType
from portfolio.queries import readable
from portfolio.reading import visible_portfolio
from portfolio.requests import record_headers
from portfolio.serializers import serializer_for
from portfolio.streaming.broker import Receipt
from portfolio.streaming.kafka import shared_producer
from portfolio.streaming.messages import SubmittedPortfolio
from portfolio.submission import Superseded, patch_portfolio, submit_portfolio


class AcceptedPortfolioSerializer(serializers.Serializer[Any]):
    """What is on its way, and where the broker keeps it."""

    portfolio_id = serializers.CharField()
    version = serializers.IntegerField()
    status = serializers.CharField(help_text="accepted")
    topic = serializers.CharField()
    partition = serializers.IntegerField()
    offset = serializers.IntegerField()


JSON = JSONParser.media_type
_SUBMISSION = serializer_for(SubmittedPortfolio)
_ACCEPTED = {202: OpenApiResponse(AcceptedPortfolioSerializer, description="The broker has acknowledged it.")}


class PortfolioList(ListAPIView[PortfolioChange]):
    """The portfolios that may be read, those known only by transactions (provisional) among them."""

    queryset = PortfolioChange.objects.all()
    serializer_class = PortfolioSerializer
    pagination_class = KeysetPagination
    filterset_class = PortfolioFilter
    parser_classes = [JSONParser]
    orderings: Orderings = {"portfolio_id": ("portfolio_id",), "-portfolio_id": ("-portfolio_id",)}

    def get_queryset(self) -> QuerySet[PortfolioChange]:
        return readable(self.request.user, PortfolioChange.objects.all())

    def paginate_queryset(self, queryset: Any) -> list[Any] | None:
        page = super().paginate_queryset(queryset)
        self.attributes = Portfolio.objects.in_bulk([mark.portfolio_id for mark in page or ()])
        return page

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "attributes": getattr(self, "attributes", {})}

    @extend_schema(request=_SUBMISSION, responses=_ACCEPTED)
    def post(self, request: Request) -> Response:
        """Submit a portfolio's attributes: a new one, or a higher version of what stands."""
        body = _body(request)
        return _accepted(
            lambda: submit_portfolio(
                body=body, user=request.user, headers=record_headers(request), producer=shared_producer()
            )
        )


class PortfolioDetail(APIView):
    """One portfolio."""

    parser_classes = [JSONParser]

    @extend_schema(responses=PortfolioSerializer)
    def get(self, request: Request, portfolio_id: str) -> Response:
        mark = visible_portfolio(request.user, portfolio_id)
        attributes = Portfolio.objects.in_bulk([mark.portfolio_id])
        return Response(PortfolioSerializer(mark, context={"attributes": attributes}).data)

    @extend_schema(request=_SUBMISSION, responses=_ACCEPTED)
    def patch(self, request: Request, portfolio_id: str) -> Response:
        """Change some attributes: the patched whole is submitted as the next version.

        A `version` in the body is that one; where something else stands meanwhile, the answer is 409.
        """
        mark = visible_portfolio(request.user, portfolio_id)
        body = _body(request)
        return _accepted(
            lambda: patch_portfolio(
                portfolio_id=mark.portfolio_id,
                body=body,
                user=request.user,
                headers=record_headers(request),
                producer=shared_producer(),
            )
        )


def _body(request: Request) -> bytes:
    """The bytes of a JSON body, read by the rules of submissions and not by Django REST Framework's."""
    media_type = request.content_type.partition(";")[0].strip().lower()
    if media_type != JSON:
        raise UnsupportedType(f"{media_type or 'A body without a type'} is not read here; {JSON} is.")
    return bytes(request._request.body)  # noqa: SLF001


def _accepted(submit: Callable[[], tuple[SubmittedPortfolio, Receipt]]) -> Response:
    try:
        submission, receipt = submit()
    except Superseded as error:
        raise Conflict(str(error)) from error
    return Response(
        {
            "portfolio_id": submission.portfolio_id,
            "version": submission.version,
            "status": "accepted",
            "topic": receipt.topic,
            "partition": receipt.partition,
            "offset": receipt.offset,
        },
        status=202,
    )
