"""Every refusal in one shape: RFC 9457 `application/problem+json`.

A problem says what happened (`type`, `title`, `status`, `detail`), where (`instance`, the path) and, for each field
that is wrong, a JSON pointer into the request's body, a code and a sentence (`errors`). `request_id` is the one in the
logs and on the records the request published. Whatever is raised under /ingest or /api ends here: this project's own
problems, those of Django and Django REST Framework, and what the database and the broker report when they are away.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import set_rollback

from portfolio.requests import request_id
from portfolio.streaming.broker import BrokerUnavailable, RecordTooLarge
from portfolio.validation import FieldProblem, Refused

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
OUTCOME_UNKNOWN = (
    "The broker did not acknowledge in time, so it is unknown whether what was sent arrived. "
    "Send the same content again: a repeat has no second effect."
)


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong at one place of the body: a JSON pointer (RFC 6901; "" is the whole body), a code, a sentence."""

    pointer: str
    code: str
    detail: str


class Problem(exceptions.APIException):
    """A refusal. `extra` are members of its own beside the standard ones; `retry_after_s` becomes Retry-After."""

    status_code: int = 400
    default_code = "malformed"
    default_detail = "The request cannot be read."

    def __init__(
        self,
        detail: str = "",
        *,
        code: str = "",
        errors: Iterable[FieldError] = (),
        retry_after_s: int | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail or self.default_detail, code or self.default_code)
        self.code = code or self.default_code
        self.errors = tuple(errors)
        self.retry_after_s = retry_after_s
        self.extra = dict(extra or {})


class Malformed(Problem):
    """400: the body is not what its media type says."""


class Forbidden(Problem):
    """403: known, and not allowed."""

    status_code = 403
    default_code = "forbidden"
    default_detail = "This is not yours to do."


class Unknown(Problem):
    """404: there is no such thing, or none that the user may see."""

    status_code = 404
    default_code = "not_found"
    default_detail = "There is nothing here."


class Conflict(Problem):
    """409: it contradicts what is already there."""

    status_code = 409
    default_code = "conflict"
    default_detail = "This contradicts what is already there."


class TooLarge(Problem):
    """413: more than one request may carry."""

    status_code = 413
    default_code = "too_large"
    default_detail = "The body is larger than one request may carry."


class UnsupportedType(Problem):
    """415: a media type or content encoding that is not read here."""

    status_code = 415
    default_code = "unsupported_media_type"
    default_detail = "This media type is not read here."


class InvalidContent(Problem):
    """422: well-formed, and not acceptable; `errors` names every field."""

    status_code = 422
    default_code = "invalid_content"
    default_detail = "The content is not acceptable."


class TooMany(Problem):
    """429: more than the caller's share; Retry-After says when to come back."""

    status_code = 429
    default_code = "throttled"
    default_detail = "Too many requests."


class Broken(Problem):
    """500: an error of this program; the request id finds it in the logs."""

    status_code = 500
    default_code = "internal_error"
    default_detail = "An error of this service. Its operator finds it by the request id."


class Unavailable(Problem):
    """503: something this service needs is away; always with Retry-After."""

    status_code = 503
    default_code = "unavailable"
    default_detail = "A service this one needs does not answer. Nothing was done; try again."

    def __init__(self, detail: str = "", *, code: str = "", retry_after_s: int | None = None) -> None:
        super().__init__(detail, code=code, retry_after_s=retry_after_s or settings.RETRY_AFTER_S)


def pointer(*steps: str | int) -> str:
    """The JSON pointer that these steps make: "transactions", 3, "quantity" make /transactions/3/quantity."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def field_errors(problems: Iterable[FieldProblem], *within: str | int) -> list[FieldError]:
    """What validation found, as pointers into the body; `within` leads to the record, for a list of them."""
    return [FieldError(pointer(*within, *(_steps(p.field) if p.field else ())), p.code, p.detail) for p in problems]


def _steps(field: str) -> list[str]:
    """`lots.0.quantity` is a path; a field's name as the client spelled it may have dots of its own."""
    head, *rest = field.split(".")
    return [head, *rest] if head == "portfolio" or (rest and rest[0].isdecimal()) else [field]


def refusal(refused: Refused) -> Problem:
    """The problem of one refused submission: 400 where it is not JSON at all, else 422."""
    errors = field_errors(refused.problems)
    if any(error.code == "malformed" for error in errors):
        return Malformed(errors[0].detail, errors=errors)
    named = ", ".join(error.pointer for error in errors)
    return InvalidContent(f"Not acceptable: {named or 'the whole'}.", errors=errors)


# --- under Django REST Framework ----------------------------------------------------------------------------------


class ProblemResponse(Response):
    """A problem, rendered as `application/problem+json`; to a browser, as the page that shows it."""

    @property
    def rendered_content(self) -> Any:
        if getattr(self.accepted_renderer, "format", "") != "api":
            # Whatever the answer would have been made of.
            self.accepted_renderer, self.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
            self.content_type = MEDIA_TYPE
        return super().rendered_content


def problem_response(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """The exception handler of every API view; none where the error is the program's own: that is a 500."""
    problem = as_problem(error)
    if problem is None:
        return None
    if problem.status_code >= 500:
        log.warning("answered %s: %s: %s", problem.status_code, type(error).__name__, error)
    set_rollback()
    return ProblemResponse(
        document(problem, context["request"]), status=problem.status_code, headers=headers_of(problem)
    )


def as_problem(error: Exception) -> exceptions.APIException | None:
    """What the error says to a caller; none where it is nothing a caller could act on."""
    match error:
        case Refused():
            return refusal(error)
        case BrokerUnavailable():
            return Unavailable(OUTCOME_UNKNOWN, code="outcome_unknown")
        case RecordTooLarge():
            return InvalidContent(f"{error}.", code="too_large")
        case OperationalError() | InterfaceError():
            return Unavailable("The database does not answer. Try again.")
        case RequestDataTooBig():
            return TooLarge()
        case Http404():
            return Unknown()
        case PermissionDenied():
            return Forbidden(str(error))
        case exceptions.ValidationError():
            return InvalidContent(errors=list(_validation_errors(error.detail)))
        case exceptions.APIException():
            return error
    return None


def document(problem: exceptions.APIException, request: HttpRequest | Any) -> dict[str, Any]:
    """The members of the problem."""
    code = problem.code if isinstance(problem, Problem) else str(problem.default_code)
    return {
        "type": f"urn:problem:{code.replace('_', '-')}",
        "title": HTTPStatus(problem.status_code).phrase,
        "status": problem.status_code,
        "detail": str(problem.detail),
        "instance": request.path,
        "request_id": request_id(request),
        "errors": [asdict(error) for error in getattr(problem, "errors", ())],
        **getattr(problem, "extra", {}),
    }


def headers_of(problem: exceptions.APIException) -> dict[str, str]:
    """WWW-Authenticate and Retry-After, where the problem has them."""
    headers = {}
    if challenge := getattr(problem, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    wait_s = getattr(problem, "retry_after_s", None) or getattr(problem, "wait", None)
    if wait_s:
        headers["Retry-After"] = str(math.ceil(wait_s))
    return headers


def _validation_errors(detail: Any, *within: str | int) -> Iterator[FieldError]:
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            yield from _validation_errors(inner, *(within if name == "non_field_errors" else (*within, name)))
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            nested = isinstance(inner, Mapping | list)
            yield from _validation_errors(inner, *((*within, index) if nested else within))
    else:
        yield FieldError(pointer(*within), str(getattr(detail, "code", "invalid")), str(detail))
