"""The examples of docs/analytics.md that are of stored portfolios: recorded, asked, and answered as the guide says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from portfolio.streaming.messages import (
    Message,
    RawBenchmarkWeight,
    RawInstrument,
    RawPortfolio,
    RawPrice,
    RawRate,
    SubmittedBenchmarkWeight,
    SubmittedInstrument,
    SubmittedPortfolio,
    SubmittedPrice,
    SubmittedRate,
    SubmittedTransaction,
)
from portfolio.validation import read
from tests import pipeline
from tests.unit.positions.test_analytics_guide import is_told

pytestmark = pytest.mark.django_db(transaction=True)

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "analytics.md").read_text()
ANSWERED = {
    "performance",
    "risk",
    "allocation",
    "concentration",
    "contribution",
    "attribution",
    "income",
    "realized-gains",
}


class Example(NamedTuple):
    recorded: str
    question: str
    told: str

    @property
    def path(self) -> str:
        """Asked of the portfolio P1, unless the question says the whole path."""
        return self.question if self.question.startswith("/") else f"/api/v1/portfolios/P1/{self.question}"


def examples() -> list[Example]:
    """Each question with its answer, and the portfolio last recorded before it."""
    found, recorded, question = [], "", ""
    for kind, text in re.findall(r"^```(portfolio|question|told)\n(.*?)^```$", GUIDE, flags=re.MULTILINE | re.DOTALL):
        if kind == "portfolio":
            recorded = text
        elif kind == "question":
            question = text.strip()
        else:
            found.append(Example(recorded, question, text))
    return found


def record(given: dict[str, Any]) -> None:
    def submissions(entity: str, kind: Any) -> list[Any]:
        return [read(kind, json.dumps(one).encode()) for one in given.get(entity, ())]

    messages: list[Message] = [
        *[RawPortfolio(portfolio=one, submitted_by="owner") for one in submissions("portfolios", SubmittedPortfolio)],
        *[RawInstrument(instrument=one) for one in submissions("instruments", SubmittedInstrument)],
        *[RawPrice(market_price=one) for one in submissions("market_prices", SubmittedPrice)],
        *[RawRate(fx_rate=one) for one in submissions("fx_rates", SubmittedRate)],
        *[
            RawBenchmarkWeight(benchmark_weight=one)
            for one in submissions("benchmark_weights", SubmittedBenchmarkWeight)
        ],
    ]
    pipeline.record_reference(*messages)
    pipeline.record(*submissions("transactions", SubmittedTransaction), submitted_by="owner")
    pipeline.calculate()
    pipeline.value()


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.question)
def test_a_stored_portfolio_is_answered_as_the_guide_says(example):
    client = APIClient()
    client.force_authenticate(User.objects.create_user("owner"))
    record(json.loads(example.recorded))

    answer = client.get(example.path)

    assert answer.status_code == 200, answer.content
    assert is_told(json.loads(example.told), answer.json()), json.dumps(answer.json(), indent=1)


def test_everything_that_is_analysed_has_an_example():
    assert {example.path.partition("/?")[0].rpartition("/")[2] for example in examples()} == ANSWERED
