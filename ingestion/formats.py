"""From a body's bytes to records, each as the bytes of one JSON object; no framework.

A list arrives as a JSON object that holds it, as NDJSON or as CSV. Records are numbered from 0 in the order they stand;
blank lines count for nothing. A record that cannot even be cut out (a row of too many cells) is a `Refused` in its
place, so that its neighbours go on. What makes the whole unreadable raises `Unreadable`, or `Refused` where it can be
read and is not a list of records.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache

import msgspec

from ingestion.entities import Entity
from portfolio.streaming.messages import Submission
from portfolio.texts import record_from_texts
from portfolio.validation import FieldProblem, Refused

JSON, NDJSON, CSV = "application/json", "application/x-ndjson", "text/csv"
SPARSE_FROM_BYTES = 1_000_000
BYTES_A_VALUE_MIN = 10
UTF8_MARK = b"\xef\xbb\xbf"

Records = Iterator[bytes | Refused]


class Unreadable(ValueError):
    """The body is not what its media type or encoding says."""


class TooMuch(ValueError):
    """More than one request may carry."""


def unpacked(body: bytes, *, bytes_max: int) -> bytes:
    """The content of a gzip body. Raises TooMuch as soon as it exceeds `bytes_max`, however small it was packed."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as packed:
            content = packed.read(bytes_max + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise Unreadable(f"The body is not gzip: {error}.") from error
    if len(content) > bytes_max:
        raise TooMuch(f"The body unpacks to more than {bytes_max:,} bytes.")
    return content


def records(body: bytes, *, media_type: str, entity: Entity, records_max: int) -> Records:
    """The records of a list, as they are met. Raises Unreadable, Refused, TooMuch."""
    reader = READERS[media_type]
    for count, record in enumerate(reader(body.removeprefix(UTF8_MARK), entity)):
        if count >= records_max:
            raise TooMuch(f"One request carries at most {records_max:,} records.")
        yield record


def nothing_in(entity: Entity) -> FieldProblem:
    """What is said of a list without a record."""
    return FieldProblem(entity.name, "required", "holds no record")


def _json(body: bytes, entity: Entity) -> Records:
    # The list is taken apart in memory: millions of tiny values, which no records are, must not get that far.
    if len(body) > SPARSE_FROM_BYTES and body.count(b",") * BYTES_A_VALUE_MIN > len(body):
        raise TooMuch(f"The body has more than a value in {BYTES_A_VALUE_MIN} bytes: these are no records.")
    try:
        held = _list_decoder(entity.name).decode(body)
    except msgspec.ValidationError as error:
        raise Refused(list(_not_a_list(body, entity.name))) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"The body is not JSON: {error}.") from error
    return map(bytes, getattr(held, entity.name))


def _not_a_list(body: bytes, name: str) -> Iterator[FieldProblem]:
    try:
        held = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as malformed:
        raise Unreadable(f"The body is not JSON: {malformed}.") from malformed
    if not isinstance(held, dict):
        yield FieldProblem("", "invalid", f'must be an object: {{"{name}": [..]}}')
        return
    if name not in held:
        yield FieldProblem(name, "required", "is required")
    elif not isinstance(held[name], list):
        yield FieldProblem(name, "invalid", "must be a list")
    for other in held.keys() - {name}:
        yield FieldProblem(other, "unknown_field", "is not a field")


@lru_cache
def _list_decoder(name: str) -> msgspec.json.Decoder[msgspec.Struct]:
    fields = [(name, list[msgspec.Raw])]
    return msgspec.json.Decoder(msgspec.defstruct("Listed", fields, forbid_unknown_fields=True))


def _ndjson(body: bytes, _: Entity) -> Records:
    for line in io.BytesIO(body):
        record = line.strip()
        if record:
            yield record


def _csv(body: bytes, entity: Entity) -> Records:
    # The header names the fields; an empty cell leaves its field out.
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise Unreadable(f"The body is not UTF-8 text: {error}.") from error
    rows = csv_rows(io.StringIO(text, newline=""))
    _, header = next(rows)
    assert not isinstance(header, Refused), "a header has as many cells as itself"
    require_fields(header, entity.submission_type)
    for _, row in rows:
        if isinstance(row, Refused):
            yield row
        else:
            yield record_from_texts(entity.submission_type, dict(zip(header, row, strict=True)))


def csv_rows(lines: Iterable[str]) -> Iterator[tuple[int, list[str] | Refused]]:
    """The header of a CSV text, its names stripped, then the rows: each with the line it ends on.

    Blank rows are left out; one of more or fewer cells than the header is a `Refused`. Raises Unreadable.
    """
    rows = csv.reader(lines, strict=True)
    try:
        header = [name.strip() for name in next(rows, [])]
        yield rows.line_num, header
        for row in rows:
            if not any(row):
                continue
            if len(row) != len(header):
                detail = f"line {rows.line_num} has {len(row)} cells, and the header {len(header)}"
                yield rows.line_num, Refused([FieldProblem("", "cells", detail)])
            else:
                yield rows.line_num, row
    except csv.Error as error:
        raise Unreadable(f"Line {rows.line_num} is not CSV: {error}.") from error


def require_fields(header: Sequence[str], submission_type: type[Submission]) -> None:
    """Raises Refused where a name of the header is none of the type's fields, or stands there twice."""
    problems = list(_header_problems(header, submission_type.__struct_encode_fields__))
    if problems:
        raise Refused(problems)


def _header_problems(header: Sequence[str], fields: Sequence[str]) -> Iterator[FieldProblem]:
    if not header:
        yield FieldProblem("", "required", "has no header with the names of the fields")
    for name in header:
        if name not in fields:
            yield FieldProblem(name, "unknown_column", f"is not a field; the fields are {', '.join(fields)}")
    for name in sorted({name for name in header if header.count(name) > 1}):
        yield FieldProblem(name, "repeated_column", "is there more than once")


READERS: dict[str, Callable[[bytes, Entity], Records]] = {JSON: _json, NDJSON: _ndjson, CSV: _csv}
