"""The positions' paths, below /api/v1/."""

from __future__ import annotations

from django.urls import path

from positions.api.allocation import AllocationView, ConcentrationView
from positions.api.contributions import AttributionView, ContributionView
from positions.api.explain import Explanation
from positions.api.groups import GroupPerformanceView
from positions.api.income import IncomeView, RealizedGainsView
from positions.api.lists import DisposalList, LotList
from positions.api.periods import PerformanceView, StatementView
from positions.api.positions import Evaluation, PositionDetail, PositionList
from positions.api.quality import DataQuality
from positions.api.risk import RiskView
from positions.api.valuations import ValuationList

urlpatterns = [
    path("portfolios/<str:portfolio_id>/positions/", PositionList.as_view(), name="positions"),
    path("portfolios/<str:portfolio_id>/positions/<str:security_id>/", PositionDetail.as_view(), name="position"),
    path("portfolios/<str:portfolio_id>/lots/", LotList.as_view(), name="lots"),
    path("portfolios/<str:portfolio_id>/disposals/", DisposalList.as_view(), name="disposals"),
    path("portfolios/<str:portfolio_id>/valuations/", ValuationList.as_view(), name="valuations"),
    path("data-quality/", DataQuality.as_view(), name="data-quality"),
    path("portfolios/<str:portfolio_id>/statement/", StatementView.as_view(), name="statement"),
    path("portfolios/<str:portfolio_id>/performance/", PerformanceView.as_view(), name="performance"),
    path("portfolios/<str:portfolio_id>/risk/", RiskView.as_view(), name="risk"),
    path("portfolios/<str:portfolio_id>/allocation/", AllocationView.as_view(), name="allocation"),
    path("portfolios/<str:portfolio_id>/concentration/", ConcentrationView.as_view(), name="concentration"),
    path("portfolios/<str:portfolio_id>/contribution/", ContributionView.as_view(), name="contribution"),
    path("portfolios/<str:portfolio_id>/attribution/", AttributionView.as_view(), name="attribution"),
    path("portfolios/<str:portfolio_id>/income/", IncomeView.as_view(), name="income"),
    path("portfolios/<str:portfolio_id>/realized-gains/", RealizedGainsView.as_view(), name="realized-gains"),
    path("portfolios/<str:portfolio_id>/explain/<str:figure>/", Explanation.as_view(), name="explain"),
    path("performance/", GroupPerformanceView.as_view(), name="group-performance"),
    path("evaluate/", Evaluation.as_view(), name="evaluate"),
]
