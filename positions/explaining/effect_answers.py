"""What two bookings of one history differ in, as an answer tells it: figures as changes, signed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from portfolio.amounts import UNKNOWN_AMOUNT, Amount, Base, Number, number_of
from portfolio.money import ZERO
from positions.engine.booking import BookingProblem, Books, Disposal
from positions.engine.holdings import BASE_SUMS, Holding, HoldingKey, Kind
from positions.figures import disposal_answer, exception_answer, figure

LISTED_MAX = 100
"""So many disposals and exceptions are listed of each kind; how many there are is told."""

_SUMS = ("income_base", "fees_base", "taxes_base")
_OF_SECURITY = ("realized_gain_base", "realized_fx_gain_base", *_SUMS)
_OF_CASH = (*_SUMS, "inflow_base", "outflow_base")
_LOCAL = ("quantity", "cost_basis", "realized_gain", "income")


def effect_answer(before: Books, after: Books) -> dict[str, Any]:
    """What `after` has otherwise than `before`. Needs the arithmetic of `portfolio.money.exact`."""
    return {
        "holdings": [
            {"security_id": key.security_id, "currency": currency, **_figures(_security_changes(old, new))}
            for key, currency, old, new in _pairs(before, after, Kind.SECURITY)
        ],
        "cash": [
            {"currency": currency, **_figures(_cash_changes(old, new))}
            for _, currency, old, new in _pairs(before, after, Kind.CASH)
        ],
        "disposals_made": _listed(_only(after.disposals, before.disposals)),
        "disposals_unmade": _listed(_only(before.disposals, after.disposals)),
        "exceptions_opened": _listed(_new(after.problems, before.problems)),
        "exceptions_healed": _listed(_new(before.problems, after.problems)),
    }


# --- figures ------------------------------------------------------------------------------------------------------


def _pairs(before: Books, after: Books, kind: Kind) -> Iterator[tuple[HoldingKey, str, Holding, Holding]]:
    """The holdings of a kind that are not the same in both books; one whose currency is another is told in either."""
    for key in sorted({key for key in (*before.holdings, *after.holdings) if key.kind is kind}):
        held = [books.holdings.get(key) for books in (before, after)]
        for currency in dict.fromkeys(one.currency for one in held if one and one.first_date):
            old, new = (one if one and one.currency == currency else Holding(key, currency) for one in held)
            if _told(old) != _told(new):
                yield key, currency, old, new


def _told(held: Holding) -> list[Decimal | None]:
    """What is told of a holding, to compare: of an unknown figure nothing, of an unknown sum what is known of it."""
    if held.key.kind is Kind.CASH:
        figures, sums = [held.quantity, number_of(held.income)], _OF_CASH
    else:
        figures, sums = [*(getattr(held, name) for name in _LOCAL), number_of(_cost_base(held))], _OF_SECURITY
    rated = held.rated_sums
    if rated:
        places = [BASE_SUMS.index(name) for name in sums]
        figures += [part for place in places for part in (rated[place], rated[len(BASE_SUMS) + place])]
    else:
        figures += [part for name in sums for part in (getattr(held, name), ZERO)]
    return [None if number.is_nan() else number for number in figures]


def _security_changes(old: Holding, new: Holding) -> dict[str, Number]:
    changes: dict[str, Number] = {name: getattr(new, name) - getattr(old, name) for name in _LOCAL}
    changes["cost_basis_base"] = _cost_base(new) - _cost_base(old)
    return changes | {name: new.grown(name, old) for name in _OF_SECURITY}


def _cash_changes(old: Holding, new: Holding) -> dict[str, Number]:
    sums: dict[str, Number] = {name: new.grown(name, old) for name in _OF_CASH}
    return {"balance": new.quantity - old.quantity, "income": new.income - old.income, **sums}


def _cost_base(held: Holding) -> Amount[Base]:
    return UNKNOWN_AMOUNT if held.unrated_lots else held.cost_basis_base


def _figures(changes: dict[str, Number]) -> dict[str, Any]:
    return {name: figure(change) for name, change in changes.items()}


# --- disposals and exceptions -------------------------------------------------------------------------------------


def _only(these: Sequence[Disposal], those: Sequence[Disposal]) -> list[dict[str, Any]]:
    """The disposals that have none like them among those."""
    others = Counter(map(repr, map(disposal_answer, those)))
    only = []
    for answer in map(disposal_answer, these):
        if others[repr(answer)]:
            others[repr(answer)] -= 1
        else:
            only.append(answer)
    return only


def _new(these: Sequence[BookingProblem], those: Sequence[BookingProblem]) -> list[dict[str, Any]]:
    """The exceptions that are not among those: by what they say of which transaction, not by how much."""
    others = {(problem.code, problem.entry.transaction_id) for problem in those}
    return [exception_answer(p) for p in these if (p.code, p.entry.transaction_id) not in others]


def _listed(answers: list[dict[str, Any]]) -> dict[str, Any]:
    return {"count": len(answers), "listed": answers[:LISTED_MAX]}
