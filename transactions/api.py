"""Reading the ledger over REST: the transactions of a portfolio, one with its versions, and those of all portfolios."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portfolio.pagination import KeysetPagination, Orderings
from portfolio.problems import TooMany, Unknown
from portfolio.queries import readable
from portfolio.reading import visible_portfolio
from transactions.effects import effects_of
from transactions.filters import LedgerFilter, TransactionFilter
from transactions.models import Transaction
from transactions.queries import few_rows, versions_of
from transactions.serializers import TransactionHistorySerializer, TransactionSerializer


class TransactionList(ListAPIView[Transaction]):
    """The transactions of a portfolio as they count, or every version of them."""

    queryset = Transaction.objects.all()
    serializer_class = TransactionSerializer
    pagination_class = KeysetPagination
    filterset_class = TransactionFilter
    orderings: Orderings = {
        "transaction_date": ("transaction_date", "transaction_id", "version"),
        "-transaction_date": ("-transaction_date", "-transaction_id", "-version"),
    }

    def get_queryset(self) -> QuerySet[Transaction]:
        mark = visible_portfolio(self.request.user, self.kwargs["portfolio_id"])
        return Transaction.objects.filter(portfolio_id=mark.portfolio_id)


class LedgerList(ListAPIView[Transaction]):
    """The transactions of all portfolios that may be read.

    In the order `portfolio_id` (by portfolio, then trade date) a page costs the same at any depth and for any reader.
    By trade date across portfolios, everything that may be read is sorted: give a `portfolio_id` where that is much.
    """

    queryset = Transaction.objects.all()
    serializer_class = TransactionSerializer
    pagination_class = KeysetPagination
    filterset_class = LedgerFilter
    orderings: Orderings = {
        "portfolio_id": ("portfolio_id", "transaction_date", "transaction_id", "version"),
        "-portfolio_id": ("-portfolio_id", "-transaction_date", "-transaction_id", "-version"),
        "recorded_at": ("id",),
        "-recorded_at": ("-id",),
        "transaction_date": ("transaction_date", "id"),
        "-transaction_date": ("-transaction_date", "-id"),
    }

    def get_queryset(self) -> QuerySet[Transaction]:
        return readable(self.request.user, Transaction.objects.all())

    def paginate_queryset(self, queryset: Any) -> list[Any] | None:
        with few_rows():
            return super().paginate_queryset(queryset)


class TransactionDetail(APIView):
    """One transaction as it counts now, cancelled or not, with all its versions: what each changed, and what it caused
    of what is held, gained and paid.
    """

    @extend_schema(responses=TransactionHistorySerializer)
    def get(self, request: Request, portfolio_id: str, transaction_id: str) -> Response:
        mark = visible_portfolio(request.user, portfolio_id)
        versions: list[Transaction] = []
        if transaction_id.isprintable():
            versions = list(versions_of(portfolio_id=mark.portfolio_id, transaction_id=transaction_id))
        if not versions:
            raise Unknown(f"The portfolio {portfolio_id} has no transaction {transaction_id!r}.")
        try:
            effects = effects_of(portfolio_id=mark.portfolio_id, transaction_id=transaction_id)
        except TooMany:
            # What stands in the ledger is told all the same: `caused` is null then, as where it is not told at all.
            effects = {}
        return Response(TransactionHistorySerializer(versions, context={"effects": effects}).data)
