"""Realised gains by tax year, short and long term apart: what a tax return asks for, from disposals.

A disposal is long term when more than a number of days lie between acquisition and disposal. What relieved no lot, a
return of capital when nothing was held, has no acquisition and stands apart.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from portfolio.money import ZERO, exact
from positions.analytics.unavailable import Unavailable, unavailable

Figure = Decimal | Unavailable

LONG_TERM_AFTER_DAYS = 365


class Term(StrEnum):
    """How long it was held."""

    SHORT = "short"
    LONG = "long"
    UNDATED = "undated"


@dataclass(frozen=True, slots=True)
class RealizedDisposal:
    """A disposal in base; figures without an exchange rate are UNKNOWN. The gain contains its FX part."""

    security_id: str
    acquisition_date: datetime.date | None
    disposal_date: datetime.date
    quantity: Decimal
    proceeds: Decimal
    cost_basis: Decimal
    realized_gain: Decimal
    realized_fx_gain: Decimal = ZERO

    @property
    def days_held(self) -> int | None:
        return (self.disposal_date - self.acquisition_date).days if self.acquisition_date else None


@dataclass(frozen=True, slots=True)
class DisposalOfYear:
    """A disposal with its holding period."""

    disposal: RealizedDisposal
    days_held: int | None
    term: Term


@dataclass(frozen=True, slots=True)
class Gains:
    """Disposals added up, in base. `gains` are those above zero, `losses` those below, unsigned."""

    count: int
    proceeds: Figure
    cost_basis: Figure
    realized_gain: Figure
    realized_fx_gain: Figure
    gains: Figure
    losses: Figure


@dataclass(frozen=True, slots=True)
class TaxYear:
    """A tax year, named by the calendar year in which it begins; its disposals by date and security."""

    year: int
    first_date: datetime.date
    last_date: datetime.date
    total: Gains
    by_term: dict[Term, Gains]
    disposals: tuple[DisposalOfYear, ...]


def realized_by_tax_year(
    disposals: Iterable[RealizedDisposal],
    *,
    long_term_after_days: int = LONG_TERM_AFTER_DAYS,
    year_begins: tuple[int, int] = (1, 1),
) -> list[TaxYear]:
    """The years in which something was disposed of, in order. `year_begins` is month and day, (4, 6) in Britain."""
    years: dict[int, list[RealizedDisposal]] = {}
    for disposal in disposals:
        day = disposal.disposal_date
        years.setdefault(day.year - ((day.month, day.day) < year_begins), []).append(disposal)
    return [_tax_year(year, years[year], long_term_after_days, year_begins) for year in sorted(years)]


def term_of(disposal: RealizedDisposal, *, long_term_after_days: int = LONG_TERM_AFTER_DAYS) -> Term:
    """Short or long term, by the days held."""
    days = disposal.days_held
    if days is None:
        return Term.UNDATED
    return Term.LONG if days > long_term_after_days else Term.SHORT


def _tax_year(
    year: int, disposals: Sequence[RealizedDisposal], long_term_after_days: int, year_begins: tuple[int, int]
) -> TaxYear:
    in_order = sorted(disposals, key=lambda disposal: (disposal.disposal_date, disposal.security_id))
    rows = tuple(
        DisposalOfYear(one, one.days_held, term_of(one, long_term_after_days=long_term_after_days)) for one in in_order
    )
    return TaxYear(
        year,
        datetime.date(year, *year_begins),
        datetime.date(year + 1, *year_begins) - datetime.timedelta(days=1),
        _gains(in_order),
        {term: _gains([row.disposal for row in rows if row.term is term]) for term in Term},
        rows,
    )


def _gains(disposals: Sequence[RealizedDisposal]) -> Gains:
    with exact():
        gains = [disposal.realized_gain for disposal in disposals]
        known = [gain for gain in gains if not gain.is_nan()]
        unknown = len(known) < len(gains)
        return Gains(
            len(disposals),
            _total(disposal.proceeds for disposal in disposals),
            _total(disposal.cost_basis for disposal in disposals),
            _total(gains),
            _total(disposal.realized_fx_gain for disposal in disposals),
            unavailable("MISSING_FX_RATE") if unknown else _total(gain for gain in known if gain > 0),
            unavailable("MISSING_FX_RATE") if unknown else _total(-gain for gain in known if gain < 0),
        )


def _total(amounts: Iterable[Decimal]) -> Figure:
    total = sum(amounts, ZERO)
    return unavailable("MISSING_FX_RATE") if total.is_nan() else total
