"""What of a figure's parts is listed: the latest; those before are one part with their sum.

So an answer is no longer than it may be however long the history, and its parts add up to the figure all the same. Who
reads rows lists the latest of them and says of the others how many there are and what they come to (`LeftOut`).
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from portfolio.dates import ONE_DAY
from portfolio.money import ZERO
from positions.explaining.explanation import Contribution
from positions.figures import figure

PARTS_MAX = 1000
"""So many parts are listed."""
NOTHING = Contribution(ZERO, ZERO, ZERO, ZERO)


class Line(NamedTuple):
    """A part as it is listed: what it contributes, what of that is known, its day, and how its facts are told;
    `missing` says why where an amount is unknown.
    """

    contributed: Contribution
    day: datetime.date
    facts: Callable[[], dict[str, Any]]
    missing: str = "MISSING_FX_RATE"


class LeftOut(NamedTuple):
    """The parts that are not listed: how many, what they contribute together, and the first and last of their days."""

    number: int
    contributed: Contribution
    first_date: datetime.date
    last_date: datetime.date
    missing: str = "MISSING_FX_RATE"


class Explained(NamedTuple):
    """A figure, in its own money and in base, and its parts in order; `missing` says why where an amount is unknown.

    `before` are parts that were not even read. `goes_on`: as of the last day that is left out, the figure is the sum of
    what is left out, so that the list can be gone on with.
    """

    value: Decimal
    value_base: Decimal
    lines: Sequence[Line]
    missing: str = "MISSING_FX_RATE"
    before: LeftOut | None = None
    goes_on: bool = False


def explanation_answer(explained: Explained, *, in_base: bool = True) -> dict[str, Any]:
    """`value`, `parts` and their totals. `in_base`: the figure has a value in base (a quantity has none). `go_on_as_of`
    is the day to ask about for the parts before those listed.

    Where a part is unknown and the value is known all the same, what is unknown has left again with another part: then
    what is known of the parts adds up to it. Needs the arithmetic of `portfolio.money.exact`.
    """
    value, value_base, missing = explained.value, explained.value_base, explained.missing
    before, listed = _divided(explained)
    shown = [*([_as_line(before)] if before else []), *listed]
    sums = summed([line.contributed for line in shown])
    total = sums.amount if value.is_nan() else sums.known
    total_base = sums.amount_base if value_base.is_nan() else sums.known_base

    def base(amount: Decimal, missing: str) -> Any:
        return figure(amount, missing) if in_base else None

    return {
        "value": figure(value, missing),
        "value_base": base(value_base, missing),
        "parts_total": figure(total, missing),
        "parts_total_base": base(total_base, missing),
        "parts_max": PARTS_MAX,
        "parts_left_out": before.number if before else 0,
        "go_on_as_of": _go_on_as_of(before, listed) if before and explained.goes_on else None,
        "parts": [
            {
                **line.facts(),
                "amount": figure(line.contributed.amount, line.missing),
                "amount_base": base(line.contributed.amount_base, line.missing),
            }
            for line in shown
        ],
    }


def _divided(explained: Explained) -> tuple[LeftOut | None, Sequence[Line]]:
    """What is left out, and what is listed: where the list goes on whole days, unless that would halve it."""
    lines, before = explained.lines, explained.before
    first = max(0, len(lines) - PARTS_MAX)
    if first and explained.goes_on and lines[first - 1].day == lines[first].day:
        whole = next((n for n in range(first, len(lines)) if lines[n].day != lines[first].day), first)
        first = whole if len(lines) - whole >= PARTS_MAX // 2 else first
    unlisted = lines[:first]
    if not unlisted:
        return before, lines
    days = [line.day for line in unlisted]
    parts = [*([before.contributed] if before else []), *(line.contributed for line in unlisted)]
    missing = next((line.missing for line in unlisted if line.contributed.amount_base.is_nan()), explained.missing)
    number, first_date = (before.number, before.first_date) if before else (0, min(days))
    return LeftOut(number + len(unlisted), summed(parts), first_date, max(days), missing), lines[first:]


def _go_on_as_of(before: LeftOut, listed: Sequence[Line]) -> datetime.date | None:
    """The last day that is left out. Where that is the only one listed too, asking for it would list the same parts
    again: the rest of it stays one part, and the day before is gone on with, if anything is left out by then.
    """
    if not listed or before.last_date < listed[-1].day:
        return before.last_date
    return before.last_date - ONE_DAY if before.first_date < before.last_date else None


def _as_line(before: LeftOut) -> Line:
    facts = {"kind": "LEFT_OUT", "count": before.number, "date": before.first_date, "last_date": before.last_date}
    return Line(before.contributed, before.last_date, lambda: facts, before.missing)


def summed(parts: Sequence[Contribution]) -> Contribution:
    """What parts contribute together. Needs the arithmetic of `portfolio.money.exact`."""
    return Contribution(*(sum(column, ZERO) for column in zip(NOTHING, *parts, strict=True)))


def whole(amount: Decimal, amount_base: Decimal) -> Contribution:
    """What is contributed as a whole: unknown, nothing of it is known."""
    return Contribution(amount, amount_base, amount, amount_base)
