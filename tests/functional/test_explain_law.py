"""The law of explanations: what is listed and the rest add up to the figure, whichever way it is explained.

Random histories of every type on the real PostgreSQL: booked again or read from rows, with few parts listed or all, on
any day. The figures are those of the positions and of the statement.
"""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth.models import User
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from portfolio.money import exact
from portfolio.streaming.messages import (
    CostMethod,
    RawPortfolio,
    RawPrice,
    RawRate,
    SubmittedPortfolio,
    SubmittedPrice,
    SubmittedRate,
)
from positions.explaining import entries, listing
from tests import pipeline
from tests.histories import CURRENCIES, METHODS, a_history
from tests.pipeline import day

pytestmark = pytest.mark.django_db(transaction=True)

D = Decimal
OF_PORTFOLIO = "/api/v1/portfolios/P1/"
OF_POSITION = ("quantity", "cost_basis", "realized_gain", "unrealized_gain", "market_value", "income")
OF_SECURITY = (*OF_POSITION, "fees", "taxes")
OF_CASH = ("cash", "income", "fees", "taxes")
TOTALS = {name: name for name in ("cash", "cost_basis", "realized_gain", "unrealized_gain", "income", "fees", "taxes")}
TOTALS |= {"market_value": "securities"}
OF_STATEMENT = ("income", "fees", "taxes")


@pytest.fixture
def client() -> APIClient:
    client = APIClient()
    client.force_authenticate(User.objects.create_user("owner"))
    return client


def settle(choose: random.Random, method: CostMethod, first_rate: int) -> None:
    """A portfolio and its market; rates begin on a day of January, so that what came before has none."""
    attributes = SubmittedPortfolio(
        portfolio_id="P1",
        base_currency="USD",
        cost_basis_method=method,
        allow_short=choose.random() < 0.5,
        fees_in_cost=choose.random() < 0.5,
    )
    prices = [
        SubmittedPrice(
            security_id=name, price_date=day("2025-01-20"), price=D(choose.randint(100, 9999)) / 8, currency=currency
        )
        for name, currency in CURRENCIES.items()
    ]
    rates = [
        SubmittedRate(from_currency="EUR", to_currency="USD", rate_date=day(f"2025-01-{number:02}"), rate=D("1.1") + n)
        for n, number in enumerate((first_rate, first_rate + 6))
    ]
    pipeline.record_reference(
        RawPortfolio(portfolio=attributes, submitted_by="owner"),
        *[RawPrice(market_price=price) for price in prices],
        *[RawRate(fx_rate=rate) for rate in rates],
    )


def ask(client: APIClient, path: str, **query: Any) -> dict[str, Any]:
    answer = client.get(f"{OF_PORTFOLIO}{path}", query)
    assert answer.status_code == 200, answer.content
    told: dict[str, Any] = answer.json()
    return told


def assert_adds_up(client: APIClient, answer: dict[str, Any]) -> None:
    """What is listed and what is left out are the figure, as the reader adds them; and so it goes on."""
    listed = [part for part in answer["parts"] if part["kind"] not in ("LEFT_OUT", "REVALUATION")]
    assert len(listed) <= listing.PARTS_MAX
    assert sum(part.get("count", 0) for part in answer["parts"]) == answer["parts_left_out"]
    with exact():
        for name, figure in (("amount", "value"), ("amount_base", "value_base")):
            amounts = [part[name] for part in answer["parts"]]
            if all(isinstance(amount, str) for amount in amounts) and answer[figure] is not None:
                assert sum(map(D, amounts), D(0)) == D(answer[figure])
    assert answer["parts_total"] == answer["value"]
    assert answer["parts_total_base"] == answer["value_base"]
    if answer["next"]:
        further = client.get(answer["next"]).json()
        left_out, *listed = answer["parts"]
        assert left_out["kind"] == "LEFT_OUT"
        assert further["as_of"] < answer["as_of"]
        assert left_out["date"] <= further["as_of"]
        if not listed or left_out["last_date"] < listed[0]["date"]:
            assert further["as_of"] == left_out["last_date"]
            assert further["value"] == left_out["amount"]
    elif answer["parts_left_out"] and answer["figure"] not in ("market_value", "unrealized_gain"):
        left_out, *listed = answer["parts"]
        assert {left_out["date"], left_out["last_date"]} == {part["date"] for part in listed}


# A smaller seed is no simpler history: it is not looked for.
@settings(
    max_examples=20,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    seed=st.integers(0, 10**6),
    method=st.sampled_from(METHODS),
    first_rate=st.integers(1, 12),
    as_of=st.sampled_from(["2025-01-09", "2025-01-14", "2025-01-31"]),
    parts=st.tuples(st.sampled_from([1, 2, 5, 1000]), st.booleans()),
)
def test_what_is_listed_and_the_rest_are_the_figure(client, *, seed, method, first_rate, as_of, parts):
    parts_max, from_rows = parts
    choose = random.Random(seed)
    pipeline.forget(["P1"])
    settle(choose, method, first_rate)
    pipeline.record(*a_history(seed, 40), submitted_by="owner")
    pipeline.calculate("P1")
    pipeline.value("P1")
    positions = ask(client, "positions/", closed=True, as_of=as_of)

    with patch.object(listing, "PARTS_MAX", parts_max), patch.object(entries, "ENTRIES_TOLD_MAX", -from_rows or 5000):
        for position in positions["positions"]:
            for figure in OF_SECURITY:
                answer = ask(client, f"explain/{figure}/", security_id=position["security_id"], as_of=as_of)
                assert_adds_up(client, answer)
                if figure in OF_POSITION:
                    assert answer["value"] == position[figure]
                    assert answer["value_base"] == position.get(f"{figure}_base")
        for cash in positions["cash"]:
            for figure in OF_CASH:
                answer = ask(client, f"explain/{figure}/", currency=cash["currency"], as_of=as_of)
                assert_adds_up(client, answer)
                if figure == "cash":
                    assert (answer["value"], answer["value_base"]) == (cash["balance"], cash["balance_base"])
        totals = {figure: ask(client, f"explain/{figure}/", as_of=as_of) for figure in TOTALS}
    for figure, answer in totals.items():
        assert answer["parts_total"] == answer["value"]
        assert answer["value"] == positions["totals"][TOTALS[figure]]
    statement = ask(client, "statement/", start="2024-12-31", end=as_of)
    for figure in OF_STATEMENT:
        assert statement[figure] == totals[figure]["value"]
