"""The least a door can do in Django: parse the JSON, produce through the same producer, answer when acknowledged."""

from __future__ import annotations

import json

from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

from portfolio.streaming.broker import Outgoing
from portfolio.streaming.kafka import shared_producer
from portfolio.streaming.messages import RawTransaction


def accept(request: HttpRequest) -> JsonResponse:
    """201 once the broker has acknowledged the body as it came."""
    record = json.loads(request.body)
    [receipt] = shared_producer().publish([Outgoing(RawTransaction.TOPIC, record["portfolio_id"], request.body)])
    answer = JsonResponse({"partition": receipt.partition, "offset": receipt.offset}, status=201)
    answer["Content-Length"] = len(answer.content)
    return answer


urlpatterns = [path("ingest/transaction", accept)]
application = get_wsgi_application()
