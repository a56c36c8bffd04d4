"""GET /api/v1/calculations/ as a client sees it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from orchestrator.models import Calculation
from portfolio.models import PortfolioChange
from tests.factories import UserFactory
from tests.integration.orchestrator.world import book, book_many, calculated, failed, settled, told

pytestmark = pytest.mark.django_db
PATH = "/api/v1/calculations/"


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def operator() -> Client:
    return signed_in(UserFactory(permissions=["portfolio.view_any_portfolio"]))


def found(client: Client, **parameters: str) -> list[dict[str, Any]]:
    answer = client.get(PATH, parameters)
    assert answer.status_code == 200, answer.content
    rows: list[dict[str, Any]] = answer.json()["results"]
    return rows


def ids(client: Client, **parameters: str) -> list[str]:
    return [row["portfolio_id"] for row in found(client, **parameters)]


def test_a_calculation_is_told_with_its_counters(operator):
    (asked,) = told(book("P1", times=2))
    assert found(operator) == [
        {
            "portfolio_id": "P1",
            "kind": "POSITIONS",
            "state": "DISPATCHED",
            "pending": True,
            "requested_seq": 2,
            "dispatched_seq": 2,
            "done_seq": 0,
            "requested_market_seq": 0,
            "dispatched_market_seq": 0,
            "done_market_seq": 0,
            "requested_date": None,
            "dispatched_date": None,
            "done_date": None,
            "attempts": 1,
            "failures": 0,
            "error": "",
            "requested_at": "2025-01-15T12:00:00Z",
            "dispatched_at": "2025-01-15T12:00:00Z",
            "done_at": None,
            "not_before": None,
        }
    ]
    told(calculated(asked), seconds=3)
    row, values = found(operator)
    assert (row["state"], row["pending"], row["done_at"]) == ("IDLE", False, "2025-01-15T12:00:03Z")
    assert (values["kind"], values["pending"]) == ("VALUATIONS", True)
    assert (values["requested_seq"], values["requested_date"], values["done_date"]) == (2, "2025-01-15", None)


def test_the_list_is_narrowed_by_what_is_asked(operator):
    settled("DONE")
    told(book("PENDING"))
    (asked,) = told(book("FAILED"))
    told(failed(asked))
    assert [row["failures"] for row in found(operator)] == [0, 0, 1, 0]
    assert ids(operator) == ["DONE", "DONE", "FAILED", "PENDING"]
    assert ids(operator, portfolio_id="DONE") == ["DONE", "DONE"]
    assert ids(operator, state="DISPATCHED") == ["PENDING"]
    assert ids(operator, failed="true") == ["FAILED"]
    assert ids(operator, failed="false") == ["DONE", "DONE", "PENDING"]
    assert ids(operator, pending="true") == ["FAILED", "PENDING"]
    assert ids(operator, pending="false") == ["DONE", "DONE"]
    assert ids(operator, kind="VALUATIONS") == ["DONE"]
    assert operator.get(PATH, {"state": "NONSENSE"}).status_code == 422


def test_a_user_sees_the_calculations_of_their_own_portfolios():
    settled("MINE")
    settled("THEIRS")
    PortfolioChange.objects.filter(portfolio_id="MINE").update(owner="anna")
    client = signed_in(UserFactory(username="anna"))
    assert ids(client) == ["MINE", "MINE"]
    assert ids(client, portfolio_id="THEIRS") == []
    assert Client().get(PATH).status_code in (401, 403)


def test_pages_follow_one_another_and_cost_the_same(operator):
    told(*book_many(f"P{n:03}" for n in range(25)))
    seen, address, costs = [], f"{PATH}?page_size=10", set()
    while address:
        with CaptureQueriesContext(connection) as queries:
            page = operator.get(address).json()
        costs.add(len(queries))
        seen += [row["portfolio_id"] for row in page["results"]]
        address = page["next"]
    assert seen == [f"P{n:03}" for n in range(25)]
    assert len(costs) == 1
    assert Calculation.objects.count() == 25


def test_nothing_is_written_here(operator):
    assert operator.post(PATH, {}).status_code == 405
