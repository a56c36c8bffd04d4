"""What the door does with records: read each, refuse what must be refused, publish the rest and wait for the broker.

A wrong record never spoils its neighbours: it is a `Rejection`, and the others are published. Whoever submits must be
allowed to write every portfolio a record names, which is looked up once for all of them; portfolios nobody has
submitted to yet are anybody's until the ledger has seen who was first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
from django.conf import settings
from django.core.exceptions import PermissionDenied

from ingestion.entities import TRANSACTIONS, Entity
from ingestion.permission import forbidden_to_submit, may_submit_for_everybody
from portfolio.queries import AnyUser
from portfolio.streaming.broker import Outgoing, Producer, Receipt
from portfolio.streaming.messages import Submission, encode
from portfolio.validation import FieldProblem, Refused, read

RECORDS_A_PUBLISH = 10_000
"""The producer's timeout is for so many records: a long list on a busy broker is slow, and not away."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A record that was not taken: its place, the fields it is known by as far as they could be read, and why."""

    index: int
    known_by: dict[str, str | None]
    problems: list[FieldProblem]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the records: those accepted with the broker's receipts, in order, and those rejected."""

    accepted: Sequence[Submission]
    receipts: Sequence[Receipt]
    rejected: Sequence[Rejection]


def submit_transactions(
    *, records: Iterable[bytes | Refused], user: AnyUser, headers: Mapping[str, str], producer: Producer
) -> Outcome:
    """Publish transactions, each the bytes of a JSON object; accepted ones are acknowledged by the broker.

    Raises BrokerUnavailable, and whatever `records` raises before anything is published.
    """
    return _submit(entity=TRANSACTIONS, records=records, user=user, headers=headers, producer=producer)


def submit_market_data(
    *,
    entity: Entity,
    records: Iterable[bytes | Refused],
    user: AnyUser,
    headers: Mapping[str, str],
    producer: Producer,
) -> Outcome:
    """Publish portfolios, instruments, prices or rates, as `submit_transactions` does.

    Raises PermissionDenied where the entity is everybody's and the user may not write for everybody; BrokerUnavailable.
    """
    if not entity.portfolio_fields and not may_submit_for_everybody(user):
        raise PermissionDenied(f"Submitting {entity.name} takes the permission portfolio.write_any_portfolio.")
    return _submit(entity=entity, records=records, user=user, headers=headers, producer=producer)


def submit_as_operator(
    *, entity: Entity, records: Iterable[bytes | Refused], headers: Mapping[str, str], producer: Producer
) -> Outcome:
    """Publish what is loaded on the machine itself, where nobody's leave is asked; it travels without a user's name.

    Raises BrokerUnavailable.
    """
    return _submit(entity=entity, records=records, user=None, headers=headers, producer=producer)


def _submit(
    *,
    entity: Entity,
    records: Iterable[bytes | Refused],
    user: AnyUser | None,
    headers: Mapping[str, str],
    producer: Producer,
) -> Outcome:
    read_records: list[tuple[int, Submission]] = []
    rejected: list[Rejection] = []
    for index, record in enumerate(records):
        if isinstance(record, Refused):
            rejected.append(Rejection(index, dict.fromkeys(entity.known_by), record.problems))
            continue
        try:
            read_records.append((index, read(entity.submission_type, record)))
        except Refused as refused:
            rejected.append(Rejection(index, _names_in(record, entity), refused.problems))

    forbidden = _forbidden(entity, [submission for _, submission in read_records], user)
    submitted_by = None if user is None else user.get_username()
    bytes_max: int = settings.RECORD_BYTES_MAX
    accepted: list[Submission] = []
    outgoing: list[Outgoing] = []
    for index, submission in read_records:
        message = entity.message(submission, submitted_by)
        value = encode(message)
        problems = list(_not_yours(entity, submission, forbidden)) if forbidden else []
        if len(value) > bytes_max:
            problems.append(
                FieldProblem("", "too_large", f"has {len(value):,} bytes; a record has {bytes_max:,} at most")
            )
        if problems:
            rejected.append(Rejection(index, _names_of(submission, entity), problems))
        else:
            accepted.append(submission)
            outgoing.append(Outgoing(message.TOPIC, message.key, value, headers))
    receipts: list[Receipt] = []
    for start in range(0, len(outgoing), RECORDS_A_PUBLISH):
        receipts += producer.publish(outgoing[start : start + RECORDS_A_PUBLISH])
    return Outcome(accepted, receipts, sorted(rejected, key=lambda rejection: rejection.index))


def _forbidden(entity: Entity, submissions: Sequence[Submission], user: AnyUser | None) -> set[str]:
    if user is None:
        return set()
    named = {getattr(submission, field) for field in entity.portfolio_fields for submission in submissions}
    named.discard(None)
    return forbidden_to_submit(user, named) if named else set()


def _not_yours(entity: Entity, submission: Submission, forbidden: set[str]) -> Iterator[FieldProblem]:
    for field in entity.portfolio_fields:
        if getattr(submission, field) in forbidden:
            yield FieldProblem(field, "forbidden", "names a portfolio of somebody else")


def _names_of(submission: Submission, entity: Entity) -> dict[str, str | None]:
    return {field: str(getattr(submission, field)) for field in entity.known_by}


def _names_in(record: bytes, entity: Entity) -> dict[str, str | None]:
    """As far as a refused record can be read at all."""
    try:
        read_loosely = msgspec.json.decode(record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        read_loosely = None
    if not isinstance(read_loosely, dict):
        return dict.fromkeys(entity.known_by)
    named = {field: read_loosely.get(field) for field in entity.known_by}
    return {field: value if isinstance(value, str) else None for field, value in named.items()}
