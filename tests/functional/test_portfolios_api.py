"""Submitting and patching portfolios where they are read: the same message as the door's, on the real broker."""

from __future__ import annotations

import json
import uuid

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from portfolio import api_portfolios
from portfolio.models import Portfolio
from portfolio.streaming.kafka import KafkaProducer, create_topics, read_topic
from portfolio.streaming.messages import TOPICS, RawPortfolio, decode
from tests import pipeline
from tests.factories import PortfolioChangeFactory, UserFactory, owned_portfolio

pytestmark = pytest.mark.django_db

PORTFOLIOS = "/api/v1/portfolios/"


@pytest.fixture(scope="module", autouse=True)
def topics():
    create_topics(TOPICS, partitions=2, replication_factor=1, config={topic: {} for topic in TOPICS})


@pytest.fixture
def anna():
    return User.objects.create_user("anna")


@pytest.fixture
def name():
    """A portfolio id of this test alone: the topics outlive it."""
    return f"P-{uuid.uuid4().hex[:12]}"


def client(user=None) -> APIClient:
    caller = APIClient()
    if user:
        caller.force_authenticate(user)
    return caller


def post(user, **content):
    return client(user).post(PORTFOLIOS, content, format="json")


def patch(user, name, /, **content):
    return client(user).patch(f"{PORTFOLIOS}{name}/", content, format="json")


def published(name) -> list[RawPortfolio]:
    records = [r for r in read_topic(RawPortfolio.TOPIC, records_max=100_000) if r.key == name.encode()]
    messages = [decode(record.topic, record.value or b"") for record in records]
    return [message for message in messages if isinstance(message, RawPortfolio)]


def recorded(name) -> Portfolio:
    """What stands once the consumer has seen what was published."""
    pipeline.record_reference(*published(name))
    return Portfolio.objects.get(portfolio_id=name)


def test_a_new_portfolio_is_on_its_way_as_from_the_door(anna, name):
    answer = post(anna, portfolio_id=name, base_currency="EUR", cost_basis_method="LIFO")

    assert answer.status_code == 202
    accepted = answer.json()
    assert (accepted["portfolio_id"], accepted["version"], accepted["status"]) == (name, 1, "accepted")
    assert (accepted["topic"], accepted["offset"] >= 0) == ("raw_market_data", True)
    (message,) = published(name)
    assert (message.submitted_by, message.portfolio.cost_basis_method, message.portfolio.cash_mode) == (
        "anna",
        "LIFO",
        "TRACKED",
    )
    # Nothing is written here; it is there when it has arrived.
    assert client(anna).get(f"{PORTFOLIOS}{name}/").status_code == 404
    recorded(name)
    assert client(anna).get(f"{PORTFOLIOS}{name}/").json()["owner"] == "anna"


def test_a_patch_is_the_patched_whole_as_the_next_version(anna, name):
    owned_portfolio(anna, portfolio_id=name, name="First", base_currency="EUR", allow_short=True, version=4)

    answer = patch(anna, name, name="Second", benchmark_security_id="SPX", open_date="2025-01-02")

    assert (answer.status_code, answer.json()["version"]) == (202, 5)
    portfolio = recorded(name)
    assert (portfolio.version, portfolio.name, portfolio.benchmark_security_id) == (5, "Second", "SPX")
    assert (portfolio.base_currency, portfolio.allow_short, str(portfolio.open_date)) == ("EUR", True, "2025-01-02")
    patch(anna, name, benchmark_security_id=None)
    assert recorded(name).benchmark_security_id is None


def test_a_provisional_portfolio_gets_its_attributes_by_a_patch(anna, name):
    PortfolioChangeFactory(portfolio_id=name, owner="anna")

    refused = patch(anna, name, name="Mine")
    answer = patch(anna, name, base_currency="CHF")

    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/base_currency")
    assert (answer.status_code, answer.json()["version"]) == (202, 1)
    assert recorded(name).base_currency == "CHF"


def test_who_read_an_older_version_is_told(anna, name):
    owned_portfolio(anna, portfolio_id=name, version=4)

    stale = patch(anna, name, version=4, name="Other")

    assert (stale.status_code, stale.headers["Content-Type"]) == (409, "application/problem+json")
    assert "is 5" in stale.json()["detail"]
    assert patch(anna, name, version=5, name="Other").status_code == 202


def test_what_stands_is_not_submitted_over(anna, name):
    owned_portfolio(anna, portfolio_id=name, name="First", base_currency="USD", version=2)

    assert post(anna, portfolio_id=name, base_currency="EUR").status_code == 409
    assert post(anna, portfolio_id=name, name="First", base_currency="EUR", version=2).status_code == 409
    # The same again is harmless, a higher version a correction.
    assert post(anna, portfolio_id=name, name="First", base_currency="USD", version=2).status_code == 202
    assert post(anna, portfolio_id=name, base_currency="EUR", version=3).status_code == 202


def test_only_owners_submit_and_patch(anna, name):
    owned_portfolio(anna, portfolio_id=name)
    reader = UserFactory.create(permissions=["portfolio.view_any_portfolio"])
    stranger = UserFactory.create()
    operator = UserFactory.create(permissions=["portfolio.view_any_portfolio", "portfolio.write_any_portfolio"])

    assert post(stranger, portfolio_id=name, base_currency="USD", version=9).status_code == 403
    assert patch(reader, name, name="Mine").status_code == 403
    assert patch(stranger, name, name="Mine").status_code == 404
    assert patch(None, name, name="Mine").status_code == post(None, portfolio_id=name).status_code == 401
    assert published(name) == []
    assert patch(operator, name, name="Corrected").status_code == 202


@pytest.mark.parametrize(
    ("content", "pointer", "code"),
    [
        ({"base_currency": "XXX"}, "/base_currency", "unknown"),
        ({"cash_mode": "SOME"}, "/cash_mode", "invalid"),
        ({"color": "red"}, "/color", "unknown_field"),
        ({"allow_short": None}, "/allow_short", "invalid"),
        ({"portfolio_id": "OTHER"}, "/portfolio_id", "contradiction"),
    ],
)
def test_a_patch_that_is_not_acceptable_is_refused_by_its_field(anna, name, content, pointer, code):
    owned_portfolio(anna, portfolio_id=name)

    answer = patch(anna, name, **content)

    assert answer.status_code == 422
    assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [(pointer, code)]


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        ("{", "application/json", 400),
        ("[]", "application/json", 400),
        ('{"name": "\\ud800"}', "application/json", 400),
        ("[" * 100_000, "application/json", 400),
        ("name=x", "application/x-www-form-urlencoded", 415),
        (json.dumps({"name": "x\x00"}), "application/json", 422),
    ],
)
def test_what_cannot_be_read_is_refused(anna, name, body, content_type, status):
    owned_portfolio(anna, portfolio_id=name)
    caller = client(anna)

    for answer in (
        caller.post(PORTFOLIOS, body, content_type=content_type),
        caller.patch(f"{PORTFOLIOS}{name}/", body, content_type=content_type),
    ):
        assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")


def test_without_the_broker_the_outcome_is_unknown(anna, name, monkeypatch, settings):
    settings.KAFKA_BOOTSTRAP_SERVERS = "127.0.0.1:1"
    away = KafkaProducer(timeout_s=0.3)
    monkeypatch.setattr(api_portfolios, "shared_producer", lambda: away)

    answer = post(anna, portfolio_id=name, base_currency="USD")

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.json()["type"] == "urn:problem:outcome-unknown"
    away.close()
