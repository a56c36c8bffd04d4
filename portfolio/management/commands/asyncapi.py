"""`manage.py asyncapi > docs/asyncapi.yaml`: what travels through Kafka, generated from the message types."""

from __future__ import annotations

from inspect import cleandoc
from typing import Any

import msgspec
import yaml
from django.core.management.base import BaseCommand

from portfolio.streaming.messages import MESSAGE_TYPES, RAW_TOPICS, TOPICS, Message

SCHEMAS = "#/components/schemas/{name}"
KEYS = {
    "raw_transactions": "portfolio_id",
    "raw_market_data": "security_id, currency pair (EUR/USD), portfolio_id or benchmark_id",
    "market_data_recorded": "security_id, currency pair (EUR/USD), portfolio_id or benchmark_id",
}


def document() -> dict[str, Any]:
    """AsyncAPI 3.0: a channel a topic, a message a type, a schema a structure."""
    _, schemas = msgspec.json.schema_components(MESSAGE_TYPES, ref_template=SCHEMAS)
    for schema in schemas.values():
        if "description" in schema:
            schema["description"] = cleandoc(schema["description"])
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Portfolio Analytics System",
            "version": "0.1.0",
            "description": (
                "Values are JSON whose `schema` names type and version; decimals are written as strings. Readers pass"
                " over fields they do not know. Records are delivered at least once; every reader is idempotent."
            ),
        },
        "defaultContentType": "application/json",
        "channels": {topic: _channel(topic) for topic in TOPICS},
        "operations": {f"{verb}_{topic}": _operation(verb, topic) for topic in TOPICS for verb in ("send", "receive")},
        "components": {
            "messages": {message_type.__name__: _message(message_type) for message_type in MESSAGE_TYPES},
            "messageTraits": {"traced": {"headers": {"$ref": SCHEMAS.format(name="Headers")}}},
            "schemas": {"Headers": HEADERS, "Key": {"type": "string"}, **dict(sorted(schemas.items()))},
        },
    }


HEADERS = {
    "type": "object",
    "properties": {
        "request_id": {"type": "string", "description": "of the HTTP request that the record came with"},
        "traceparent": {"type": "string", "description": "W3C trace context, where the request had one"},
        "content-type": {"type": "string", "const": "application/json"},
    },
}


def _types_on(topic: str) -> list[type[Message]]:
    return [message_type for message_type in MESSAGE_TYPES if topic == message_type.TOPIC]


def _channel(topic: str) -> dict[str, Any]:
    kept = "Keeps its records without limit." if topic in RAW_TOPICS else "What it holds can be made again."
    names = [message_type.__name__ for message_type in _types_on(topic)]
    return {
        "address": topic,
        "description": f"Partitioned by {KEYS.get(topic, 'portfolio_id')}. {kept}",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
    }


def _operation(verb: str, topic: str) -> dict[str, Any]:
    return {"action": verb, "channel": {"$ref": f"#/channels/{topic}"}}


def _message(message_type: type[Message]) -> dict[str, Any]:
    name = message_type.__name__
    return {
        "name": str(message_type.__struct_config__.tag),
        "summary": (message_type.__doc__ or "").partition("\n")[0],
        "contentType": "application/json",
        "payload": {"$ref": SCHEMAS.format(name=name)},
        "traits": [{"$ref": "#/components/messageTraits/traced"}],
        "bindings": {"kafka": {"key": {"$ref": SCHEMAS.format(name="Key")}}},
    }


class Command(BaseCommand):
    """Print the document."""

    help = "Print docs/asyncapi.yaml, generated from the message types."
    requires_system_checks: list[str] = []

    def handle(self, *args: object, **options: object) -> None:
        """Write YAML to standard output."""
        self.stdout.write(as_yaml(), ending="")


def as_yaml() -> str:
    """The document as it is committed."""
    return yaml.safe_dump(msgspec.to_builtins(document()), sort_keys=False, width=110, allow_unicode=True)
