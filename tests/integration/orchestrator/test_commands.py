"""The commands, with the real broker between them."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from portfolio.models import PortfolioChange
from portfolio.streaming.broker import Outgoing
from portfolio.streaming.kafka import KafkaConsumer, KafkaProducer
from portfolio.streaming.messages import Message, PositionCalculation, ValuationCalculation, decode, encode
from tests.integration.orchestrator.world import book, calculated, calculation

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _topics() -> None:
    call_command("ensure_topics", stdout=StringIO())


def publish(*messages: Message) -> None:
    with KafkaProducer() as producer:
        producer.publish(Outgoing(message.TOPIC, message.key, encode(message)) for message in messages)


def dispatched(portfolio_id: str) -> list[PositionCalculation]:
    """Every dispatch of the portfolio's positions that the topic holds."""
    found = on_topic(PositionCalculation.TOPIC, portfolio_id)
    return [one for one in found if isinstance(one, PositionCalculation)]


def valuations_dispatched(portfolio_id: str) -> list[ValuationCalculation]:
    """Every dispatch of the portfolio's valuations that the topic holds."""
    found = on_topic(ValuationCalculation.TOPIC, portfolio_id)
    return [one for one in found if isinstance(one, ValuationCalculation)]


def on_topic(topic: str, portfolio_id: str) -> list[Message]:
    with KafkaConsumer([topic], "a_test", on_assigned=ignore, on_revoked=ignore) as consumer:
        found = []
        while not (consumer.assignment() and consumer.at_end()):
            found += [
                decode(record.topic, record.value or b"") for record in consumer.poll(records_max=100, timeout_s=0.2)
            ]
    return [one for one in found if one.key == portfolio_id]


def ignore(_partitions: object) -> None:
    """Nothing is to be done."""


def test_the_orchestrator_passes_the_baton_over_kafka():
    publish(book("BATON1"))
    call_command("run_orchestrator", once=True)
    (asked,) = dispatched("BATON1")
    publish(calculated(asked))
    call_command("run_orchestrator", once=True)
    row = calculation("BATON1")
    assert (row.done_seq, row.pending) == (1, False)


def test_a_run_that_ends_leaves_no_values_behind_for_a_quiet_moment(settings):
    settings.VALUATIONS_QUIET_S = 60.0
    publish(book("BATON6"))
    call_command("run_orchestrator", once=True)
    (asked,) = dispatched("BATON6")
    publish(calculated(asked))
    call_command("run_orchestrator", once=True)
    assert [one.requested_seq for one in valuations_dispatched("BATON6")] == [1]


def test_the_orchestrator_sweeps_where_no_message_came():
    book("BATON2")
    call_command("run_orchestrator", once=True)
    assert len(dispatched("BATON2")) == 1


def test_a_portfolio_is_recalculated_from_the_command_line():
    book("BATON3")
    out = StringIO()
    call_command("recalculate", "--portfolio=BATON3", stdout=out)
    assert out.getvalue() == "asked again for 1 portfolios\n"
    assert PortfolioChange.objects.get().rebuild_seq == 2
    call_command("run_orchestrator", once=True)
    assert [one.requested_seq for one in dispatched("BATON3")] == [2]


def test_a_portfolio_that_does_not_exist_is_said_to():
    book("BATON4")
    with pytest.raises(CommandError, match="1 of the 2 portfolios named do not exist"):
        call_command("recalculate", "--portfolio=BATON4", "--portfolio=BATON5", "--failed", stdout=StringIO())
    assert PortfolioChange.objects.get().rebuild_seq == 0


def test_whom_to_recalculate_has_to_be_said():
    with pytest.raises(CommandError, match="--portfolio"):
        call_command("recalculate", stdout=StringIO())
