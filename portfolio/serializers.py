"""Django REST Framework's view of the submission types: forms, field help and OpenAPI.

A field is written down once, in `streaming.messages`; a serializer is made from it. What makes a submission acceptable
is `portfolio.validation` alone, and these serializers ask it too, so that a form says what the door says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast

import msgspec
from django.core.validators import RegexValidator
from django.http import QueryDict
from drf_spectacular.utils import extend_schema_field
from msgspec import inspect
from rest_framework import serializers

from portfolio import validation
from portfolio.money import DECIMALS_KEPT, DIGITS_BEFORE_POINT
from portfolio.streaming.messages import Submission
from portfolio.texts import record_from_texts
from portfolio.transaction_types import TRANSACTION_TYPES

DECIMAL_HELP = f"decimal of up to {DIGITS_BEFORE_POINT} digits before and {DECIMALS_KEPT} after the point, kept exactly"


@extend_schema_field({"oneOf": [{"type": "string", "format": "decimal"}, {"type": "number"}]})
class ExactDecimalField(serializers.DecimalField):
    """A decimal: a JSON string, or a JSON number that is never read through a binary float."""

    def __init__(self, **options: Any) -> None:
        digits = DIGITS_BEFORE_POINT + DECIMALS_KEPT
        super().__init__(
            **{"help_text": DECIMAL_HELP, "max_digits": digits, "decimal_places": DECIMALS_KEPT, **options}
        )


class SubmissionSerializer(serializers.Serializer[Any]):
    """The base of those that `serializer_for` makes."""

    submission_type: type[Submission]

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """The fields that are there, of a mapping or a submission: what is left out stays left out."""
        if isinstance(instance, Submission):
            instance = msgspec.to_builtins(instance)
        return {name: instance[name] for name in self.submission_type.__struct_encode_fields__ if name in instance}

    def run_validation(self, data: Any = serializers.empty) -> Submission:
        """The submission that the data hold. Raises ValidationError with a list a field."""
        if isinstance(data, QueryDict):
            raw = record_from_texts(self.submission_type, {name: data.get(name, "") for name in data})
        else:
            raw = msgspec.json.encode(data)
        try:
            return validation.read(self.submission_type, raw)
        except validation.Refused as refused:
            errors: dict[str, list[str]] = {}
            for problem in refused.problems:
                errors.setdefault(problem.field or "non_field_errors", []).append(problem.detail)
            raise serializers.ValidationError(errors) from refused


@lru_cache
def serializer_for(submission_type: type[Submission]) -> type[SubmissionSerializer]:
    """The serializer class of a submission type; its name is the type's."""
    described = cast(inspect.StructType, inspect.type_info(submission_type))
    attributes: dict[str, Any] = {"__doc__": submission_type.__doc__, "submission_type": submission_type}
    for field in described.fields:
        attributes[field.encode_name] = _field(field)
    return type(submission_type.__name__, (SubmissionSerializer,), attributes)


@lru_cache
def list_serializer_for(submission_type: type[Submission], name: str) -> type[serializers.Serializer[Any]]:
    """The serializer class of an object that holds a list of them under `name`."""
    attributes = {name: serializer_for(submission_type)(many=True)}
    return type(f"{submission_type.__name__}List", (serializers.Serializer,), attributes)


def _field(field: inspect.Field) -> serializers.Field[Any, Any, Any, Any]:
    options: dict[str, Any] = {"required": field.required}
    described: Any = field.type
    if isinstance(described, inspect.UnionType):
        options["allow_null"] = True
        described = next(one for one in described.types if not isinstance(one, inspect.NoneType))
    if isinstance(described, inspect.Metadata):
        options["help_text"] = (described.extra_json_schema or {}).get("description", "")
        described = described.type
    if field.default not in (msgspec.NODEFAULT, None, ()):
        options["default"] = field.default
        del options["required"]
    if field.name == "transaction_type":
        return serializers.ChoiceField(choices=list(TRANSACTION_TYPES), **options)
    made: serializers.Field[Any, Any, Any, Any] = _FIELDS[type(described)](described, options)
    return made


def _text(described: inspect.StrType, options: dict[str, Any]) -> serializers.Field[Any, Any, Any, Any]:
    may_be_blank = not described.min_length and re.search(described.pattern or "", "") is not None
    if described.pattern:
        options["validators"] = [RegexValidator(described.pattern)]
    if described.max_length and described.max_length > 200:
        options["style"] = {"base_template": "textarea.html", "rows": 2}
    return serializers.CharField(
        max_length=described.max_length, min_length=described.min_length, allow_blank=may_be_blank, **options
    )


def _list(described: inspect.VarTupleType, options: dict[str, Any]) -> serializers.Field[Any, Any, Any, Any]:
    item = cast(inspect.StructType, described.item_type)
    items: type[Any] = serializer_for(item.cls)
    made: serializers.Field[Any, Any, Any, Any] = items(many=True, max_length=described.max_length, **options)
    return made


_FIELDS: Mapping[type, Any] = {
    inspect.StrType: _text,
    inspect.VarTupleType: _list,
    inspect.IntType: lambda t, options: serializers.IntegerField(min_value=t.ge, max_value=t.le, **options),
    inspect.BoolType: lambda _, options: serializers.BooleanField(**options),
    inspect.DateType: lambda _, options: serializers.DateField(**options),
    inspect.DecimalType: lambda _, options: ExactDecimalField(**options),
    inspect.LiteralType: lambda t, options: serializers.ChoiceField(choices=list(t.values), **options),
}
