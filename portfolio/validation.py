"""What makes a submission acceptable: the same rules at the door and at every consumer; no framework.

The types of `streaming.messages` settle each field's own shape. What msgspec cannot say stands here: exact decimals,
dates as written, known currencies, two names of one thing, and what a transaction type needs. A submission is read
fast (typed decoding, then `problems_of`); only one that is refused is read again slowly, field by field, so that every
problem is named and not just the first.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from portfolio.money import ONE, ZERO, fits, is_currency
from portfolio.streaming.messages import (
    Submission,
    SubmittedBenchmarkWeight,
    SubmittedInstrument,
    SubmittedPortfolio,
    SubmittedPrice,
    SubmittedRate,
    SubmittedTransaction,
)
from portfolio.transaction_types import TRANSACTION_TYPES

S = TypeVar("S", bound=Submission)
QUOTED_CHARACTERS_MAX = 40


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One thing that is wrong: the field's name (dotted inside a field; "" for the whole), a code, a sentence."""

    field: str
    code: str
    detail: str


class Refused(ValueError):
    """A submission that cannot be accepted, with every problem found."""

    def __init__(self, problems: list[FieldProblem]) -> None:
        assert problems, "a refusal says why"
        super().__init__("; ".join(f"{p.field or 'record'}: {p.detail}" for p in problems))
        self.problems = problems


def read(submission_type: type[S], raw: bytes | memoryview) -> S:
    """The submission that a JSON object holds. Raises Refused."""
    try:
        submission: S = _decoder(submission_type).decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(_every_problem(submission_type, bytes(raw), error)) from error
    problems = [*spelling_problems(bytes(raw)), *problems_of(submission)]
    if problems:
        raise Refused(problems)
    return submission


def problems_of(submission: Submission) -> list[FieldProblem]:
    """What is wrong with a well-typed submission; nothing where it is acceptable."""
    return list(_rules_of(type(submission))(submission))


def trade_moment(text: str) -> tuple[datetime.date, datetime.time | None, int | None]:
    """The trade date and time as written, and the time's own offset in minutes east of UTC; a date has neither.

    Raises ValueError.
    """
    if len(text) == 10:
        return _day(text), None, None
    if not _DATE_TIME.fullmatch(text):
        raise ValueError("neither YYYY-MM-DD nor an RFC 3339 date-time (2025-01-15T10:30:00Z)")
    moment = datetime.datetime.fromisoformat(text.upper())
    offset = moment.utcoffset()
    assert offset is not None, "an RFC 3339 date-time has an offset"
    return moment.date(), moment.time(), offset // _MINUTE


_MINUTE = datetime.timedelta(minutes=1)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_DATE_TIME = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,6})?([Zz]|[+-]\d{2}:\d{2})",
    re.ASCII,
)


@lru_cache(maxsize=65536)
def _day(text: str) -> datetime.date:
    if not _DAY.fullmatch(text):
        raise ValueError("not a date of the form YYYY-MM-DD")
    return datetime.date.fromisoformat(text)


# --- the rules, one function a type -------------------------------------------------------------------------------


def _transaction(t: SubmittedTransaction) -> Iterator[FieldProblem]:
    yield from _printable(t, "portfolio_id", "transaction_id", "security_id", "instrument_id", "target_security_id")
    yield from _printable(t, "linked_portfolio_id", "linked_transaction_id")
    yield from _dates(t)
    for one, other in (("security_id", "instrument_id"), ("currency", "trade_currency")):
        given, alias = getattr(t, one), getattr(t, other)
        if given and alias and given != alias:
            yield FieldProblem(other, "contradiction", f"differs from {one}; they are two names of one thing")
    if not (t.currency or t.trade_currency):
        yield FieldProblem("currency", "required", "is required")
    for name in ("currency", "trade_currency", "target_currency"):
        yield from _currency(name, getattr(t, name))
    for name in _NOT_NEGATIVE:
        yield from _decimal(name, getattr(t, name))
    for name in _POSITIVE:
        yield from _decimal(name, getattr(t, name), positive=True)
    yield from _decimal("cost_fraction", t.cost_fraction)
    if t.cost_fraction is not None and t.cost_fraction.is_finite() and t.cost_fraction > ONE:
        yield FieldProblem("cost_fraction", "out_of_range", "must be from 0 to 1")
    for index, lot in enumerate(t.lots):
        yield from _decimal(f"lots.{index}.quantity", lot.quantity, positive=True)
    yield from _needs_of_type(t)


