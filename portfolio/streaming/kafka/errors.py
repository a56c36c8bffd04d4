"""librdkafka's errors, sorted by what they mean here."""

# The codes that librdkafka raises by itself are public and begin with an underscore.
# ruff: noqa: SLF001

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException

from portfolio.streaming.broker import BrokerUnavailable, RecordTooLarge, TopicMissing

PARTITION_EOF = KafkaError._PARTITION_EOF
"""Not an error: a partition was read up to its end."""
NOT_PLACED = KafkaError._AUTO_OFFSET_RESET
"""A partition has no committed offset, or one that is gone from the topic."""
TIMED_OUT = KafkaError._TIMED_OUT
TOPIC_EXISTS = KafkaError.TOPIC_ALREADY_EXISTS
NO_LEADER = frozenset(
    {
        KafkaError._NOENT,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
    }
)
REBALANCING = frozenset(
    {
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.STALE_MEMBER_EPOCH,
        KafkaError.FENCED_MEMBER_EPOCH,
        KafkaError._ASSIGNMENT_LOST,
    }
)
TOPIC_IS_GONE = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.UNKNOWN_TOPIC_ID,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
    }
)
NOT_ALLOWED = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    }
)


def error_of(error: KafkaException) -> KafkaError:
    """What librdkafka said."""
    reason = error.args[0]
    assert isinstance(reason, KafkaError)
    return reason


def trouble_of(error: KafkaError) -> Exception | None:
    """What a consumer cannot go on with; none where librdkafka goes on by itself."""
    if error.code() in TOPIC_IS_GONE:
        return TopicMissing(f"{error.str()}: run manage.py ensure_topics")
    if error.fatal() or error.code() in NOT_ALLOWED:
        return RuntimeError(f"the broker refuses this consumer: {error.str()} ({error.name()})")
    return None


def unavailable(error: KafkaException | KafkaError) -> BrokerUnavailable:
    """A question that was not answered, as the exception it is for the caller."""
    reason = error_of(error) if isinstance(error, KafkaException) else error
    return BrokerUnavailable(f"the broker did not answer: {reason.str()} ({reason.name()})")


def not_acknowledged(error: KafkaError) -> BrokerUnavailable | RecordTooLarge:
    """A record that was not taken, as the exception it is for the caller."""
    if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
        return RecordTooLarge(f"a record is too large for its topic: {error.str()}")
    return BrokerUnavailable(f"the broker did not acknowledge: {error.str()} ({error.name()})")
