"""The reference data and the marks in the admin. The inbox has a room of its own."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from portfolio import admin_inbox  # noqa: F401 - it registers its own
from portfolio.admin_tools import ReadOnlyAdmin, TypedFilter, decimal_column, pretty_json
from portfolio.models import (
    BenchmarkWeight,
    FxRate,
    Instrument,
    Portfolio,
    PortfolioChange,
    Price,
    ReferenceVersion,
)

admin.site.site_header = "Portfolio Analytics System"
admin.site.site_title = "Portfolio Analytics"
admin.site.index_title = "The ledger, the reference data and the workers"
admin.site.enable_nav_sidebar = False  # the lists are wide


@admin.register(Portfolio)
class PortfolioAdmin(ReadOnlyAdmin):
    """Portfolios with attributes of their own; all of them, provisional ones too, stand among the marks."""

    list_display = (
        "portfolio_id",
        "name",
        "base_currency",
        "cost_basis_method",
        "cash_mode",
        "allow_short",
        "version",
        "recorded_at",
    )
    list_filter = ("cost_basis_method", "cash_mode", ("base_currency", TypedFilter))
    search_fields = ("portfolio_id__startswith",)
    search_help_text = "A portfolio's id, or how it begins."
    readonly_fields = ("transactions",)

    @admin.display(description="transactions")
    def transactions(self, portfolio: Portfolio) -> SafeString:
        return _link("transactions_transaction", "its transactions", portfolio_id=portfolio.portfolio_id)


@admin.register(PortfolioChange)
class PortfolioChangeAdmin(ReadOnlyAdmin):
    """The mark of every portfolio: whose it is and how far its ledger has grown."""

    list_display = ("portfolio_id", "owner", "change_seq", "rebuild_seq", "recorded_at")
    list_filter = (("owner", TypedFilter),)
    search_fields = ("portfolio_id__startswith",)
    search_help_text = "A portfolio's id, or how it begins."
    readonly_fields = ("transactions",)

    @admin.display(description="transactions")
    def transactions(self, mark: PortfolioChange) -> SafeString:
        return _link("transactions_transaction", "its transactions", portfolio_id=mark.portfolio_id)


@admin.register(Instrument)
class InstrumentAdmin(ReadOnlyAdmin):
    """Instruments with attributes of their own."""

    list_display = (
        "security_id",
        "name",
        "isin",
        "currency",
        "asset_class",
        "sector",
        "country",
        decimal_column("price_factor"),
        "version",
        "recorded_at",
    )
    list_filter = (("currency", TypedFilter), ("asset_class", TypedFilter), ("sector", TypedFilter))
    search_fields = ("security_id__startswith", "isin__exact", "name__icontains")
    search_help_text = "A security's id or how it begins, its ISIN, or a part of its name."
    readonly_fields = ("market_prices",)

    @admin.display(description="market prices")
    def market_prices(self, instrument: Instrument) -> SafeString:
        return _link("portfolio_price", "its prices", security_id=instrument.security_id)


@admin.register(ReferenceVersion)
class ReferenceVersionAdmin(ReadOnlyAdmin):
    """Every version of a portfolio's or an instrument's attributes, as submitted."""

    ordering = ("-pk",)
    list_display = ("name", "kind", "version", "submitted_by", "recorded_at")
    list_filter = ("kind", ("name", TypedFilter))
    fields = ("kind", "name", "version", "as_submitted", "submitted_by", "recorded_at")
    readonly_fields = ("as_submitted",)

    @admin.display(description="content")
    def as_submitted(self, version: ReferenceVersion) -> SafeString:
        return pretty_json(version.content)


@admin.register(Price)
class PriceAdmin(ReadOnlyAdmin):
    """Market prices; of a day the one that is believed has no superseding moment."""

    ordering = ("-pk",)
    list_display = (
        "security_id",
        "price_date",
        decimal_column("price"),
        "currency",
        "version",
        "recorded_at",
        "superseded_at",
    )
    list_filter = (
        ("superseded_at", admin.EmptyFieldListFilter),
        ("security_id", TypedFilter),
        ("currency", TypedFilter),
    )
    search_fields = ("security_id__startswith",)
    search_help_text = "A security's id, or how it begins."


@admin.register(FxRate)
class FxRateAdmin(ReadOnlyAdmin):
    """Exchange rates; of a day the one that is believed has no superseding moment."""

    ordering = ("-pk",)
    list_display = (
        "from_currency",
        "to_currency",
        "rate_date",
        decimal_column("rate"),
        "version",
        "recorded_at",
        "superseded_at",
    )
    list_filter = (
        ("superseded_at", admin.EmptyFieldListFilter),
        ("from_currency", TypedFilter),
        ("to_currency", TypedFilter),
    )


@admin.register(BenchmarkWeight)
class BenchmarkWeightAdmin(ReadOnlyAdmin):
    """Weights of benchmarks' segments; of a day the one that is believed has no superseding moment."""

    ordering = ("-pk",)
    list_display = (
        "benchmark_id",
        "segment_by",
        "segment",
        "weight_date",
        decimal_column("weight"),
        decimal_column("segment_return"),
        "version",
        "recorded_at",
        "superseded_at",
    )
    list_filter = (
        ("superseded_at", admin.EmptyFieldListFilter),
        ("benchmark_id", TypedFilter),
        "segment_by",
    )
    search_fields = ("benchmark_id__startswith",)
    search_help_text = "A benchmark's id, or how it begins."


def _link(model: str, label: str, **filters: Any) -> SafeString:
    return format_html('<a href="{}?{}">{}</a>', reverse(f"admin:{model}_changelist"), urlencode(filters), label)
