"""Histories of other programs through HTTP and Kafka: what is stored is what `evaluate` answers to the same history.

That `evaluate` gives the figures those programs expect is what tests/unit/positions/test_conformance.py shows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from portfolio.models import Portfolio
from portfolio.money import plain
from tests.conformance import ledger_request, peer_request, read_cases
from tests.system import System, eventually, running_system
from transactions.models import Transaction

SETTLED_TIMEOUT_S = 60.0
OF_THE_MARKET = {
    "instruments": "/ingest/instruments",
    "market_prices": "/ingest/market-prices",
    "fx_rates": "/ingest/fx-rates",
}


def requests() -> dict[str, dict[str, Any]]:
    """Every case in a world of its own: prices and rates are everybody's, so names and currencies are told apart."""
    made: dict[str, dict[str, Any]] = {}
    read = [*map(peer_request, read_cases("peers")), *map(ledger_request, read_cases("ledger"))]
    for number, request in enumerate(read, 1):
        portfolio_id = f"CASE{number:03d}"
        made[portfolio_id] = in_a_world_of_its_own(request, portfolio_id)
    return made


def in_a_world_of_its_own(request: dict[str, Any], name: str) -> dict[str, Any]:
    text = json.dumps(request, default=plain)
    for field in ("security_id", "instrument_id", "target_security_id"):
        text = re.sub(rf'"{field}": "([^"]+)"', rf'"{field}": "{name}-\g<1>"', text)
    for field in ("currency", "base_currency", "from_currency", "to_currency", "trade_currency", "target_currency"):
        text = re.sub(rf'"{field}": "([A-Z]{{3}})"', rf'"{field}": "\g<1>{name[4:]}"', text)
    own: dict[str, Any] = json.loads(text)
    own["portfolio"] = {**own["portfolio"], "portfolio_id": name}
    own["transactions"] = [{**one, "portfolio_id": name} for one in own["transactions"]]
    own["instruments"] = [*own.get("instruments", ()), *instruments_left_out(own)]
    return own


def instruments_left_out(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Attributes as they would be found provisionally: stored positions are flagged where they are missing."""
    currencies: dict[str, str] = {}
    for one in sorted(request["transactions"], key=lambda one: str(one["transaction_date"])):
        if "security_id" in one:
            currencies.setdefault(one["security_id"], one["currency"])
    given = {one["security_id"] for one in request.get("instruments", ())}
    return [{"security_id": s, "name": s, "currency": c} for s, c in currencies.items() if s not in given]


REQUESTS = requests()
CURRENCIES = sorted(set(re.findall(r"\b[A-Z]{3}\d{3}\b", json.dumps(REQUESTS))))


@pytest.fixture(scope="module")
def system(django_db_blocker: Any) -> Iterator[System]:
    """One into which every case was sent: its portfolio last, so that all was calculated provisionally before."""
    with django_db_blocker.unblock(), running_system(EXTRA_CURRENCIES=",".join(CURRENCIES)) as running:
        sent = [one for request in REQUESTS.values() for one in request["transactions"]]
        for name, path in OF_THE_MARKET.items():
            of_market = [one for request in REQUESTS.values() for one in request.get(name, ())]
            accepted(running, path, {name: of_market}, len(of_market))
        accepted(running, "/ingest/transactions", {"transactions": sent}, len(sent))
        portfolios = [request["portfolio"] for request in REQUESTS.values()]
        accepted(running, "/ingest/portfolios", {"portfolios": portfolios}, len(portfolios))
        eventually(
            lambda: Transaction.objects.count() == len(sent) and Portfolio.objects.count() == len(portfolios),
            timeout_s=SETTLED_TIMEOUT_S,
            what="everything to be recorded",
        )
        running.settled(list(REQUESTS), timeout_s=SETTLED_TIMEOUT_S)
        yield running


def accepted(system: System, path: str, body: dict[str, Any], number: int) -> None:
    assert system.client.post(path, json.dumps(body).encode()) == {"accepted": number, "rejected": []}


@pytest.mark.parametrize("portfolio_id", REQUESTS)
def test_what_is_stored_is_what_evaluate_answers(system: System, portfolio_id: str):
    request = REQUESTS[portfolio_id]

    expected = system.client.post("/api/v1/evaluate/", json.dumps(request).encode())
    found = system.positions(portfolio_id, as_of=request["as_of"])

    for name in ("positions", "cash", "totals"):
        assert found[name] == expected[name]
    assert codes(found) == codes(expected)
    lots = system.client.every(f"/api/v1/portfolios/{portfolio_id}/lots/")
    assert by_name(lots) == by_name(expected["lots"])
    disposals = system.client.every(f"/api/v1/portfolios/{portfolio_id}/disposals/")
    assert by_name(disposals) == by_name(expected["disposals"])


def codes(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return sorted((one["code"], one["transaction_id"]) for one in answer["exceptions"])


def by_name(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True) for row in rows)
