"""The inbox of what could not be taken, and the groups that stopped themselves: what may be done with either."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import msgspec
from django.db import transaction as db_transaction

from portfolio.models import DeadLetter, StoppedWorker
from portfolio.streaming.broker import Outgoing, Producer, Receipt
from portfolio.streaming.handling import Letter
from portfolio.streaming.messages import decode

LETTERS_A_STATEMENT = 500
REASON_CHARS_MAX = 4000
ID_CHARS_MAX = 64


class LetterRefused(ValueError):
    """What was asked of a letter cannot be done; the message says why."""


def record_dead_letters(
    *, letters: Sequence[Letter], consumer_group: str, topic_ids: Mapping[str, str], recorded_at: datetime.datetime
) -> None:
    """Set the records aside, each once: what is redelivered is known by topic id, partition, offset and value.

    `topic_ids` are the broker's own ids by topic. Runs in the caller's database transaction where there is one.
    """
    DeadLetter.objects.bulk_create(
        [
            DeadLetter(
                topic=letter.record.topic,
                topic_id=topic_ids.get(letter.record.topic, ""),
                partition=letter.record.partition,
                offset=letter.record.offset,
                key=letter.record.key,
                value=letter.record.value,
                value_hash=blake2b(letter.record.value or b"", digest_size=16).digest(),
                headers=_storable(dict(letter.record.headers)),
                consumer_group=consumer_group,
                code=letter.code,
                reason=_storable(letter.reason)[:REASON_CHARS_MAX],
                context=None if letter.context is None else _storable(letter.context),
                portfolio_id=_storable(letter.portfolio_id) if len(letter.portfolio_id) <= ID_CHARS_MAX else "",
                recorded_at=recorded_at,
            )
            for letter in letters
        ],
        batch_size=LETTERS_A_STATEMENT,
        ignore_conflicts=True,
    )


def retry_dead_letter(*, letter: DeadLetter, by: str, at: datetime.datetime, producer: Producer) -> Receipt:
    """Publish the letter's record to its topic again, under the key its message asks for, and close the letter.

    A record that still cannot be taken becomes a letter anew. Raises LetterRefused, BrokerUnavailable.
    """
    with db_transaction.atomic():
        held = _open_letter(letter)
        if held.value is None:
            raise LetterRefused(f"letter {held.pk} has no value, and a record without one is never taken: discard it")
        value = bytes(held.value)
        (receipt,) = producer.publish([Outgoing(held.topic, _key_of(held, value), value, held.headers)])
        _settle(held, status=DeadLetter.Status.RETRIED, by=by, at=at)
    return receipt


def discard_dead_letter(*, letter: DeadLetter, by: str, at: datetime.datetime) -> None:
    """Close the letter without doing anything about its record; the row stays. Raises LetterRefused."""
    with db_transaction.atomic():
        _settle(_open_letter(letter), status=DeadLetter.Status.DISCARDED, by=by, at=at)


def stop_worker(*, group: str, reason: str, at: datetime.datetime) -> None:
    """The group stays down until `resume_worker`."""
    StoppedWorker.objects.update_or_create(
        consumer_group=group, defaults={"reason": _storable(reason), "stopped_at": at}
    )


def resume_worker(*, group: str) -> bool:
    """Let the group's workers start again; whether it had been stopped."""
    deleted, _ = StoppedWorker.objects.filter(consumer_group=group).delete()
    return deleted > 0


def _open_letter(letter: DeadLetter) -> DeadLetter:
    held = DeadLetter.objects.select_for_update().get(pk=letter.pk)
    if held.status != DeadLetter.Status.OPEN:
        raise LetterRefused(f"letter {held.pk} is {held.status} already")
    return held


def _settle(letter: DeadLetter, *, status: str, by: str, at: datetime.datetime) -> None:
    letter.status, letter.resolved_by, letter.resolved_at = status, by, at
    letter.save(update_fields=["status", "resolved_by", "resolved_at"])


def _key_of(letter: DeadLetter, value: bytes) -> str:
    try:
        return decode(letter.topic, value).key
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError):
        return bytes(letter.key or b"").decode(errors="replace")


def _storable(value: Any) -> Any:
    """The same as PostgreSQL's text and jsonb take it: no NUL, no lone surrogate, numbers and dates spelled out."""
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd").encode(errors="replace").decode()
    if isinstance(value, Mapping):
        return {_storable(str(name)): _storable(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(one) for one in value]
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return _storable(msgspec.to_builtins(value, enc_hook=str))
