"""Calculations as they are read over REST."""

from __future__ import annotations

from rest_framework import serializers

from orchestrator.models import Calculation


class CalculationSerializer(serializers.ModelSerializer[Calculation]):
    """How far the calculations of one kind are for one portfolio. Counters only rise; pending is requested > done."""

    pending = serializers.BooleanField(read_only=True, help_text="whether something requested is not yet done")
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
            "attempts",
            "failures",
            "error",
            "requested_at",
            "dispatched_at",
            "done_at",
            "not_before",
        )
        read_only_fields = fields
