"""The operators' view: what is owed and on its way, what failed and why, and who depends on what."""

from __future__ import annotations

import datetime
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from orchestrator.models import Calculation, Interest
from orchestrator.recalculation import recalculate
from portfolio.admin_tools import ReadOnlyAdmin, TypedFilter
from portfolio.streaming.kafka import shared_producer

ERROR_CHARACTERS_LISTED = 80


@admin.register(Calculation)
class CalculationAdmin(ReadOnlyAdmin):
    """The calculations, the failed ones first: their order is that of an index, nothing is sorted."""

    list_display = (
        "portfolio_id",
        "kind",
        "state",
        "seqs",
        "market_seqs",
        "attempts",
        "failures",
        "requested_at",
        "waited",
        "not_before",
        "short_error",
    )
    list_filter = ("state", "kind")
    search_fields = ("portfolio_id__startswith",)
    search_help_text = "A portfolio's id, or how it begins."
    ordering: ClassVar[Any] = ("not_before", "id")
    actions = ("calculate_again", "calculate_from_scratch")

    @admin.display(description="requested / dispatched / done")
    def seqs(self, row: Calculation) -> str:
        return f"{row.requested_seq} / {row.dispatched_seq} / {row.done_seq}"

    @admin.display(description="of the market")
    def market_seqs(self, row: Calculation) -> str:
        return f"{row.requested_market_seq} / {row.dispatched_market_seq} / {row.done_market_seq}"

    @admin.display(description="seconds waited")
    def waited(self, row: Calculation) -> str:
        wait = row.wait(now=datetime.datetime.now(datetime.UTC))
        return "" if wait is None else f"{wait.total_seconds():.1f}{' so far' if row.pending else ''}"

    @admin.display(description="error")
    def short_error(self, row: Calculation) -> str:
        return row.error[:ERROR_CHARACTERS_LISTED]

    def has_recalculate_permission(self, request: HttpRequest) -> bool:
        """Whether the person may ask again: who may change calculations, which nobody does by hand."""
        return request.user.has_perm("orchestrator.change_calculation")

    @admin.action(description="Calculate again what failed or is owed", permissions=["recalculate"])
    def calculate_again(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        self._recalculate(request, rows, rebuild=False)

    @admin.action(description="Calculate again from scratch", permissions=["recalculate"])
    def calculate_from_scratch(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        self._recalculate(request, rows, rebuild=True)

    def _recalculate(self, request: HttpRequest, rows: QuerySet[Any], *, rebuild: bool) -> None:
        asked = recalculate(
            portfolio_ids=set(rows.values_list("portfolio_id", flat=True)),
            rebuild=rebuild,
            producer=shared_producer(),
            now=datetime.datetime.now(datetime.UTC),
        )
        later = "" if asked.woken else " The broker does not answer: the orchestrator's sweep comes to it."
        level = messages.SUCCESS if asked.woken else messages.WARNING
        self.message_user(request, f"Asked again for {asked.portfolios} portfolios.{later}", level)


@admin.register(Interest)
class InterestAdmin(ReadOnlyAdmin):
    """Who depends on what."""

    list_display = ("kind", "name", "portfolio_id", "since_date")
    list_filter = ("kind", ("name", TypedFilter))
    search_fields = ("portfolio_id__exact",)
    search_help_text = "A portfolio's id."
    ordering: ClassVar[Any] = ("kind", "name", "portfolio_id")
