"""Reading the reference data over REST: portfolios, instruments, prices, rates, weights; what there is to be read."""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portfolio.api_filters import BenchmarkWeightFilter, FxRateFilter, InstrumentFilter, PriceFilter
from portfolio.api_serializers import (
    BenchmarkWeightSerializer,
    FxRateSerializer,
    InstrumentSerializer,
    PriceSerializer,
)
from portfolio.models import BenchmarkWeight, FxRate, Instrument, Price
from portfolio.pagination import KeysetPagination, Orderings
from portfolio.problems import Unknown

ROOT = "api/v1/"


class ApiRoot(APIView):
    """Everything that can be read here: names and addresses, `{..}` standing for an id."""

    @extend_schema(
        responses={200: {"type": "object", "additionalProperties": {"type": "string", "format": "uri-template"}}}
    )
    def get(self, request: Request) -> Response:
        base = request.build_absolute_uri(f"/{ROOT}")
        routes = (route.removeprefix(ROOT) for route in _routes(get_resolver().url_patterns) if route.startswith(ROOT))
        return Response({route.rstrip("/"): base + route for route in sorted(set(routes)) if route})


class InstrumentList(ListAPIView[Instrument]):
    """The instruments."""

    queryset = Instrument.objects.all()
    serializer_class = InstrumentSerializer
    pagination_class = KeysetPagination
    filterset_class = InstrumentFilter
    orderings: Orderings = {"security_id": ("security_id",), "-security_id": ("-security_id",)}


class InstrumentDetail(RetrieveAPIView[Instrument]):
    """One instrument."""

    queryset = Instrument.objects.all()
    serializer_class = InstrumentSerializer
    lookup_field = "security_id"
    filter_backends = ()

    def get_object(self) -> Instrument:
        security_id = self.kwargs["security_id"]
        found = self.queryset.filter(security_id=security_id).first() if security_id.isprintable() else None
        if found is None:
            raise Unknown(f"There is no instrument {security_id!r}.")
        return found


class PriceList(ListAPIView[Price]):
    """Market prices by security, then day."""

    queryset = Price.objects.all()
    serializer_class = PriceSerializer
    pagination_class = KeysetPagination
    filterset_class = PriceFilter
    orderings: Orderings = {
        "price_date": ("security_id", "price_date", "id"),
        "-price_date": ("-security_id", "-price_date", "-id"),
    }


class FxRateList(ListAPIView[FxRate]):
    """Exchange rates by pair, then day."""

    queryset = FxRate.objects.all()
    serializer_class = FxRateSerializer
    pagination_class = KeysetPagination
    filterset_class = FxRateFilter
    orderings: Orderings = {
        "rate_date": ("from_currency", "to_currency", "rate_date", "id"),
        "-rate_date": ("-from_currency", "-to_currency", "-rate_date", "-id"),
    }


class BenchmarkWeightList(ListAPIView[BenchmarkWeight]):
    """Weights and returns of benchmarks' segments, by benchmark and division, then day."""

    queryset = BenchmarkWeight.objects.all()
    serializer_class = BenchmarkWeightSerializer
    pagination_class = KeysetPagination
    filterset_class = BenchmarkWeightFilter
    orderings: Orderings = {
        "weight_date": ("benchmark_id", "segment_by", "weight_date", "segment", "id"),
        "-weight_date": ("-benchmark_id", "-segment_by", "-weight_date", "-segment", "-id"),
    }


def _routes(patterns: list[URLPattern | URLResolver], before: str = "") -> Iterator[str]:
    """Every path of the project, a parameter as `{name}`."""
    for pattern in patterns:
        path = before + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern.url_patterns, path)
        else:
            yield path
