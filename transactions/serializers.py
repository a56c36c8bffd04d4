"""Transactions as they are read: the normalised fields, decimals in their plain spelling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rest_framework import serializers

from portfolio.reading import RowSerializer
from transactions.effects import EffectField, Effects
from transactions.models import Transaction
from transactions.versions import differences


class TransactionSerializer(RowSerializer):
    """One version of a transaction: quantities and amounts unsigned, money in `currency`."""

    instrument_id = serializers.CharField(
        source="security_id", read_only=True, allow_null=True, help_text="security_id by its other name"
    )

    class Meta:
        model = Transaction
        exclude: Sequence[str] = ("id", "submitted", "content_hash")
        read_only_fields = [f.name for f in Transaction._meta.get_fields()]


class TransactionVersionSerializer(TransactionSerializer):
    """A version among its others: what it changed, and the record as it was submitted."""

    changed = serializers.ListField(
        child=serializers.CharField(),
        source="changed_fields",
        read_only=True,
        help_text="the fields that differ from the version before; none for the first",
    )
    caused = EffectField(
        read_only=True,
        help_text="what it made otherwise than the version before, or than nothing, would have it; null where that is"
        " not told",
    )
    submitted = serializers.JSONField(read_only=True, help_text="the record as it travelled")

    class Meta(TransactionSerializer.Meta):
        exclude = ("id", "content_hash")


class TransactionHistorySerializer(TransactionSerializer):
    """A transaction as it counts now, with all its versions, the first one first."""

    versions = TransactionVersionSerializer(many=True, read_only=True)

    def to_representation(self, instance: Sequence[Transaction]) -> dict[str, Any]:
        """Of all versions of one transaction, the lowest first."""
        return {
            **TransactionSerializer(instance[-1]).data,
            "versions": TransactionVersionSerializer(with_changes(instance, self.context["effects"]), many=True).data,
        }


def with_changes(versions: Sequence[Transaction], effects: Effects) -> list[Transaction]:
    """The versions, each told what it changed and what it caused."""
    for before, version in zip([None, *versions], versions, strict=False):
        version.changed_fields = [d.field for d in differences(before, version)]  # type: ignore[attr-defined]
        version.caused = effects.get(version.version)  # type: ignore[attr-defined]
    return list(versions)
