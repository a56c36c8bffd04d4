"""Who a request is."""

from __future__ import annotations

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from prometheus_client import REGISTRY

from portfolio.requests import identified_and_measured, request_id, traceparent

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize("given", ["req-1", "a" * 128])
def test_a_sane_id_is_kept_and_answered(given):
    seen = []

    def view(request):
        seen.append(request_id(request))
        return HttpResponse()

    response = identified_and_measured(view)(RequestFactory().get("/", headers={"X-Request-ID": given}))
    assert response["X-Request-ID"] == given
    assert seen == [given]


@pytest.mark.parametrize("given", ["", "a" * 129, "two words", "caf\u00e9"])
def test_any_other_is_replaced(given):
    response = identified_and_measured(lambda _: HttpResponse())(RequestFactory().get("/", HTTP_X_REQUEST_ID=given))
    assert len(response["X-Request-ID"]) == 36


@pytest.mark.parametrize(
    ("given", "passed_on"), [(TRACE, TRACE), ("nonsense", None), (TRACE.upper(), None), ("", None)]
)
def test_the_trace_is_passed_on_as_it_came(given, passed_on):
    assert traceparent(RequestFactory().get("/", headers={"traceparent": given})) == passed_on


def test_answers_are_counted_by_route_and_not_by_path():
    def counted():
        labels = {"method": "GET", "route": "none", "status": "200"}
        return REGISTRY.get_sample_value("http_requests_total", labels) or 0.0

    before = counted()
    measured = identified_and_measured(lambda _: HttpResponse())
    for path in ("/a", "/b"):
        measured(RequestFactory().get(path))
    assert counted() == before + 2
