"""The splits of an adjusted series, and how they turn its prices back into those quoted on their day; no framework.

A series that is adjusted for splits shows every price in the units of its last day. A price of a day before a split of
4:1 was quoted four times as high; it is multiplied by the ratios of all splits after its day. On the day of a split
itself prices are quoted in the new units already.
"""

from __future__ import annotations

import datetime
import re
from bisect import bisect_right, insort
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from ingestion.lines import header_and_rows
from portfolio.money import ONE, exact, fits, plain, rounded
from portfolio.validation import FieldProblem, Refused

_NUMBER = re.compile(r"[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]{1,2})?|[0-9]+\.", re.ASCII)


class NotASplit(ValueError):
    """A text that names no split; the message says how one is written."""


@dataclass(frozen=True, slots=True, order=True)
class Split:
    """`new` units for every `old` one held, from the day on."""

    split_date: datetime.date
    new: Decimal
    old: Decimal


@dataclass(frozen=True, slots=True)
class Splits:
    """The splits of each security, in the order of their days."""

    by_security: dict[str, list[Split]] = field(default_factory=dict)

    def add(self, security_id: str, split: Split) -> None:
        """Add a split; one that is there already is the same one."""
        known = self.by_security.setdefault(security_id, [])
        if split not in known:
            insort(known, split)

    def as_quoted(self, security_id: str, day: datetime.date, price: Decimal) -> Decimal:
        """An adjusted price as it was quoted on its day."""
        later = self.by_security.get(security_id, [])
        for split in later[bisect_right(later, day, key=lambda one: one.split_date) :]:
            price = price * split.new / split.old
        return price

    def cell_as_quoted(self, security_id: str, day: str, price: str) -> str:
        """The same of cells; one that is no date or no number is left for validation to name."""
        if not self.by_security.get(security_id):
            return price
        number = number_of(price)
        try:
            quoted_on = datetime.date.fromisoformat(day)
        except ValueError:
            return price
        if number is None:
            return price
        with exact():
            return plain(rounded(self.as_quoted(security_id, quoted_on, number)))

    def __len__(self) -> int:
        return sum(map(len, self.by_security.values()))


def number_of(text: str) -> Decimal | None:
    """The unsigned number that a cell spells, or None."""
    stripped = text.strip()
    number = Decimal(stripped) if _NUMBER.fullmatch(stripped) else None
    return number if number is not None and fits(number) else None


def ratio_of(text: str) -> tuple[Decimal, Decimal] | None:
    """New and old of 4:1, 4/1, 4.0 or 0.25; None where the text is empty or 0, no split. Raises NotASplit."""
    new_text, _, old_text = text.replace("/", ":").partition(":")
    if not text.strip():
        return None
    new, old = number_of(new_text), number_of(old_text) if old_text else ONE
    if new is not None and not new and not old_text:
        return None
    if not new or not old:
        raise NotASplit(f"{text!r} is no ratio of a split; write new:old, as in 4:1")
    return new, old


def split_of(text: str) -> Split:
    """The split of DATE=NEW:OLD. Raises NotASplit."""
    day, _, ratio = text.partition("=")
    parts = ratio_of(ratio)
    if parts is None:
        raise NotASplit(f"{text!r} is no split; write DATE=NEW:OLD, as in 2020-08-31=4:1")
    return Split(day_of(day), *parts)


def day_of(text: str) -> datetime.date:
    """The date a cell begins with; a time after it counts for nothing. Raises NotASplit."""
    try:
        return datetime.date.fromisoformat(text.strip()[:10])
    except ValueError as error:
        raise NotASplit(f"{text!r} is no date; write YYYY-MM-DD") from error


def splits_of_file(texts: Iterable[str], *, security_id: str | None) -> Splits:
    """The splits that a file lists, or the price file they stand in.

    Its columns: `Date` or `split_date`; `Stock Splits` (4:1, 4/1 or 4.0), or `ratio_new` and `ratio_old`; `security_id`
    where the file is about more than the one given. Raises formats.Unreadable, Refused.
    """
    header, rows = header_and_rows(texts)
    places = {name.lower().replace(" ", "_"): column for column, name in enumerate(header)}
    day = places.get("split_date", places.get("date", places.get("price_date")))
    named = places.get("security_id")
    ratio = [places[name] for name in ("ratio_new", "ratio_old") if name in places] or [
        places[name] for name in ("stock_splits",) if name in places
    ]
    if day is None or not ratio:
        columns = "Date and Stock Splits, or split_date, ratio_new and ratio_old"
        raise Refused([FieldProblem("", "required", f"the file names no splits: their columns are {columns}")])
    if named is None and security_id is None:
        raise Refused([FieldProblem("security_id", "required", "the file does not say which security was split")])
    splits = Splits()
    problems = []
    for number, row in rows:
        if isinstance(row, Refused):
            problems += row.problems
            continue
        try:
            parts = ratio_of(":".join(row[column] for column in ratio))
            if parts:
                security = security_id if named is None else row[named]
                splits.add(security or "", Split(day_of(row[day]), *parts))
        except NotASplit as error:
            problems.append(FieldProblem(f"line {number}", "invalid", str(error)))
    if problems:
        raise Refused(problems)
    return splits
