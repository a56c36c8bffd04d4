"""The ledger in the admin: to search and to read, never to change."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, cast

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from portfolio.admin_tools import ReadOnlyAdmin, TypedFilter, decimal_column, pretty_json
from portfolio.money import plain
from portfolio.problems import TooMany
from transactions.effects import effect_lines, effects_of
from transactions.models import Transaction
from transactions.queries import versions_of
from transactions.search import matching
from transactions.versions import CONTENT, differences

YEARS_OFFERED = 12
VERSIONS_SHOWN_MAX = 20


class TradeDateFilter(admin.SimpleListFilter):
    """A year, and within it a month. Which years there are is not asked: that would read the whole table."""

    title = "trade date"
    parameter_name = "traded"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        this_year = timezone.now().year
        years = [(str(year), str(year)) for year in range(this_year, this_year - YEARS_OFFERED, -1)]
        years.append((f"-{this_year - YEARS_OFFERED}", "earlier"))
        chosen = (self.value() or "")[:4]
        if not (chosen.isascii() and chosen.isdigit()):
            return years
        months = [(f"{chosen}-{month:02}", f"{chosen}-{month:02}") for month in range(1, 13)]
        return [(chosen, chosen), *months, *((year, label) for year, label in years if year != chosen)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if (value := self.value()) is None:
            return queryset
        try:
            first, last = _days(value)
        except ValueError:
            return queryset.none()
        return queryset.filter(transaction_date__range=(first, last))


def _days(period: str) -> tuple[datetime.date, datetime.date]:
    """The first and last day of "2025", "2025-03" or, up to a year's end, "-2013". Raises ValueError."""
    if period.startswith("-"):
        return datetime.date.min, datetime.date(int(period[1:]), 12, 31)
    year, _, month = period.partition("-")
    if not month:
        return datetime.date(int(year), 1, 1), datetime.date(int(year), 12, 31)
    first = datetime.date(int(year), int(month), 1)
    next_first = (first + datetime.timedelta(days=31)).replace(day=1)
    return first, next_first - datetime.timedelta(days=1)


@admin.register(Transaction)
class TransactionAdmin(ReadOnlyAdmin):
    """Every version of every transaction, the newest recorded first."""

    ordering = ("-pk",)
    list_display = (
        "transaction_id",
        "portfolio",
        "version",
        "counts",
        "status",
        "transaction_type",
        "security_id",
        "transaction_date",
        decimal_column("quantity"),
        decimal_column("price"),
        decimal_column("gross_transaction_amount"),
        "currency",
        "recorded_at",
    )
    list_filter = (
        TradeDateFilter,
        "transaction_type",
        "status",
        ("portfolio_id", TypedFilter),
        ("security_id", TypedFilter),
        ("currency", TypedFilter),
    )
    search_fields = ("portfolio_id", "transaction_id", "security_id")
    search_help_text = "A portfolio or transaction id or its beginning, or a security id; several words narrow further."
    readonly_fields = ("versions", "effects", "submitted_record")
    fieldsets = (
        (None, {"fields": ("portfolio_id", "transaction_id", "version", "status", "transaction_type", "security_id")}),
        ("All versions", {"fields": ("versions",)}),
        ("What each version caused", {"fields": ("effects",)}),
        ("As it was submitted", {"fields": ("submitted_record", "submitted_by", "recorded_at", "change_seq")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        higher = Transaction.objects.filter(
            portfolio_id=OuterRef("portfolio_id"),
            transaction_id=OuterRef("transaction_id"),
            version__gt=OuterRef("version"),
        )
        rows = super().get_queryset(request).defer("submitted", "lots", "note")
        return cast(QuerySet[Any], rows.annotate(outranked=Exists(higher)))

    def get_search_results(
        self,
        request: HttpRequest,
        queryset: QuerySet[Any],
        search_term: str,
    ) -> tuple[QuerySet[Any], bool]:
        for word in search_term.split():
            queryset = matching(rows=queryset, word=word)
        return queryset, False

    @admin.display(description="portfolio")
    def portfolio(self, row: Transaction) -> SafeString:
        return format_html('<a href="?portfolio_id={0}">{0}</a>', row.portfolio_id)

    @admin.display(description="counts", boolean=True)
    def counts(self, row: Any) -> bool:
        return not row.outranked

    @admin.display(description="versions")
    def versions(self, row: Transaction) -> SafeString:
        """Side by side, a field a line; what a version changed is marked."""
        every = list(versions_of(portfolio_id=row.portfolio_id, transaction_id=row.transaction_id))
        shown = every[-VERSIONS_SHOWN_MAX:]
        before = every[-VERSIONS_SHOWN_MAX - 1] if len(every) > VERSIONS_SHOWN_MAX else None
        context = {
            "versions": shown,
            "left_out": len(every) - len(shown),
            "fields": _side_by_side(before, shown),
            "submitted": [pretty_json(version.submitted) for version in shown],
        }
        return SafeString(render_to_string("admin/transactions/versions.html", context))

    @admin.display(description="effects")
    def effects(self, row: Transaction) -> SafeString:
        """What became otherwise by each version, the newest first."""
        try:
            told = effects_of(portfolio_id=row.portfolio_id, transaction_id=row.transaction_id)
        except TooMany as busy:
            return format_html("<p>{}</p>", busy.detail)
        versions = [(number, effect and effect_lines(effect)) for number, effect in sorted(told.items(), reverse=True)]
        shown = versions[:VERSIONS_SHOWN_MAX]
        return SafeString(render_to_string("admin/transactions/effects.html", {"versions": shown}))

    @admin.display(description="record")
    def submitted_record(self, row: Transaction) -> SafeString:
        return pretty_json(row.submitted)


def _side_by_side(
    before: Transaction | None, versions: Sequence[Transaction]
) -> list[tuple[str, list[tuple[str, bool]]]]:
    """Each field that any of the versions fills: its text in each, and whether the version changed it."""
    changed = [
        {difference.field for difference in differences(earlier, version)}
        for earlier, version in zip([before, *versions], versions, strict=False)
    ]
    return [
        (name, [(_text(getattr(v, name)), name in marks) for v, marks in zip(versions, changed, strict=True)])
        for name in CONTENT
        if any(getattr(v, name) is not None for v in versions)
    ]


def _text(value: Any) -> str:
    if value is None:
        return ""
    return plain(value) if isinstance(value, Decimal) else str(value)
