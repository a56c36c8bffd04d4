"""The door in OpenAPI: bodies with their media types, answers, refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
    inline_serializer,
)
from rest_framework import serializers

from ingestion import formats
from ingestion.entities import TRANSACTIONS, Entity
from portfolio.problems import MEDIA_TYPE
from portfolio.serializers import list_serializer_for, serializer_for

V = TypeVar("V", bound=type[Any])


class FieldErrorSerializer(serializers.Serializer[Any]):
    """What is wrong at one place."""

    pointer = serializers.CharField(help_text="JSON pointer into the body; for NDJSON and CSV as into the JSON list")
    code = serializers.CharField()
    detail = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """RFC 9457."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    instance = serializers.CharField()
    request_id = serializers.CharField()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """`errors` is a name that serializers use themselves."""
        return {**super().get_fields(), "errors": FieldErrorSerializer(many=True)}


class ReceiptSerializer(serializers.Serializer[Any]):
    """Where the broker keeps it."""

    portfolio_id = serializers.CharField()
    transaction_id = serializers.CharField()
    version = serializers.IntegerField()
    status = serializers.ChoiceField(choices=["accepted"])
    topic = serializers.CharField()
    partition = serializers.IntegerField()
    offset = serializers.IntegerField()


IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="With the same key and body the first answer is given again, with `Idempotency-Replayed: true`.",
)
CONTENT_ENCODING = OpenApiParameter("Content-Encoding", str, OpenApiParameter.HEADER, enum=["gzip", "identity"])
REQUEST_ID = OpenApiParameter("X-Request-ID", str, OpenApiParameter.HEADER)


def _problem(description: str) -> OpenApiResponse:
    return OpenApiResponse(ProblemSerializer, description=description)


_REFUSALS: dict[int, str] = {
    400: "The body or its encoding is not what it says it is.",
    401: "No token, or none that is known.",
    403: "A portfolio of somebody else, or a permission that is missing.",
    409: "The Idempotency-Key came with another body, or its first request is still in hand.",
    413: "The body, or the number of its records, is more than one request carries.",
    415: "A media type, character set or encoding that is not read here.",
    429: "More requests than the operator allows; `Retry-After` says when to come back.",
    503: "The broker did not acknowledge in time: the outcome is unknown, and a repeat is harmless.",
}
REFUSALS: dict[Any, OpenApiResponse] = {(status, MEDIA_TYPE): _problem(text) for status, text in _REFUSALS.items()}


def of_one(view: V) -> V:
    """POST of one transaction."""
    serializer = serializer_for(TRANSACTIONS.submission_type)
    return _posts(
        view,
        request={formats.JSON: serializer},
        examples=[OpenApiExample("the smallest", TRANSACTIONS.example, request_only=True)],
        responses={
            201: OpenApiResponse(ReceiptSerializer, description="The broker has acknowledged it."),
            (422, MEDIA_TYPE): _problem("Fields that are not acceptable, each with a pointer."),
            **REFUSALS,
        },
    )


def of_list(entity: Entity) -> Callable[[V], V]:
    """POST of a list of an entity's records."""
    rejected = inline_serializer(
        f"Rejected{entity.submission_type.__name__}",
        {
            "index": serializers.IntegerField(),
            **{name: serializers.CharField(allow_null=True) for name in entity.known_by},
            "errors": FieldErrorSerializer(many=True),
        },
        many=True,
    )
    answer = inline_serializer(
        f"{entity.submission_type.__name__}Outcome", {"accepted": serializers.IntegerField(), "rejected": rejected}
    )
    none = inline_serializer(
        f"{entity.submission_type.__name__}Refused",
        {
            **ProblemSerializer().get_fields(),
            "accepted": serializers.IntegerField(),
            "rejected": rejected,
        },
    )
    return lambda view: _posts(
        view,
        request={
            formats.JSON: list_serializer_for(entity.submission_type, entity.name),
            formats.NDJSON: OpenApiTypes.STR,
            formats.CSV: OpenApiTypes.STR,
        },
        examples=[OpenApiExample("the smallest", {entity.name: [entity.example]}, request_only=True)],
        responses={
            201: OpenApiResponse(answer, description="All are accepted."),
            207: OpenApiResponse(answer, description="Some are accepted; `rejected` names the others."),
            (422, MEDIA_TYPE): OpenApiResponse(none, description="None is acceptable."),
            **REFUSALS,
        },
    )


def _posts(view: V, **described: Any) -> V:
    tags = ["ingestion"]
    parameters = [IDEMPOTENCY_KEY, CONTENT_ENCODING, REQUEST_ID]
    post = extend_schema(tags=tags, parameters=parameters, summary=(view.__doc__ or "").partition(".")[0], **described)
    return extend_schema_view(get=extend_schema(exclude=True), post=post)(view)
