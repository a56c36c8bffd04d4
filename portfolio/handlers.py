"""Django's own refusals, of requests that reach no API view: problems where callers are programs, pages elsewhere."""

from __future__ import annotations

import msgspec
from django.http import HttpRequest, HttpResponse
from django.views import csrf, defaults

from portfolio.problems import MEDIA_TYPE, Broken, Forbidden, Malformed, Problem, Unknown, document, headers_of

PATHS = ("/ingest/", "/api/")


def _of_django(request: HttpRequest, problem: Problem) -> HttpResponse | None:
    if not request.path.startswith(PATHS):
        return None
    body = msgspec.json.encode(document(problem, request))
    return HttpResponse(body, status=problem.status_code, content_type=MEDIA_TYPE, headers=headers_of(problem))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's 400 handler."""
    return _of_django(request, Malformed()) or defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's 403 handler."""
    return _of_django(request, Forbidden()) or defaults.permission_denied(request, exception)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's 404 handler."""
    return _of_django(request, Unknown()) or defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's 500 handler."""
    return _of_django(request, Broken()) or defaults.server_error(request)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's view of a request without its CSRF token."""
    problem = Forbidden(f"CSRF: {reason}", code="csrf")
    return _of_django(request, problem) or csrf.csrf_failure(request, reason=reason)
