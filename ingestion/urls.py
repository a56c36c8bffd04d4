"""The door's paths."""

from __future__ import annotations

from django.urls import path

from ingestion import api

urlpatterns = [
    path("transaction", api.Transaction.as_view(), name="ingest-transaction"),
    path("transactions", api.Transactions.as_view(), name="ingest-transactions"),
    path("portfolios", api.Portfolios.as_view(), name="ingest-portfolios"),
    path("instruments", api.Instruments.as_view(), name="ingest-instruments"),
    path("market-prices", api.MarketPrices.as_view(), name="ingest-market-prices"),
    path("fx-rates", api.FxRates.as_view(), name="ingest-fx-rates"),
    path("benchmark-weights", api.BenchmarkWeights.as_view(), name="ingest-benchmark-weights"),
]
