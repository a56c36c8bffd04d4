"""Reading over REST what is pending, done and failed."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import Q, QuerySet
from rest_framework.generics import ListAPIView

from orchestrator.models import Calculation
from orchestrator.queries import FAILED, PENDING, calculations
from orchestrator.serializers import CalculationSerializer
from portfolio.pagination import KeysetPagination, Orderings


class ConditionFilter(django_filters.BooleanFilter):
    """Whether a condition holds."""

    def __init__(self, condition: Q, **options: Any) -> None:
        super().__init__(**options)
        self.condition = condition

    def filter(self, qs: QuerySet[Any], value: bool | None) -> QuerySet[Any]:  # noqa: FBT001
        return qs if value is None else qs.filter(self.condition if value else ~self.condition)


class CalculationFilter(django_filters.FilterSet):
    """What the list can be narrowed to."""

    portfolio_id = django_filters.CharFilter()
    kind = django_filters.ChoiceFilter(choices=Calculation.Kind.choices)
    state = django_filters.ChoiceFilter(choices=Calculation.State.choices)
    failed = ConditionFilter(FAILED, help_text="whether the last one failed")
    pending = ConditionFilter(PENDING, help_text="whether something requested is not yet done")

    class Meta:
        model = Calculation
        fields: tuple[str, ...] = ()


class CalculationList(ListAPIView[Calculation]):
    """The calculations of the portfolios that may be read: what is pending, done or failed, and why."""

    queryset = Calculation.objects.all()
    serializer_class = CalculationSerializer
    pagination_class = KeysetPagination
    filterset_class = CalculationFilter
    orderings: Orderings = {
        "portfolio_id": ("portfolio_id", "kind"),
        "-portfolio_id": ("-portfolio_id", "-kind"),
    }

    def get_queryset(self) -> QuerySet[Calculation]:
        return calculations(user=self.request.user)
