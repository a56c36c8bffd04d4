"""The calculators' rows in the admin, to look at: positions, lots, disposals, exceptions and states."""

from __future__ import annotations

from typing import Any

from django.contrib import admin

from portfolio.admin_tools import ReadOnlyAdmin, TypedFilter, decimal_column
from positions.models import BookingException, Disposal, Lot, PortfolioState, Position, PositionDay, ValuationState

_OF_PORTFOLIO = ("portfolio_id__startswith",)
_HELP = "A portfolio's id, or how it begins."
_FIGURES = tuple(
    decimal_column(name)
    for name in ("quantity", "cost_basis", "cost_basis_base", "realized_gain", "realized_gain_base", "income")
)


@admin.register(Position)
class PositionAdmin(ReadOnlyAdmin):
    """What each portfolio holds after the last transaction booked."""

    list_display: Any = ("portfolio_id", "security_id", "kind", "currency", *_FIGURES, "flags")
    list_filter = ("kind", ("security_id", TypedFilter))
    search_fields = _OF_PORTFOLIO
    search_help_text = _HELP
    ordering = ("portfolio_id", "kind", "security_id")


@admin.register(PositionDay)
class PositionDayAdmin(ReadOnlyAdmin):
    """What each portfolio held at the end of every day on which that changed."""

    list_display: Any = ("portfolio_id", "security_id", "position_date", "currency", *_FIGURES)
    list_filter = ("kind", ("security_id", TypedFilter))
    search_fields = _OF_PORTFOLIO
    search_help_text = _HELP
    ordering = ("portfolio_id", "kind", "security_id", "position_date")


@admin.register(Lot)
class LotAdmin(ReadOnlyAdmin):
    """The open lots."""

    list_display: Any = (
        "portfolio_id",
        "security_id",
        "acquisition_date",
        "opening_transaction_id",
        *map(decimal_column, ("quantity", "cost_basis", "cost_basis_base")),
    )
    list_filter = (("security_id", TypedFilter),)
    search_fields = _OF_PORTFOLIO
    search_help_text = _HELP
    ordering = ("portfolio_id", "security_id", "acquisition_date", "acquisition_time_us", "opening_transaction_id")


@admin.register(Disposal)
class DisposalAdmin(ReadOnlyAdmin):
    """What was disposed of, piece by piece."""

    list_display: Any = (
        "portfolio_id",
        "security_id",
        "disposal_date",
        "closing_transaction_id",
        "opening_transaction_id",
        *map(decimal_column, ("quantity", "proceeds", "cost_basis", "realized_gain", "realized_gain_base")),
    )
    list_filter = (("security_id", TypedFilter),)
    search_fields = _OF_PORTFOLIO
    search_help_text = _HELP
    ordering = ("portfolio_id", "disposal_date", "closing_transaction_id", "security_id", "piece")


@admin.register(BookingException)
class BookingExceptionAdmin(ReadOnlyAdmin):
    """Transactions left out of the positions, until what they miss arrives."""

    list_display = ("portfolio_id", "transaction_id", "transaction_date", "code", "security_id", "detail")
    list_filter = ("code",)
    search_fields = _OF_PORTFOLIO
    search_help_text = _HELP
    ordering = ("portfolio_id", "transaction_id", "code")


@admin.register(PortfolioState)
class PortfolioStateAdmin(ReadOnlyAdmin):
    """How far each portfolio is calculated, and why it is not where it should be."""

    list_display = (
        "portfolio_id",
        "computed_seq",
        "market_seq",
        "base_currency",
        "provisional",
        "computed_at",
        "error",
    )
    search_fields = _OF_PORTFOLIO
    search_help_text = _HELP


@admin.register(ValuationState)
class ValuationStateAdmin(ReadOnlyAdmin):
    """How far the days of each portfolio are valued, and why they are not where they should be."""

    list_display = ("portfolio_id", "computed_seq", "market_seq", "first_date", "last_date", "computed_at", "error")
    search_fields = _OF_PORTFOLIO
    search_help_text = _HELP
