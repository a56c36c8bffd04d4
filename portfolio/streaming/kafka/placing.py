"""Where a member starts to read a partition.

`auto.offset.reset=error`, so that nothing jumps silently. A partition assigned without a committed offset is placed at
its beginning explicitly; a committed offset that is gone from the topic is an error for a person.
"""

from __future__ import annotations

from confluent_kafka import OFFSET_BEGINNING, KafkaException
from confluent_kafka import Consumer as Client
from confluent_kafka import TopicPartition as Place

from portfolio.streaming.broker import OffsetOutOfRange
from portfolio.streaming.kafka.client import ANSWER_TIMEOUT_S, log
from portfolio.streaming.kafka.errors import error_of, unavailable
from portfolio.streaming.kafka.names import partition_of, place_of
from portfolio.streaming.kafka.share import Share


def assign(client: Client, share: Share, places: list[Place]) -> None:
    """Start to read what was assigned, where the group has committed or at the beginning."""
    try:
        client.incremental_assign(_placed(client, share, places))
    except KafkaException as error:
        # Placed by librdkafka then; where it finds no offset it says so, and `place_again` does it.
        log.warning("committed offsets are not known yet: %s", error_of(error).str())
        client.incremental_assign(places)


def place_again(client: Client, share: Share) -> None:
    """Place at the beginning what librdkafka could not place. Raises OffsetOutOfRange, BrokerUnavailable."""
    while share.unplaced:
        one = next(iter(share.unplaced))
        try:
            (placed,) = _placed(client, share, [place_of(one)])
            if placed.offset >= 0:
                raise OffsetOutOfRange(
                    f"{one.topic}[{one.partition}]: the group's next record {placed.offset} is not in the topic; "
                    "decide where it goes on and set its offset with Kafka's own tools"
                )
            log.warning("%s[%s] is read from its beginning: nothing is committed", one.topic, one.partition)
            client.incremental_unassign([placed])
            client.incremental_assign([placed])
        except KafkaException as error:
            raise unavailable(error) from error
        share.unplaced.discard(one)


def _placed(client: Client, share: Share, places: list[Place]) -> list[Place]:
    """The partitions with the offset to start from. Raises KafkaException."""
    placed = client.committed(places, timeout=ANSWER_TIMEOUT_S) if places else []
    for place in placed:
        if place.error:
            raise KafkaException(place.error)
        if place.offset < 0:
            place.offset = OFFSET_BEGINNING
        share.place(partition_of(place), place.offset)
    return placed