def _dates(t: SubmittedTransaction) -> Iterator[FieldProblem]:
    try:
        trade_date, _, _ = trade_moment(t.transaction_date)
    except ValueError as error:
        yield FieldProblem("transaction_date", "invalid", str(error))
        return
    if t.settlement_date and t.settlement_date < trade_date:
        yield FieldProblem("settlement_date", "before_trade_date", "is before the trade date")


_NOT_NEGATIVE = ("quantity", "price", "gross_transaction_amount", "trade_fee", "tax", "target_amount")
_POSITIVE = ("transaction_fx_rate", "ratio_new", "ratio_old")


def _needs_of_type(t: SubmittedTransaction) -> Iterator[FieldProblem]:
    needs = TRANSACTION_TYPES.get(t.transaction_type)
    if needs is None:
        yield FieldProblem("transaction_type", "unknown", f"is none of {', '.join(TRANSACTION_TYPES)}")
        return
    if t.status == "CANCELLED":
        return
    security = t.security_id or t.instrument_id
    if needs.security and not security:
        yield FieldProblem("security_id", "required", f"is required for {needs.name}")
    if needs.units and (security or needs.security) and not t.quantity:
        yield FieldProblem("quantity", "required", f"must be more than 0 for {needs.name}")
    for name in needs.needs:
        if getattr(t, name) is None:
            yield FieldProblem(name, "required", f"is required for {needs.name}")
    if needs.name == "MERGER" and t.gross_transaction_amount and t.cost_fraction is None:
        yield FieldProblem("cost_fraction", "required", "is required for a MERGER with cash")
    if security and t.target_security_id == security:
        yield FieldProblem("target_security_id", "contradiction", "is the security itself")


def _portfolio(p: SubmittedPortfolio) -> Iterator[FieldProblem]:
    yield from _printable(p, "portfolio_id", "benchmark_security_id")
    yield from _currency("base_currency", p.base_currency)


def _instrument(i: SubmittedInstrument) -> Iterator[FieldProblem]:
    yield from _printable(i, "security_id")
    yield from _currency("currency", i.currency)
    yield from _decimal("price_factor", i.price_factor, positive=True)


def _price(p: SubmittedPrice) -> Iterator[FieldProblem]:
    yield from _printable(p, "security_id")
    yield from _currency("currency", p.currency)
    yield from _decimal("price", p.price)


def _rate(r: SubmittedRate) -> Iterator[FieldProblem]:
    yield from _currency("from_currency", r.from_currency)
    yield from _currency("to_currency", r.to_currency)
    yield from _decimal("rate", r.rate, positive=True)
    if r.from_currency == r.to_currency:
        yield FieldProblem("to_currency", "contradiction", "is from_currency itself")


def _benchmark_weight(w: SubmittedBenchmarkWeight) -> Iterator[FieldProblem]:
    yield from _printable(w, "benchmark_id", "segment")
    yield from _decimal("weight", w.weight)
    if w.weight.is_finite() and w.weight > ONE:
        yield FieldProblem("weight", "out_of_range", "must be from 0 to 1")
    if w.segment_return is not None:
        if not fits(w.segment_return):
            yield FieldProblem("return", "digits", _DIGITS)
        elif w.segment_return < -ONE:
            yield FieldProblem("return", "out_of_range", "must be -1 or more: nothing loses more than itself")


_RULES: dict[type[Submission], Callable[[Any], Iterator[FieldProblem]]] = {
    SubmittedTransaction: _transaction,
    SubmittedPortfolio: _portfolio,
    SubmittedInstrument: _instrument,
    SubmittedPrice: _price,
    SubmittedRate: _rate,
    SubmittedBenchmarkWeight: _benchmark_weight,
}


@lru_cache
def _rules_of(submission_type: type[Submission]) -> Callable[[Any], Iterator[FieldProblem]]:
    """The rules of a type, or those of the type it is derived from."""
    return next(_RULES[base] for base in submission_type.__mro__ if base in _RULES)


# --- single fields ------------------------------------------------------------------------------------------------


_DIGITS = "must be a finite number of at most 18 digits before and 18 after the point"


def _decimal(name: str, number: Decimal | None, *, positive: bool = False) -> Iterator[FieldProblem]:
    if number is None:
        return
    if not fits(number):
        yield FieldProblem(name, "digits", _DIGITS)
    elif positive and number <= ZERO:
        yield FieldProblem(name, "out_of_range", "must be more than 0")
    elif number < ZERO:
        yield FieldProblem(name, "out_of_range", "must not be negative")


