"""The operators' pages: failed ones first, no counting of everything, and asking again."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from orchestrator import admin as orchestrator_admin
from portfolio.models import PortfolioChange
from portfolio.streaming.memory import MemoryBroker
from portfolio.streaming.messages import MarketDataRecorded
from tests.factories import UserFactory
from tests.integration.orchestrator.world import AAPL, EUR, book, calculation, failed, settled, told

pytestmark = pytest.mark.django_db
LIST = reverse("admin:orchestrator_calculation_changelist")


@pytest.fixture
def broker(monkeypatch) -> MemoryBroker:
    broker = MemoryBroker({MarketDataRecorded.TOPIC: 1})
    monkeypatch.setattr(orchestrator_admin, "shared_producer", broker.producer)
    return broker


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def operator() -> Client:
    return signed_in(User.objects.create_superuser("operator"))


def act(client: Client, action: str, *portfolio_ids: str) -> str:
    chosen = [calculation(portfolio_id).pk for portfolio_id in portfolio_ids]
    answer = client.post(LIST, {"action": action, "_selected_action": chosen}, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def test_failed_calculations_come_first(operator):
    settled("FINE")
    (asked,) = told(book("BROKEN"))
    told(failed(asked, "what went wrong"))
    page = operator.get(LIST).content.decode()
    assert page.index("BROKEN") < page.index("FINE")
    assert "what went wrong" in page
    assert '<td class="field-failures">1</td>' in page
    assert "FINE" not in operator.get(LIST, {"state__exact": "FAILED"}).content.decode()
    assert "BROKEN" not in operator.get(LIST, {"q": "FIN"}).content.decode()


def test_a_list_is_not_counted_beyond_its_limit(operator):
    settled("P1")
    with CaptureQueriesContext(connection) as queries:
        operator.get(LIST)
    counts = [q["sql"] for q in queries if "COUNT(" in q["sql"] and "calculations" in q["sql"]]
    assert counts
    assert all("LIMIT" in sql for sql in counts)


def test_a_page_of_one_calculation_only_shows_it(operator):
    settled("P1")
    page = operator.get(reverse("admin:orchestrator_calculation_change", args=[calculation("P1").pk]))
    assert page.status_code == 200
    assert 'name="requested_seq"' not in page.content.decode()


@pytest.mark.usefixtures("broker")
def test_an_operator_asks_for_a_calculation_from_scratch(operator):
    settled("P1")
    settled("P2")
    page = act(operator, "calculate_from_scratch", "P1")
    assert "Asked again for 1 portfolios." in page
    assert PortfolioChange.objects.get(portfolio_id="P1").rebuild_seq == 2
    assert PortfolioChange.objects.get(portfolio_id="P2").rebuild_seq == 0


@pytest.mark.usefixtures("broker")
def test_an_operator_has_a_failed_calculation_tried_again(operator, settings):
    settings.CALCULATION_ATTEMPTS_MAX = 1
    (asked,) = told(book("P1"))
    told(failed(asked))
    act(operator, "calculate_again", "P1")
    assert (calculation("P1").attempts, calculation("P1").failures) == (0, 0)
    assert PortfolioChange.objects.get().rebuild_seq == 0


def test_where_the_broker_is_away_the_operator_is_told(operator, broker):
    settled("P1")
    broker.is_available = False
    assert "comes to it" in act(operator, "calculate_from_scratch", "P1")


@pytest.mark.usefixtures("broker")
def test_who_may_only_look_cannot_ask_again():
    viewer = UserFactory(is_staff=True, permissions=["orchestrator.view_calculation", "portfolio.view_any_portfolio"])
    client = signed_in(viewer)
    settled("P1")
    assert "calculate_from_scratch" not in client.get(LIST).content.decode()
    act(client, "calculate_from_scratch", "P1")
    assert PortfolioChange.objects.get().rebuild_seq == 0


def test_interests_are_listed(operator):
    settled("P1", EUR, AAPL)
    page = operator.get(reverse("admin:orchestrator_interest_changelist")).content.decode()
    assert "EUR" in page
    assert "AAPL" in page
