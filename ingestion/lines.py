"""Lines of files: a CSV whose header names the fields of a record, read line by line; no framework.

A line is a record with the number of the line it ends on, so that whoever is told of a wrong one finds it.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from ingestion.formats import csv_rows, require_fields
from portfolio.streaming.messages import Submission
from portfolio.texts import record_from_texts
from portfolio.validation import FieldProblem, Refused


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A line that holds no record and is not wrong for that; `why` in a few words, the same for all of its kind."""

    why: str


RecordLine = tuple[int, bytes | Refused]
"""The number of a line, and its record as the bytes of a JSON object; or why there is none."""
Line = RecordLine | tuple[int, PassedOver]
Rows = Iterator[tuple[int, list[str] | Refused]]
Cells = dict[str, str]
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def header_and_rows(texts: Iterable[str]) -> tuple[list[str], Rows]:
    """The header and what follows it. Raises formats.Unreadable, Refused where there is no header."""
    rows = csv_rows(texts)
    _, header = next(rows)
    if isinstance(header, Refused) or not any(header):
        raise Refused([FieldProblem("", "required", "the file has no header with the names of its columns")])
    return header, rows


def spelling_problems(cells: Iterable[tuple[str, str, str]]) -> list[FieldProblem]:
    """Which cells, each with its column and as what it is read ("date" or "number"), spell none."""
    return [
        FieldProblem(column, "invalid", f"{text!r} is no {_EXPECTED[kind]}")
        for column, text, kind in cells
        if not _SPELLED[kind](text)
    ]


def _is_day(text: str) -> bool:
    try:
        return bool(_DAY.fullmatch(text) and datetime.date.fromisoformat(text))
    except ValueError:
        return False


def _is_number(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except InvalidOperation:
        return False


_SPELLED: Mapping[str, Callable[[str], bool]] = {"date": _is_day, "number": _is_number}
_EXPECTED = {"date": "date of the form YYYY-MM-DD", "number": "number"}


def field_lines(
    header: Sequence[str],
    rows: Rows,
    submission_type: type[Submission],
    *,
    defaults: Mapping[str, str],
    change: Callable[[Cells], Cells] = lambda cells: cells,
) -> Iterator[RecordLine]:
    """The records under a header of fields; a cell that is empty or not there takes its default.

    `change` has the last word on the cells of a record. Raises Refused where the header names no field.
    """
    require_fields(header, submission_type)
    for number, row in rows:
        if isinstance(row, Refused):
            yield number, row
            continue
        cells = {**defaults, **{name: cell for name, cell in zip(header, row, strict=True) if cell != ""}}
        yield number, record_from_texts(submission_type, change(cells))
