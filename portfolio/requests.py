"""Who a request is and how long it took: its id, its way through the services, its metrics.

The id is the caller's `X-Request-ID` where that is a sane one, else a new one. It is in the logs (django_structlog
binds it), on the answer, in every problem and on every record the request publishes. `traceparent` is passed on as it
came.

Metrics are two families, by route and not by path: a path holds ids and would make a series each.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from prometheus_client import Counter, Histogram, disable_created_metrics

_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-[\x21-\x7e]{1,128})?")

disable_created_metrics()
ANSWERED = Counter("http_requests_total", "Requests answered.", ("method", "route", "status"))
SECONDS = Histogram(
    "http_request_duration_seconds",
    "From the first middleware to the answer.",
    ("route",),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)

Answer = Callable[[HttpRequest], HttpResponse]


def request_id(request: HttpRequest | Any) -> str:
    """The request's id; "" outside the middleware."""
    return str(request.META.get("HTTP_X_REQUEST_ID", ""))


def traceparent(request: HttpRequest | Any) -> str | None:
    """The W3C trace context the request came with; none where it had none, or nonsense."""
    given = request.META.get("HTTP_TRACEPARENT")
    return given if given and _TRACEPARENT.fullmatch(given) else None


def record_headers(request: HttpRequest | Any) -> dict[str, str]:
    """What a published record tells of the request it came with."""
    headers = {"request_id": request_id(request), "content-type": "application/json"}
    trace = traceparent(request)
    if trace:
        headers["traceparent"] = trace
    return headers


def identified_and_measured(get_response: Answer) -> Answer:
    """The outermost middleware."""

    def answer(request: HttpRequest) -> HttpResponse:
        started_at = time.perf_counter()
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        if not _REQUEST_ID.fullmatch(given):
            given = request.META["HTTP_X_REQUEST_ID"] = str(uuid.uuid4())
        response = get_response(request)
        response["X-Request-ID"] = given
        match = request.resolver_match
        route = match.route if match else "none"
        method = request.method if request.method in _METHODS else "other"
        ANSWERED.labels(method, route, response.status_code).inc()
        SECONDS.labels(route).observe(time.perf_counter() - started_at)
        return response

    return answer


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
