"""What the lists of reference data and the inbox can be narrowed to by query parameters."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import Exists, OuterRef, Q, QuerySet

from portfolio.models import BenchmarkWeight, DeadLetter, FxRate, Instrument, Portfolio, PortfolioChange, Price
from portfolio.reading import moment_used

_VERSIONS = [("believed", "the one that is believed"), ("all", "all")]


class PortfolioFilter(django_filters.FilterSet):
    """Filters of portfolios."""

    provisional = django_filters.BooleanFilter(
        method="with_attributes", help_text="true: only those without attributes of their own; false: only the others"
    )

    class Meta:
        model = PortfolioChange
        fields = ["owner"]

    def with_attributes(self, marks: QuerySet[Any], _name: str, value: object) -> QuerySet[Any]:
        submitted = Exists(Portfolio.objects.filter(portfolio_id=OuterRef("portfolio_id")))
        return marks.filter(~submitted if value else submitted)


class InstrumentFilter(django_filters.FilterSet):
    """Filters of instruments, each an exact match."""

    class Meta:
        model = Instrument
        fields = ["security_id", "isin", "currency", "asset_class", "sector", "country", "issuer", "exchange"]


class QuoteFilter(django_filters.FilterSet):
    """What prices and rates share: which of a day's versions is meant."""

    versions = django_filters.ChoiceFilter(
        choices=_VERSIONS,
        help_text="believed (if left out): of each day the version that counts; all: superseded ones too",
    )
    known_at = django_filters.IsoDateTimeFilter(help_text="what was believed at this moment (RFC 3339)")

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        given = self.form.cleaned_data
        rows = queryset
        for name in self.filters:
            if name not in ("versions", "known_at"):
                rows = self.filters[name].filter(rows, given[name])
        moment = given["known_at"] and moment_used(self.request, given["known_at"])
        if given["versions"] == "all":
            return rows if moment is None else rows.filter(recorded_at__lte=moment)
        if moment is None:
            return rows.filter(superseded_at=None)
        still = Q(superseded_at=None) | Q(superseded_at__gt=moment)
        return rows.filter(still, recorded_at__lte=moment)


class PriceFilter(QuoteFilter):
    """Filters of market prices."""

    start = django_filters.DateFilter("price_date", "gte", help_text="the first day")
    end = django_filters.DateFilter("price_date", "lte", help_text="the last day")

    class Meta:
        model = Price
        fields = ["security_id", "currency"]


class FxRateFilter(QuoteFilter):
    """Filters of exchange rates."""

    start = django_filters.DateFilter("rate_date", "gte", help_text="the first day")
    end = django_filters.DateFilter("rate_date", "lte", help_text="the last day")

    class Meta:
        model = FxRate
        fields = ["from_currency", "to_currency"]


class BenchmarkWeightFilter(QuoteFilter):
    """Filters of benchmarks' weights."""

    start = django_filters.DateFilter("weight_date", "gte", help_text="the first day")
    end = django_filters.DateFilter("weight_date", "lte", help_text="the last day")

    class Meta:
        model = BenchmarkWeight
        fields = ["benchmark_id", "segment_by", "segment"]


class DeadLetterFilter(django_filters.FilterSet):
    """Filters of the inbox."""

    class Meta:
        model = DeadLetter
        fields = ["status", "code", "topic", "consumer_group", "portfolio_id"]
