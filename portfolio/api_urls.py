"""The reference data's and the inbox's paths, below /api/v1/."""

from __future__ import annotations

from django.urls import path

from portfolio.api import (
    ApiRoot,
    BenchmarkWeightList,
    FxRateList,
    InstrumentDetail,
    InstrumentList,
    PriceList,
)
from portfolio.api_dead_letters import DeadLetterDetail, DeadLetterDiscard, DeadLetterList, DeadLetterRetry
from portfolio.api_portfolios import PortfolioDetail, PortfolioList

urlpatterns = [
    path("", ApiRoot.as_view(), name="api-root"),
    path("portfolios/", PortfolioList.as_view(), name="portfolios"),
    path("portfolios/<str:portfolio_id>/", PortfolioDetail.as_view(), name="portfolio"),
    path("instruments/", InstrumentList.as_view(), name="instruments"),
    path("instruments/<str:security_id>/", InstrumentDetail.as_view(), name="instrument"),
    path("market-prices/", PriceList.as_view(), name="market-prices"),
    path("fx-rates/", FxRateList.as_view(), name="fx-rates"),
    path("benchmark-weights/", BenchmarkWeightList.as_view(), name="benchmark-weights"),
    path("dead-letters/", DeadLetterList.as_view(), name="dead-letters"),
    path("dead-letters/<int:pk>/", DeadLetterDetail.as_view(), name="dead-letter"),
    path("dead-letters/<int:pk>/retry/", DeadLetterRetry.as_view(), name="dead-letter-retry"),
    path("dead-letters/<int:pk>/discard/", DeadLetterDiscard.as_view(), name="dead-letter-discard"),
]
