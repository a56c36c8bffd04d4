"""What each holding was worth and gained, day after day: what contribution and attribution are made of.

The gain of a holding on a day is what its value grew by, less what was put in and plus what was taken out, with its
income less its fees and taxes: of all holdings together the day's result less its capital. What moves in kind moves at
the value it has at the end of the day, as in the statement. Holdings are put together under names (their own, or that
of a segment) while they are walked, so that a year of a hundred holdings in ten sectors is ten rows of numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from portfolio.amounts import NIL, Amount, Base, number_of
from portfolio.money import ZERO, exact
from positions.analytics.contribution import Contribution, contribution_of
from positions.analytics.days import Day
from positions.analytics.history import History
from positions.analytics.series import worth_changes
from positions.engine.holdings import Holding, HoldingKey, Kind

NameOf = Callable[[HoldingKey], str]
_NO_RATE = "MISSING_FX_RATE"


@dataclass(slots=True)
class Part:
    """The holdings under one name, by the number of the day: value at its end, gain and external inflow of the day.

    Number 0 is the start of the period, of which only the value counts. In base; what cannot be told is UNKNOWN. There
    are no values where nobody asked for them.
    """

    values: list[Decimal]
    gains: list[Decimal]
    inflows: list[Decimal]


@dataclass(frozen=True, slots=True)
class Parts:
    """A portfolio's days from the start of a period to its end, and their parts by name."""

    days: Sequence[Day]
    by_name: dict[str, Part]
    missing: dict[int, str]
    """Why something of a day is UNKNOWN, by the number of the day."""

    def capital(self, number: int) -> Decimal:
        """What worked in the portfolio on a day: the value at its start and what came in."""
        return self.days[number - 1].value + self.days[number].inflow

    def contribution(self, first: int = 1, last: int | None = None) -> Contribution:
        """What each part added to the return of the days of these numbers, both included. Parts of nothing are left
        out.
        """
        until = len(self.days) if last is None else last + 1
        gains = {name: part.gains[first:until] for name, part in self.by_name.items()}
        with exact():
            return contribution_of(
                {name: of_part for name, of_part in gains.items() if any(of_part)},
                [self.capital(number) for number in range(first, until)],
                missing=[self._why(number) for number in range(first, until)],
            )

    def _why(self, number: int) -> str:
        return self.missing.get(number) or self.days[number].missing or self.days[number - 1].missing


def parts_of(history: History, days: Sequence[Day], *, name_of: NameOf, valued: bool = True) -> Parts:
    """The holdings put together by name, over days without a gap of which the first is the start of the period.

    The history must reach from that first day to the last. `valued`: what each part was worth day by day is wanted too.
    """
    parts = Parts(days, {}, {})
    with exact():
        for key in history.timelines:
            part = parts.by_name.setdefault(name_of(key), _nothing(len(days), valued=valued))
            if key.kind is Kind.SECURITY or history.cash_tracked:
                _add_worth(parts, part, history, key)
            _add_money(parts, part, history, key)
        _add_moves(parts, history, name_of)
    return parts


def _nothing(count: int, *, valued: bool) -> Part:
    return Part([ZERO] * count if valued else [], [ZERO] * count, [ZERO] * count)


def _add_worth(parts: Parts, part: Part, history: History, key: HoldingKey) -> None:
    """Add the values of a holding, and what they grew by."""
    values, gains, count = part.values, part.gains, len(parts.days)
    before, since = ZERO, 0
    for number, worth in worth_changes(history, key, parts.days[0].date, parts.days[-1].date):
        value = number_of(worth.value)
        if value is before:
            continue
        if worth.missing:
            parts.missing.setdefault(number, worth.missing)
        if before and values:
            _fill(values, since, number, before)
        if number:
            gains[number] += value - before
        elif value.is_nan() and count > 1:
            # What it began with is unknown, and so is what it gained, even if that never changes.
            gains[1] += value
        before, since = value, number
    if before and values:
        _fill(values, since, count, before)


def _fill(values: list[Decimal], first: int, end: int, value: Decimal) -> None:
    """Add what a holding was worth on all days from one to before another."""
    for number in range(first, end):
        values[number] += value


def _add_money(parts: Parts, part: Part, history: History, key: HoldingKey) -> None:
    """Take off what was put in, add what was taken out, and what the holding earned and cost."""
    start = parts.days[0].date
    last: Holding | None = None
    earned: Amount[Base] = NIL
    for earlier, state, date in history.timelines[key].changes(start, parts.days[-1].date):
        number = (date - start).days
        if state.rated_sums is None:
            # All amounts are known, as nearly always: the sums of one state are those before the next.
            before = earned if earlier is last or earlier is None else _earned(earlier)
            last, earned = state, _earned(state)
            gain = number_of(earned - before)
        else:
            out_and_earned = state.grown("money_out_base", earlier) + state.grown("income_base", earlier)
            in_and_spent = state.grown("money_in_base", earlier) + state.grown("fees_base", earlier)
            gain = number_of(out_and_earned - in_and_spent - state.grown("taxes_base", earlier))
        inflow = number_of(state.grown("inflow_base", earlier))
        if gain.is_nan() or inflow.is_nan():
            parts.missing.setdefault(number, _NO_RATE)
        part.gains[number] += gain
        if inflow:
            part.inflows[number] += inflow


def _earned(state: Holding) -> Amount[Base]:
    """What was taken out and earned, less what was put in and spent, from the holding's beginning to this state."""
    return state.money_out_base + state.income_base - state.money_in_base - state.fees_base - state.taxes_base


def _add_moves(parts: Parts, history: History, name_of: NameOf) -> None:
    """What came in kind was put in at its value; what went was taken out at it."""
    start = parts.days[0].date
    for value in history.moves_in(start, parts.days[-1].date):
        number, worth = (value.move.date - start).days, number_of(value.worth)
        if worth.is_nan():
            parts.missing.setdefault(number, _NO_RATE)
        target_id, source_id = value.move.target_id, value.move.source_id
        if target_id:
            part = parts.by_name[name_of(HoldingKey(Kind.SECURITY, target_id))]
            part.gains[number] -= worth
            part.inflows[number] += ZERO if source_id else worth
        if source_id:
            # What leaves the portfolio is negative already.
            taken = worth if target_id else -worth
            parts.by_name[name_of(HoldingKey(Kind.SECURITY, source_id))].gains[number] += taken
