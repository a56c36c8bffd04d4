"""Reading lots and disposals over REST: from the stored rows, or booked for the answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Any

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from portfolio.pagination import KeysetPagination, Orderings
from positions.api.serializers import DisposalSerializer, LotSerializer
from positions.api.unchanged import unless_lots_unchanged, unless_unchanged
from positions.engine.holdings import Kind
from positions.figures import disposal_answer, lot_answer
from positions.models import DISPOSAL_ORDER, LOT_ORDER, Disposal, Lot
from positions.variants.asked import VARIANT, reading, variant_query
from positions.variants.booked import Variant
from positions.variants.pages import BookedPages, Row, say_what_was_used

_PAGING = ("cursor", "page_size", "ordering")


class LotFilter(filters.FilterSet):
    """Which lots."""

    class Meta:
        model = Lot
        fields = ["security_id"]


class DisposalFilter(filters.FilterSet):
    """Which disposals: of a security, from one day to another."""

    start = filters.DateFilter("disposal_date", "gte")
    end = filters.DateFilter("disposal_date", "lte")

    class Meta:
        model = Disposal
        fields = ["security_id"]


class VariantList(ABC, ListAPIView[Any]):
    """A list that is read from rows, or booked where the rows do not hold what is asked."""

    pagination_class = KeysetPagination
    filterset_class: type[filters.FilterSet]
    lots = False

    queryset: Any

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The page asked for. Raises problems."""
        narrowed_by = self.filterset_class.base_filters
        asked = variant_query(request, *narrowed_by, *_PAGING)
        with reading(request, self.kwargs["portfolio_id"], asked, lots=self.lots) as found:
            if found.variant is None:
                self.found = found
                return super().list(request, *args, **kwargs)
            form = self.filterset_class(request.query_params, queryset=self.queryset, request=request)
            if not form.is_valid():
                raise filters.utils.translate_validation(form.errors)
            say_what_was_used(request, found)
            return BookedPages().page(self.booked(found.variant, form.form.cleaned_data), request, self)

    @abstractmethod
    def booked(self, variant: Variant, narrowed: dict[str, Any]) -> Sequence[Row]:
        """The rows of a variant, in rising order."""


class LotList(VariantList):
    """The open lots of a portfolio, by security and age."""

    queryset = Lot.objects.all()
    serializer_class = LotSerializer
    filterset_class = LotFilter
    orderings: Orderings = {"security_id": LOT_ORDER}
    lots = True

    @extend_schema(parameters=[*VARIANT])
    @unless_lots_unchanged
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Lot]:
        return Lot.objects.filter(portfolio_id=self.found.mark.portfolio_id)

    def booked(self, variant: Variant, narrowed: dict[str, Any]) -> Sequence[Row]:
        only = narrowed["security_id"]
        rows = [
            Row((security_id, lot.key[0].isoformat(), *lot.key[1:]), partial(lot_answer, security_id, lot))
            for (kind, security_id), held in variant.books.holdings.items()
            if kind is Kind.SECURITY and only in ("", security_id)
            for lot in held.open_lots()
        ]
        return sorted(rows, key=lambda row: row.key)


class DisposalList(VariantList):
    """What a portfolio disposed of, piece by piece."""

    queryset = Disposal.objects.all()
    serializer_class = DisposalSerializer
    filterset_class = DisposalFilter
    orderings: Orderings = {
        "disposal_date": DISPOSAL_ORDER,
        "-disposal_date": tuple(f"-{name}" for name in DISPOSAL_ORDER),
    }

    @extend_schema(parameters=[*VARIANT])
    @unless_unchanged
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Disposal]:
        rows = Disposal.objects.filter(portfolio_id=self.found.mark.portfolio_id)
        # Nothing that is booked later changes what was disposed of up to a day.
        return rows.filter(disposal_date__lte=self.found.as_of) if "as_of" in self.request.query_params else rows

    def booked(self, variant: Variant, narrowed: dict[str, Any]) -> Sequence[Row]:
        only, start, end = narrowed["security_id"], narrowed["start"], narrowed["end"]
        rows = [
            Row(
                (d.closing.date.isoformat(), d.closing.transaction_id, d.security_id, d.piece),
                partial(disposal_answer, d),
            )
            for d in variant.books.disposals
            if only in ("", d.security_id)
            and (start is None or d.closing.date >= start)
            and (end is None or d.closing.date <= end)
        ]
        return sorted(rows, key=lambda row: row.key)
