"""The orchestrator's paths, below /api/v1/."""

from __future__ import annotations

from django.urls import path

from orchestrator.api import CalculationList

urlpatterns = [path("calculations/", CalculationList.as_view(), name="calculations")]
