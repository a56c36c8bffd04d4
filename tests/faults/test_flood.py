"""A flood of records that nobody can read: a sign of a bad deployment, and not of bad data."""

from __future__ import annotations

from io import StringIO

import pytest
from confluent_kafka import Producer
from django.conf import settings
from django.core.management import call_command

from portfolio.client import Refusal
from portfolio.models import DeadLetter
from portfolio.streaming.messages import RawTransaction, encode
from tests.functional.test_walk import deposit
from tests.system import eventually, running_system
from transactions.models import Transaction

LIMIT = 20
UNREADABLE = 35
WORKER = "consume_transactions"


def test_a_flood_stops_the_worker_until_a_person_lets_it_go_on():
    with running_system(UNDECODABLE_IN_A_ROW_MAX=str(LIMIT)) as system:
        produce([b"from another century"] * UNREADABLE + [encode(RawTransaction(transaction=deposit("FLOOD", "T1")))])
        eventually(lambda: system.down == (WORKER,), timeout_s=30, what="the worker to stay down")
        assert system.said(WORKER, "ended with exit code 3")
        assert DeadLetter.objects.count() == LIMIT + 1, "the letters of what it has read are committed"
        with pytest.raises(Refusal, match="stopped and waiting for a person: consume_transactions") as refusal:
            system.client.get("/readyz")
        assert refusal.value.status == 503
        assert not Transaction.objects.exists()

        # Started again as it is, it stays down; the others go on.
        system.start_again(WORKER)
        eventually(lambda: system.down == (WORKER,), timeout_s=30, what="the worker to stay down again")
        assert DeadLetter.objects.count() == LIMIT + 1

        call_command("dead_letters", resume=WORKER, stdout=StringIO())
        system.start_again(WORKER)
        eventually(lambda: Transaction.objects.count() == 1, timeout_s=30, what="what came after the flood")
        assert DeadLetter.objects.count() == UNREADABLE, "each once"
        assert system.down == ()
        assert system.client.get("/readyz")["ready"]


def produce(values: list[bytes]) -> None:
    """Straight to one partition, as some other program would."""
    producer = Producer({"bootstrap.servers": settings.KAFKA_BOOTSTRAP_SERVERS})
    for value in values:
        producer.produce(f"{settings.KAFKA_TOPIC_PREFIX}{RawTransaction.TOPIC}", value, b"FLOOD", partition=0)
    assert producer.flush(10) == 0
