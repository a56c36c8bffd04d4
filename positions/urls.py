"""The positions' paths, below /api/v1/."""

from __future__ import annotations

from django.urls import path

from positions.api import DisposalList, Evaluation, LotList, PositionDetail, PositionList

urlpatterns = [
    path("portfolios/<str:portfolio_id>/positions/", PositionList.as_view(), name="positions"),
    path("portfolios/<str:portfolio_id>/positions/<str:security_id>/", PositionDetail.as_view(), name="position"),
    path("portfolios/<str:portfolio_id>/lots/", LotList.as_view(), name="lots"),
    path("portfolios/<str:portfolio_id>/disposals/", DisposalList.as_view(), name="disposals"),
    path("evaluate/", Evaluation.as_view(), name="evaluate"),
]
