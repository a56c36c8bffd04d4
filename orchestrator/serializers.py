"""Calculations as they are read over REST."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from orchestrator.models import NO_DATE, Calculation


class DayField(serializers.DateField):
    """The day that valuations go up to; null where none was asked for, as of positions."""

    def __init__(self, **options: Any) -> None:
        super().__init__(read_only=True, allow_null=True, **options)

    def to_representation(self, value: Any) -> Any:
        return None if value == NO_DATE else super().to_representation(value)


class CalculationSerializer(serializers.ModelSerializer[Calculation]):
    """How far the calculations of one kind are for one portfolio. Counters only rise; pending is requested > done."""

    pending = serializers.BooleanField(read_only=True, help_text="whether something requested is not yet done")
    requested_date = DayField()
    dispatched_date = DayField()
    done_date = DayField()
    requested_at = serializers.DateTimeField(read_only=True, help_text="while pending: since when")

    class Meta:
        model = Calculation
        fields = (
            "portfolio_id",
            "kind",
            "state",
            "pending",
            "requested_seq",
            "dispatched_seq",
            "done_seq",
            "requested_market_seq",
            "dispatched_market_seq",
            "done_market_seq",
            "requested_date",
            "dispatched_date",
            "done_date",
            "attempts",
            "failures",
            "error",
            "requested_at",
            "dispatched_at",
            "done_at",
            "not_before",
        )
        read_only_fields = fields
