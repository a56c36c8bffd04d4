"""Every refusal has one shape."""

from __future__ import annotations

import json

import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import OperationalError
from django.http import Http404
from django.test import RequestFactory
from rest_framework import exceptions

from portfolio import handlers
from portfolio.problems import (
    Conflict,
    FieldError,
    InvalidContent,
    Malformed,
    Problem,
    TooMany,
    Unavailable,
    as_problem,
    document,
    field_errors,
    pointer,
    problem_response,
    refusal,
)
from portfolio.streaming.broker import BrokerUnavailable, RecordTooLarge
from portfolio.validation import FieldProblem, Refused

MEMBERS = {"type", "title", "status", "detail", "instance", "request_id", "errors"}


@pytest.fixture
def request_of():
    return lambda path="/api/v1/portfolios/": RequestFactory().get(path, headers={"X-Request-ID": "req-1"})


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Malformed(), 400, "malformed"),
        (exceptions.ParseError(), 400, "parse-error"),
        (exceptions.NotAuthenticated(), 401, "not-authenticated"),
        (exceptions.AuthenticationFailed(), 401, "authentication-failed"),
        (PermissionDenied("no"), 403, "forbidden"),
        (exceptions.PermissionDenied(), 403, "permission-denied"),
        (Http404(), 404, "not-found"),
        (exceptions.MethodNotAllowed("PUT"), 405, "method-not-allowed"),
        (exceptions.NotAcceptable(), 406, "not-acceptable"),
        (Conflict(), 409, "conflict"),
        (RequestDataTooBig(), 413, "too-large"),
        (exceptions.UnsupportedMediaType("text/plain"), 415, "unsupported-media-type"),
        (exceptions.ValidationError({"start": ["no date"]}), 422, "invalid-content"),
        (Refused([FieldProblem("quantity", "digits", "too many")]), 422, "invalid-content"),
        (Refused([FieldProblem("", "malformed", "is not JSON")]), 400, "malformed"),
        (RecordTooLarge("too large"), 422, "too-large"),
        (TooMany(retry_after_s=3), 429, "throttled"),
        (exceptions.Throttled(wait=2.5), 429, "throttled"),
        (BrokerUnavailable("away"), 503, "outcome-unknown"),
        (OperationalError("away"), 503, "unavailable"),
        (Unavailable(), 503, "unavailable"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_every_refusal_is_a_problem(request_of, error, status, code):
    response = problem_response(error, {"request": request_of()})
    assert response is not None
    assert response.status_code == response.data["status"] == status
    assert response.data["type"] == f"urn:problem:{code}"
    assert response.data.keys() == MEMBERS
    assert response.data["instance"] == "/api/v1/portfolios/"
    assert response.data["request_id"] == "req-1"
    assert response.data["title"]
    assert response.data["detail"]


def test_an_error_of_the_program_is_no_problem_of_the_callers(request_of):
    assert problem_response(ZeroDivisionError(), {"request": request_of()}) is None


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (Unavailable(), "5"),
        (Unavailable(retry_after_s=9), "9"),
        (BrokerUnavailable(), "5"),
        (TooMany(retry_after_s=3), "3"),
        (exceptions.Throttled(wait=2.5), "3"),
    ],
)
def test_who_is_to_come_back_is_told_when(request_of, error, seconds):
    response = problem_response(error, {"request": request_of()})
    assert response is not None
    assert response["Retry-After"] == seconds


def test_a_503_of_the_broker_says_that_a_repeat_is_harmless():
    problem = as_problem(BrokerUnavailable())
    assert isinstance(problem, Unavailable)
    assert "unknown whether what was sent arrived" in str(problem.detail)
    assert "a repeat has no second effect" in str(problem.detail)


def test_a_challenge_is_passed_on(request_of):
    error = exceptions.NotAuthenticated()
    error.auth_header = "Token"  # type: ignore[attr-defined]
    response = problem_response(error, {"request": request_of()})
    assert response is not None
    assert response["WWW-Authenticate"] == "Token"


# --- pointers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "expected"),
    [((), ""), (("quantity",), "/quantity"), (("transactions", 3, "quantity"), "/transactions/3/quantity"),
     (("a/b~c",), "/a~1b~0c")],
)  # fmt: skip
def test_pointers_are_those_of_rfc_6901(steps, expected):
    assert pointer(*steps) == expected


def test_errors_point_into_the_body():
    found = [
        FieldProblem("quantity", "digits", "too many"),
        FieldProblem("lots.0.quantity", "out_of_range", "must be more than 0"),
        FieldProblem("my.field", "unknown_field", "is not a field"),
        FieldProblem("", "invalid", "whole"),
    ]
    assert [error.pointer for error in field_errors(found)] == ["/quantity", "/lots/0/quantity", "/my.field", ""]
    assert field_errors(found[:1], "transactions", 3) == [FieldError("/transactions/3/quantity", "digits", "too many")]


def test_a_refusal_names_its_fields():
    problem = refusal(Refused([FieldProblem("quantity", "digits", "too many"), FieldProblem("price", "digits", "x")]))
    assert isinstance(problem, InvalidContent)
    assert str(problem.detail) == "Not acceptable: /quantity, /price."


def test_nested_errors_of_a_serializer_become_pointers():
    error = exceptions.ValidationError({"rows": [{}, {"price": ["wrong"]}], "non_field_errors": ["whole"]})
    problem = as_problem(error)
    assert isinstance(problem, Problem)
    assert [error.pointer for error in problem.errors] == ["/rows/1/price", ""]


def test_a_problem_may_have_members_of_its_own(request_of):
    assert document(Conflict(extra={"accepted": 0}), request_of())["accepted"] == 0


# --- Django's own -------------------------------------------------------------------------------------------------

HANDLERS = {
    "400": lambda request: handlers.bad_request(request, ValueError()),
    "403": lambda request: handlers.permission_denied(request, PermissionDenied()),
    "404": lambda request: handlers.page_not_found(request, Http404()),
    "500": handlers.server_error,
    "CSRF": lambda request: handlers.csrf_failure(request, reason="no token"),
}


@pytest.mark.parametrize("handler", HANDLERS.values(), ids=HANDLERS)
def test_djangos_refusals_are_problems_for_programs_and_pages_for_people(request_of, handler):
    for path in ("/ingest/nothing", "/api/v1/nothing"):
        response = handler(request_of(path))
        assert response["Content-Type"] == "application/problem+json"
        body = json.loads(response.content)
        assert body.keys() == MEMBERS
        assert body["status"] == response.status_code
    assert handler(request_of("/admin/nothing"))["Content-Type"].startswith("text/html")
