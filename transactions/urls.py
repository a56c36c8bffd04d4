"""The ledger's paths, below /api/v1/."""

from __future__ import annotations

from django.urls import path

from transactions.api import LedgerList, TransactionDetail, TransactionList

urlpatterns = [
    path("transactions/", LedgerList.as_view(), name="transactions"),
    path("portfolios/<str:portfolio_id>/transactions/", TransactionList.as_view(), name="portfolio-transactions"),
    path(
        "portfolios/<str:portfolio_id>/transactions/<str:transaction_id>/",
        TransactionDetail.as_view(),
        name="portfolio-transaction",
    ),
]
