"""docs/asyncapi.yaml is what the message types say."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import msgspec
import pytest
import yaml

from portfolio.management.commands.asyncapi import as_yaml, document
from portfolio.streaming.messages import (
    MESSAGE_TYPES,
    TOPICS,
    RawTransaction,
    SubmittedTransaction,
    TransactionsRecorded,
    encode,
)

COMMITTED = Path(__file__).resolve().parents[3] / "docs" / "asyncapi.yaml"


def test_the_committed_document_is_current():
    assert COMMITTED.read_text() == as_yaml(), "run: manage.py asyncapi > docs/asyncapi.yaml"


def test_it_names_every_topic_and_every_message():
    described = yaml.safe_load(as_yaml())
    assert tuple(described["channels"]) == TOPICS
    on_channels = {name for channel in described["channels"].values() for name in channel["messages"]}
    assert on_channels == {message_type.__name__ for message_type in MESSAGE_TYPES}


def test_every_reference_leads_somewhere():
    described = document()

    def check(node):
        if isinstance(node, dict):
            if "$ref" in node:
                target = described
                for step in node["$ref"].removeprefix("#/").split("/"):
                    target = target[step]
            for inner in node.values():
                check(inner)
        elif isinstance(node, list | tuple):
            for inner in node:
                check(inner)

    check(described)


@pytest.mark.parametrize(
    "message",
    [
        RawTransaction(
            transaction=SubmittedTransaction(
                portfolio_id="P", transaction_id="T", transaction_date="2025-01-15", transaction_type="DEPOSIT",
                currency="USD",
            )
        ),
        msgspec.convert(
            {"schema": "transactions_recorded.v1", "portfolio_id": "P", "change_seq": 1, "recorded_at": "2025-01-15T10:00:00Z"},
            TransactionsRecorded,
        ),
    ],
)  # fmt: skip
def test_what_is_published_fits_its_schema(message):
    described = document()
    schema = {"$ref": f"#/components/schemas/{type(message).__name__}", "components": described["components"]}
    jsonschema.validate(msgspec.json.decode(encode(message)), msgspec.to_builtins(schema))
