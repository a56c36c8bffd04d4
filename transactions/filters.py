"""What a list of transactions can be narrowed to by query parameters."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import QuerySet

from portfolio.reading import moment_used
from portfolio.transaction_types import TRANSACTION_TYPES
from transactions.models import Transaction
from transactions.queries import effective, every_version


class TransactionFilter(django_filters.FilterSet):
    """Filters of one portfolio's transactions. A filter never lets in a version that another one outranks."""

    transaction_type = django_filters.MultipleChoiceFilter(
        choices=[(name, name) for name in TRANSACTION_TYPES],
        help_text="one type, or several by repeating the parameter",
    )
    security_id = django_filters.CharFilter()
    currency = django_filters.CharFilter(help_text="the money of the trade")
    transaction_id = django_filters.CharFilter()
    start = django_filters.DateFilter("transaction_date", "gte", help_text="the first trade date")
    end = django_filters.DateFilter("transaction_date", "lte", help_text="the last trade date")
    status = django_filters.ChoiceFilter(
        choices=[*Transaction.Status.choices, ("ALL", "both")],
        help_text="if left out BOOKED: what was cancelled is not listed; with versions=all, if left out, every status",
    )
    versions = django_filters.ChoiceFilter(
        choices=[("effective", "the one that counts"), ("all", "all")],
        help_text="effective (if left out): of each transaction the version that counts; all: every one",
    )
    known_at = django_filters.IsoDateTimeFilter(
        help_text="as the ledger stood at this moment (RFC 3339): only what had been recorded by then; a moment with a"
        " writer still in flight is moved before it"
    )

    class Meta:
        model = Transaction
        fields: list[str] = []

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        given = self.form.cleaned_data
        status = given["status"]
        known_at = given["known_at"] and moment_used(self.request, given["known_at"])
        rows = queryset
        for name in self.filters:
            if name not in ("status", "versions", "known_at"):
                rows = self.filters[name].filter(rows, given[name])
        if given["versions"] == "all":
            rows = every_version(rows=rows, known_at=known_at)
        else:
            rows = effective(rows=rows, known_at=known_at, cancelled=status in ("ALL", Transaction.Status.CANCELLED))
        return rows.filter(status=status) if status and status != "ALL" else rows


class LedgerFilter(TransactionFilter):
    """Filters of the transactions of all portfolios that may be read."""

    portfolio_id = django_filters.CharFilter()
