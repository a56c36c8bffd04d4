"""Reading data quality over REST."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portfolio.dates import current_day
from portfolio.models import PortfolioChange
from portfolio.pagination import Cursor, KeysetPagination, Orderings
from portfolio.queries import readable
from positions.api.serializers import FindingPageSerializer
from positions.checking.findings import CODES, finding_answer
from positions.checking.quality import quality_page
from positions.queries import one_snapshot
from positions.variants.asked import refuse_unknown

ORDERING = "portfolio_id"


class QualityQuery(serializers.Serializer[Any]):
    """Which findings."""

    portfolio_id = serializers.CharField(required=False, max_length=64)
    code = serializers.MultipleChoiceField(choices=CODES, required=False)


class _Pages(KeysetPagination):
    """Cursors that only go forward: a page of findings is found by looking on from a place."""

    def place(self, request: Request, view: APIView) -> tuple[int, tuple[str, ...] | None]:
        """The size of the page and the key it starts after. Raises rest_framework's ValidationError."""
        self.begin(request)
        ordering, _ = self._ordering(request, view)
        cursor = self._cursor(request, ordering)
        if cursor is None:
            return self._size(request), None
        key = tuple(part for part in cursor.key if isinstance(part, str) and part.isprintable())
        if cursor.backwards or not key or len(key) != len(cursor.key):
            raise ValidationError({"cursor": ["is not one that this list gave out"]})
        return self._size(request), key

    def answer(self, results: list[dict[str, Any]], go_on_after: tuple[str, ...] | None) -> Response:
        """The page."""
        following = Cursor(ORDERING, False, go_on_after) if go_on_after else None  # noqa: FBT003
        self.next_address = self._address(following) if following else None
        self.previous_address = None
        return self.get_paginated_response(results)


class DataQuality(APIView):
    """What somebody should look at, of all portfolios that may be read, by portfolio.

    A page may be short, or empty, and have a `next` all the same. EMPTY_AMOUNT and AMOUNT_DIFFERS are only looked for
    where a portfolio_id is given: that reads its whole ledger.
    """

    orderings: Orderings = {ORDERING: ("portfolio_id",)}

    @extend_schema(
        operation_id="data_quality",
        parameters=[
            OpenApiParameter("portfolio_id", str, description="of one portfolio, its ledger's amounts among them"),
            OpenApiParameter("code", str, enum=CODES, many=True, description="one code, or several by repeating it"),
            OpenApiParameter("cursor", str, description="a place in the list, taken from `next`"),
            OpenApiParameter("page_size", int),
        ],
        responses=FindingPageSerializer,
    )
    def get(self, request: Request) -> Response:
        refuse_unknown(request, "portfolio_id", "code", "cursor", "page_size", "ordering")
        query = QualityQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        pages = _Pages()
        size, after = pages.place(request, self)
        with one_snapshot():
            page = quality_page(
                marks=readable(request.user, PortfolioChange.objects.all()),
                portfolio_id=asked.get("portfolio_id"),
                codes=asked.get("code") or None,
                after=after,
                size=size,
                today=current_day(),
            )
        return pages.answer([finding_answer(finding) for finding in page.findings], page.go_on_after)
