"""What the door does with records, over a broker of lists."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied

from ingestion import operations
from ingestion.entities import ENTITIES, MARKET_PRICES, TRANSACTIONS
from ingestion.operations import submit_as_operator, submit_market_data, submit_transactions
from portfolio.streaming.broker import BrokerUnavailable
from portfolio.streaming.memory import MemoryBroker
from portfolio.streaming.messages import RAW_TOPICS, RawPrice, RawTransaction, decode
from portfolio.validation import FieldProblem, Refused

ROOT = User(username="root", is_superuser=True)
NOBODY = User(username="nobody", is_active=False)
HEADERS = {"request_id": "req-1"}


@pytest.fixture
def broker():
    return MemoryBroker(dict.fromkeys(RAW_TOPICS, 3))


def transaction(number: int, **fields: object) -> bytes:
    record = {**TRANSACTIONS.example, "transaction_id": f"T{number}", "portfolio_id": f"P{number}", **fields}
    return json.dumps(record).encode()


def submit(broker, *records):
    return submit_transactions(records=records, user=ROOT, headers=HEADERS, producer=broker.producer())


def published(broker):
    return [record for partition in broker.records.values() for record in partition]


def test_what_is_accepted_is_on_the_topic_under_its_portfolio(broker):
    outcome = submit(broker, transaction(1), transaction(2))
    assert [one.transaction_id for one in outcome.accepted] == ["T1", "T2"]
    assert len(outcome.receipts) == 2
    for receipt, submission in zip(outcome.receipts, outcome.accepted, strict=True):
        [record] = [r for r in published(broker) if (r.partition, r.offset) == (receipt.partition, receipt.offset)]
        assert record.topic == receipt.topic == "raw_transactions"
        assert record.key == submission.portfolio_id.encode()
        assert record.headers == HEADERS
        message = decode(record.topic, record.value or b"")
        assert isinstance(message, RawTransaction)
        assert (message.transaction, message.submitted_by) == (submission, "root")


def test_a_wrong_record_does_not_spoil_its_neighbours(broker):
    torn = Refused([FieldProblem("", "cells", "line 3 has 3 cells")])
    outcome = submit(broker, transaction(0), b"{", transaction(2, quantity=-1), torn, transaction(4))
    assert [one.transaction_id for one in outcome.accepted] == ["T0", "T4"]
    assert [(one.index, one.known_by["transaction_id"], one.problems[0].code) for one in outcome.rejected] == [
        (1, None, "malformed"),
        (2, "T2", "out_of_range"),
        (3, None, "cells"),
    ]
    assert len(published(broker)) == 2


@pytest.mark.parametrize("record", [b"[1]", b'{"transaction_id": 7}', b"\xff", b"[" * 100_000])
def test_a_record_that_cannot_be_named_is_known_by_its_place(broker, record):
    [rejection] = submit(broker, record).rejected
    assert rejection.index == 0
    assert rejection.known_by == {"portfolio_id": None, "transaction_id": None}


def test_a_record_too_large_for_its_topic_is_refused_by_itself(broker, settings):
    settings.RECORD_BYTES_MAX = 400
    outcome = submit(broker, transaction(0), transaction(1, note="x" * 300))
    assert len(outcome.accepted) == 1
    [rejection] = outcome.rejected
    assert (rejection.index, rejection.problems[0].code) == (1, "too_large")
    assert "400 at most" in rejection.problems[0].detail


def test_a_broker_that_is_away_is_said_to_be(broker):
    broker.is_available = False
    with pytest.raises(BrokerUnavailable):
        submit(broker, transaction(1))


def test_a_long_list_is_published_in_pieces_and_keeps_its_order(broker, monkeypatch):
    monkeypatch.setattr(operations, "RECORDS_A_PUBLISH", 2)
    outcome = submit(broker, *(transaction(number, portfolio_id="P") for number in range(5)))
    assert [receipt.offset for receipt in outcome.receipts] == [0, 1, 2, 3, 4]
    assert len({receipt.partition for receipt in outcome.receipts}) == 1


@pytest.mark.parametrize("entity", [entity for entity in ENTITIES if entity is not TRANSACTIONS], ids=lambda e: e.name)
def test_market_data_takes_the_same_road(broker, entity):
    outcome = submit_market_data(
        entity=entity,
        records=[json.dumps(entity.example).encode()],
        user=ROOT,
        headers=HEADERS,
        producer=broker.producer(),
    )
    [record] = published(broker)
    assert record.topic == outcome.receipts[0].topic == "raw_market_data"
    assert (record.key or b"").decode() in {
        entity.example.get("portfolio_id"),
        entity.example.get("security_id"),
        entity.example.get("benchmark_id"),
        "EUR/USD",
    }


def test_what_an_operator_loads_asks_for_nobodys_leave_and_travels_without_a_name(broker):
    record = json.dumps(MARKET_PRICES.example).encode()
    outcome = submit_as_operator(entity=MARKET_PRICES, records=[record], headers=HEADERS, producer=broker.producer())
    [sent] = published(broker)
    message = decode(sent.topic, sent.value or b"")
    assert len(outcome.accepted) == 1
    assert isinstance(message, RawPrice)
    assert message.submitted_by is None


def test_what_is_everybodys_takes_a_permission(broker):
    with pytest.raises(PermissionDenied, match="write_any_portfolio"):
        submit_market_data(entity=MARKET_PRICES, records=[], user=NOBODY, headers=HEADERS, producer=broker.producer())
