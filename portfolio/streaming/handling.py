"""What passes between the worker loop and a handler, and how a record is read before a handler sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from portfolio.streaming.broker import Outgoing, Record
from portfolio.streaming.messages import (
    Message,
    RawBenchmarkWeight,
    RawInstrument,
    RawPortfolio,
    RawPrice,
    RawRate,
    RawTransaction,
    Submission,
    decode,
    encode,
)
from portfolio.validation import problems_of, spelling_problems

HEADERS_PASSED_ON = ("request_id", "traceparent")


@dataclass(frozen=True, slots=True)
class Received:
    """A record and the message it holds; `topic_id` is the broker's own, "" where it gives none."""

    record: Record
    message: Message
    topic_id: str = ""

    def letter(self, code: str, reason: str, context: Mapping[str, Any] | None = None) -> Letter:
        """The record, to be set aside."""
        return Letter(self.record, code, reason, context, portfolio_of(self.message))


@dataclass(frozen=True, slots=True)
class Letter:
    """A record to set aside, and why; `context` is what it met, for a conflict the content that stands."""

    record: Record
    code: str
    reason: str
    context: Mapping[str, Any] | None = None
    portfolio_id: str = ""


@dataclass(frozen=True, slots=True)
class Publication:
    """A message to publish once the work is committed; it carries the request id and trace of its cause."""

    message: Message
    cause: Record | None = None


@dataclass(frozen=True, slots=True)
class Handled:
    """What a handler gives back."""

    publications: Sequence[Publication] = ()
    letters: Sequence[Letter] = ()

    def __add__(self, other: Handled) -> Handled:
        return Handled([*self.publications, *other.publications], [*self.letters, *other.letters])


Handler = Callable[[Sequence[Received]], Handled]


class BadRecord(ValueError):
    """Raised by a handler that cannot take a record of its batch; the worker finds out which and sets it aside."""

    def __init__(self, reason: str, *, code: str = "REFUSED") -> None:
        super().__init__(reason)
        self.code = code


def read(record: Record, topic_id: str = "") -> Received | Letter:
    """The record's message; or the letter to set it aside with, where it has none that is acceptable."""
    try:
        return Received(record, _message_of(record), topic_id)
    except _Unreadable as unreadable:
        about = _portfolio_by_key(record) if unreadable.message is None else portfolio_of(unreadable.message)
        return Letter(record, unreadable.code, unreadable.reason, unreadable.context, about)
    except Exception as error:  # noqa: BLE001 - what no rule foresaw must not stop the others; their number has a limit
        return Letter(record, "UNREADABLE", f"{type(error).__name__}: {error}", None, _portfolio_by_key(record))


def outgoing(publication: Publication) -> Outgoing:
    """The publication as a record to send."""
    message, cause = publication.message, publication.cause
    inherited = {name: cause.headers[name] for name in HEADERS_PASSED_ON if name in cause.headers} if cause else {}
    return Outgoing(message.TOPIC, message.key, encode(message), inherited)


class _Unreadable(ValueError):
    def __init__(
        self,
        code: str,
        reason: str,
        *,
        context: Mapping[str, Any] | None = None,
        message: Message | None = None,
    ) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.context = context
        self.message = message


def _message_of(record: Record) -> Message:
    if record.value is None:
        raise _Unreadable("NO_VALUE", "the record has no value")
    if record.key is None:
        raise _Unreadable("NO_KEY", "the record has no key, so its place in the order is unknown")
    try:
        message = decode(record.topic, record.value)
    except UnicodeDecodeError as error:
        raise _Unreadable("NOT_UTF8", f"the value is not UTF-8: {error}") from error
    except msgspec.ValidationError as error:
        about_schema = "`schema`" in str(error) or "`$.schema`" in str(error)
        raise _Unreadable("UNKNOWN_SCHEMA" if about_schema else "INVALID", str(error)) from error
    except msgspec.DecodeError as error:
        raise _Unreadable("MALFORMED", f"the value is not JSON: {error}") from error
    if record.key != message.key.encode():
        shown = record.key.decode(errors="replace")
        reason = f"the record's key is {shown!r}; a message of {message.key!r} needs its own"
        raise _Unreadable("WRONG_KEY", reason, message=message)
    submission = submission_of(message)
    problems = [] if submission is None else [*spelling_problems(record.value), *problems_of(submission)]
    if problems:
        raise _Unreadable(
            "INVALID",
            "; ".join(f"{problem.field or 'record'}: {problem.detail}" for problem in problems),
            context={"errors": [{"field": p.field, "code": p.code, "detail": p.detail} for p in problems]},
            message=message,
        )
    return message


def submission_of(message: Message) -> Submission | None:
    """What a client sent, where the message carries it."""
    match message:
        case RawTransaction(transaction=submission):
            return submission
        case RawPortfolio(portfolio=submission):
            return submission
        case RawInstrument(instrument=submission):
            return submission
        case RawPrice(market_price=submission):
            return submission
        case RawRate(fx_rate=submission):
            return submission
        case RawBenchmarkWeight(benchmark_weight=submission):
            return submission
    return None


def portfolio_of(message: Message) -> str:
    """The portfolio a message is about; "" where it is about none."""
    if isinstance(message, RawPrice | RawRate | RawInstrument | RawBenchmarkWeight):
        return ""
    return str(getattr(submission_of(message) or message, "portfolio_id", ""))


def _portfolio_by_key(record: Record) -> str:
    """Whom an unreadable record seems to concern: on these topics the key is a portfolio's id."""
    if record.topic != RawTransaction.TOPIC or record.key is None:
        return ""
    text = record.key.decode(errors="replace")
    return text if len(text) <= 64 and text.isprintable() else ""