def _currency(name: str, code: str | None) -> Iterator[FieldProblem]:
    if code is not None and not is_currency(code):
        yield FieldProblem(name, "unknown", f"{code} is neither an ISO 4217 code nor one allowed here")


def _printable(submission: Submission, *names: str) -> Iterator[FieldProblem]:
    for name in names:
        value = getattr(submission, name)
        if value is not None and not value.isprintable():
            yield FieldProblem(name, "invalid", "has characters that cannot be printed")


# --- reading ------------------------------------------------------------------------------------------------------


@lru_cache
def _decoder(submission_type: type[S]) -> msgspec.json.Decoder[S]:
    return msgspec.json.Decoder(submission_type)


_any = msgspec.json.Decoder(float_hook=Decimal)

_DECIMAL_FIELDS = sorted(
    {
        field.encode_name
        for submission_type in Submission.__subclasses__()
        for field in msgspec.structs.fields(submission_type)
        if field.type in (Decimal, Decimal | None)
    }
)
# Python's Decimal also reads "1_000", " 1 " and digits of other scripts; a number on the wire is none of these.
_NUMBER = re.compile(r"[0-9.eE+\-]+")
_ODD_NUMBER = re.compile(rf'"({"|".join(_DECIMAL_FIELDS)})"\s*:\s*"([^"]*[^0-9.eE+\-"][^"]*)"'.encode())


def spelling_problems(raw: bytes) -> Iterator[FieldProblem]:
    """Numbers in JSON that Decimal would read and that are none, wherever in it they stand."""
    for found in _ODD_NUMBER.finditer(raw):
        text = msgspec.json.decode(b'"' + found.group(2) + b'"', type=str)
        if not _NUMBER.fullmatch(text) and Decimal(text).is_finite():
            yield FieldProblem(found.group(1).decode(), "invalid", f"{text!r} is not a number")


def _every_problem(submission_type: type[S], raw: bytes, error: Exception) -> list[FieldProblem]:
    """Read once more, each field by itself; `error` stands where that finds nothing."""
    try:
        record = _any.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as malformed:
        return [FieldProblem("", "malformed", f"is not JSON: {malformed}")]
    except RecursionError:
        return [FieldProblem("", "malformed", "is nested too deeply")]
    if not isinstance(record, dict):
        return [FieldProblem("", "malformed", "must be a JSON object")]
    problems: list[FieldProblem] = []
    read: dict[str, Any] = {}
    fields = msgspec.structs.fields(submission_type)
    for field in fields:
        name = field.encode_name
        if name not in record:
            if field.required:
                problems.append(FieldProblem(name, "required", "is required"))
            continue
        try:
            read[name] = msgspec.convert(record[name], field.type)
        except msgspec.ValidationError as wrong:
            problems.append(FieldProblem(name, "invalid", _sentence(wrong, field.type, record[name])))
    known = {field.encode_name for field in fields}
    unknown = [name for name in record if name not in known and submission_type.__struct_config__.forbid_unknown_fields]
    problems += [FieldProblem(name, "unknown_field", "is not a field") for name in unknown]
    # The rules run on what could be read; what could not stands as a blank, and nothing more is said of it.
    blanks = {n: ONE if f.type is Decimal else "" for f in fields if f.required and (n := f.encode_name) not in read}
    given = blanks | read
    for problem in problems_of(
        submission_type(**{f.name: given[f.encode_name] for f in fields if f.encode_name in given})
    ):
        name = problem.field.split(".")[0]
        if name not in blanks and (name in read or name not in record):
            problems.append(problem)
    return problems or [FieldProblem("", "invalid", str(error))]


def _sentence(error: msgspec.ValidationError, field_type: Any, given: object) -> str:
    """What msgspec says, with a description in the place of a regular expression or of the name of a standard."""
    text = str(error).split(" - at `")[0]
    if "RFC3339" in text and isinstance(given, str):
        return f"{_quoted(given)} is not a date of the calendar, of the form YYYY-MM-DD"
    if "matching regex" in text:
        for meta in _metas(field_type):
            if meta.description:
                return f"must be {meta.description}"
    return text


def _quoted(given: str) -> str:
    """What was given, as far as a message has room for it."""
    return repr(given if len(given) <= QUOTED_CHARACTERS_MAX else f"{given[:QUOTED_CHARACTERS_MAX]}..")


def _metas(field_type: Any) -> Iterator[msgspec.Meta]:
    for meta in getattr(field_type, "__metadata__", ()):
        if isinstance(meta, msgspec.Meta):
            yield meta
    for argument in getattr(field_type, "__args__", ()):
        yield from _metas(argument)
