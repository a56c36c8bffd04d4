"""The reference data and the inbox as they are read."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from portfolio.models import BenchmarkWeight, DeadLetter, FxRate, Instrument, Portfolio, PortfolioChange, Price
from portfolio.reading import PlainDecimalField, RowSerializer

TEXT = "utf-8"
BASE64 = "base64"
_ENCODING = {"type": ["string", "null"], "description": f"{TEXT} or {BASE64}; null where there is nothing"}

_PLACE = ("topic_id", "partition", "offset")
"""Of the record that said it: for whoever looks into the tables."""


class AttributesSerializer(RowSerializer):
    """A portfolio's attributes, as last submitted."""

    class Meta:
        model = Portfolio
        exclude = ("portfolio_id", *_PLACE)


class PortfolioSerializer(RowSerializer):
    """A portfolio: its mark, and its attributes; they are null while it is provisional (known by transactions only)."""

    provisional = serializers.BooleanField(read_only=True)
    owner = serializers.CharField(read_only=True, help_text="whose record was first; empty where a system wrote it")
    change_seq = serializers.IntegerField(read_only=True, help_text="how far its ledger has grown")
    changed_at = serializers.DateTimeField(read_only=True, help_text="when its ledger last grew")

    class Meta:
        model = Portfolio
        exclude = _PLACE
        extra_kwargs: Mapping[str, Any] = {
            name: {"allow_null": True}
            for name in (f.name for f in Portfolio._meta.concrete_fields if not f.primary_key)
            if name not in _PLACE
        }

    def to_representation(self, instance: PortfolioChange) -> dict[str, Any]:
        """Of a mark; the attributes come from `attributes`, by portfolio_id, in the context."""
        attributes: Portfolio | None = self.context["attributes"].get(instance.portfolio_id)
        nothing = dict.fromkeys(AttributesSerializer().fields)
        return {
            "portfolio_id": instance.portfolio_id,
            "provisional": attributes is None,
            **(AttributesSerializer(attributes).data if attributes else nothing),
            "owner": instance.owner,
            "change_seq": instance.change_seq,
            "changed_at": serializers.DateTimeField().to_representation(instance.recorded_at),
        }


class InstrumentSerializer(RowSerializer):
    """An instrument's attributes, as last submitted. `price_factor`: money for one unit at price 1."""

    class Meta:
        model = Instrument
        exclude = _PLACE


class PriceSerializer(RowSerializer):
    """A market price as quoted on its day, in `currency` for one unit; superseded when it is not believed any more."""

    class Meta:
        model = Price
        exclude = ("id", *_PLACE)


class FxRateSerializer(RowSerializer):
    """A rate of a day: units of `to_currency` for one unit of `from_currency`."""

    class Meta:
        model = FxRate
        exclude = ("id", *_PLACE)


class BenchmarkWeightSerializer(RowSerializer):
    """The weight (a fraction) with which a segment of a benchmark enters a day, and its `return` of that day."""

    class Meta:
        model = BenchmarkWeight
        exclude = ("id", "segment_return", *_PLACE)

    def get_fields(self) -> dict[str, Any]:
        """`return` is a word of the language: no attribute is called so."""
        told = PlainDecimalField(
            source="segment_return",
            max_digits=36,
            decimal_places=18,
            allow_null=True,
            read_only=True,
            help_text="of the segment on that day, a fraction; null where it was not told",
        )
        return {**super().get_fields(), "return": told}


class DeadLetterSerializer(RowSerializer):
    """A record that was set aside, and why. Its key and value are text where they are UTF-8, else base64."""

    key = serializers.SerializerMethodField("text_of_key")
    key_encoding = serializers.SerializerMethodField("encoding_of_key")
    value = serializers.SerializerMethodField("text_of_value")
    value_encoding = serializers.SerializerMethodField("encoding_of_value")

    class Meta:
        model = DeadLetter
        exclude = ("value_hash",)

    @extend_schema_field({"type": ["string", "null"]})
    def text_of_key(self, letter: DeadLetter) -> str | None:
        return readable_bytes(letter.key)[0]

    @extend_schema_field(_ENCODING)
    def encoding_of_key(self, letter: DeadLetter) -> str | None:
        return readable_bytes(letter.key)[1]

    @extend_schema_field({"type": ["string", "null"]})
    def text_of_value(self, letter: DeadLetter) -> str | None:
        return readable_bytes(letter.value)[0]

    @extend_schema_field(_ENCODING)
    def encoding_of_value(self, letter: DeadLetter) -> str | None:
        return readable_bytes(letter.value)[1]


def readable_bytes(raw: bytes | memoryview | None) -> tuple[str, str] | tuple[None, None]:
    """The bytes as a text and how it is encoded: "utf-8" where they are UTF-8, else "base64"."""
    if raw is None:
        return None, None
    try:
        return bytes(raw).decode(), TEXT
    except UnicodeDecodeError:
        return base64.b64encode(bytes(raw)).decode(), BASE64
