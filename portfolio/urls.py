"""Where every path leads. The apps above are named, never imported."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from django.views.generic import TemplateView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from portfolio import health

API = [
    path("", include("portfolio.api_urls")),
    path("", include("transactions.urls")),
    path("", include("positions.urls")),
    path("", include("orchestrator.urls")),
]

urlpatterns = [
    path("", TemplateView.as_view(template_name="portfolio/landing.html"), name="landing"),
    path("ingest/", include("ingestion.urls")),
    path("api/v1/", include(API)),
    path("schema", SpectacularAPIView.as_view(), name="schema"),
    path("docs", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
    path("admin/", admin.site.urls),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
]

handler400 = "portfolio.handlers.bad_request"
handler403 = "portfolio.handlers.permission_denied"
handler404 = "portfolio.handlers.page_not_found"
handler500 = "portfolio.handlers.server_error"
