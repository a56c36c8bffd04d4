"""The realised gains of a portfolio by tax year, from its disposals: as sums, and piece by piece for a tax report.

Securities only: what cash of other currencies gained or lost on exchange is no disposal, and stands in the statement.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any

from django.db import connection

from portfolio.amounts import number_of
from portfolio.money import ZERO, exact
from positions.analytics.periods import Period
from positions.analytics.realized import DisposalOfYear, Gains, RealizedDisposal, TaxYear, realized_by_tax_year
from positions.engine.holdings import HoldingKey, Kind
from positions.figures import figure
from positions.models import DISPOSAL_ORDER, Disposal
from positions.periods.answers import measured
from positions.periods.sources import Sources, remark
from positions.variants.asked import Reading
from positions.variants.booked import Variant

COLUMNS = (
    "tax_year",
    "security_id",
    "quantity",
    "acquisition_date",
    "disposal_date",
    "days_held",
    "term",
    "currency",
    "proceeds",
    "cost_basis",
    "realized_gain",
    "base_currency",
    "proceeds_base",
    "cost_basis_base",
    "realized_gain_base",
    "realized_fx_gain_base",
    "opening_transaction_id",
    "closing_transaction_id",
)
"""A disposal of a tax report, in the order of the columns."""
TEXTS = ("security_id", "currency", "opening_transaction_id", "closing_transaction_id")
"""Those that clients have written."""
DISPOSALS_LISTED_MAX = 1_000
"""So many disposals of a year stand in an answer; all of them are in the list of disposals, and in the CSV."""


@dataclass(frozen=True, slots=True)
class ReportedDisposal(RealizedDisposal):
    """A disposal with what a tax report says of it beside base currency."""

    currency: str = ""
    proceeds_local: Decimal = ZERO
    cost_basis_local: Decimal = ZERO
    realized_gain_local: Decimal = ZERO
    opening_transaction_id: str | None = None
    closing_transaction_id: str = ""


def tax_years(found: Reading, period: Period, *, long_term_days: int) -> list[TaxYear]:
    """The years in which the portfolio disposed of something in (start, end], in order."""
    with exact():
        disposals = list(_booked(found.variant, period) if found.variant else _stored(found, period))
    return realized_by_tax_year(disposals, long_term_after_days=long_term_days)


def year_answer(year: TaxYear, *, base_currency: str, disposals: bool) -> dict[str, Any]:
    """A tax year: its sums in base by term and, if wanted, its first DISPOSALS_LISTED_MAX disposals."""
    rows = {"disposals": list(islice(_rows(year, base_currency), DISPOSALS_LISTED_MAX))} if disposals else {}
    return {
        "year": year.year,
        "first_date": year.first_date,
        "last_date": year.last_date,
        "total": _gains_answer(year.total),
        "by_term": {term.value: _gains_answer(gains) for term, gains in year.by_term.items()},
        **rows,
    }


def gains_sources(found: Reading, years: Sequence[TaxYear]) -> Sources:
    """What is missing or doubtful in the figures of what was disposed of: rates, and how lots were chosen."""
    codes: dict[str, set[str]] = {}
    for year in years:
        for row in year.disposals:
            of_security = codes.setdefault(row.disposal.security_id, set())
            if row.disposal.realized_gain.is_nan():
                of_security.add("MISSING_FX_RATE")
    for security_id, flags in _marks(found):
        if security_id in codes:
            codes[security_id].update(flags)
    return Sources(
        [
            remark(code, HoldingKey(Kind.SECURITY, security_id))
            for security_id in sorted(codes)
            for code in sorted(codes[security_id])
        ]
    )


def _marks(found: Reading) -> Iterable[tuple[str, Iterable[str]]]:
    """The marks of the securities at the end of the period; a mark stays."""
    if found.variant:
        holdings = found.variant.books.holdings.items()
        return [(key.security_id, held.flags) for key, held in holdings if key.kind is Kind.SECURITY]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT p.security_id, h.flags FROM positions AS p
            CROSS JOIN LATERAL (
                SELECT d.flags FROM position_days AS d
                WHERE d.portfolio_id = p.portfolio_id AND d.kind = p.kind AND d.security_id = p.security_id
                    AND d.position_date <= %s
                ORDER BY d.position_date DESC LIMIT 1
            ) AS h
            WHERE p.portfolio_id = %s AND p.kind = 'SECURITY' AND p.flags <> '{}'
            """,
            [found.as_of, found.mark.portfolio_id],
        )
        marks: list[tuple[str, list[str]]] = cursor.fetchall()
        return marks


def report_rows(years: Sequence[TaxYear], *, base_currency: str) -> Iterator[dict[str, Any]]:
    """The disposals of all the years, one after the other, each with COLUMNS."""
    for year in years:
        yield from _rows(year, base_currency)


def _gains_answer(gains: Gains) -> dict[str, Any]:
    names = ("proceeds", "cost_basis", "realized_gain", "realized_fx_gain", "gains", "losses")
    return {"count": gains.count, **{name: measured(getattr(gains, name)) for name in names}}


def _rows(year: TaxYear, base_currency: str) -> Iterator[dict[str, Any]]:
    for row in year.disposals:
        yield _row(year.year, row, base_currency)


def _row(year: int, row: DisposalOfYear, base_currency: str) -> dict[str, Any]:
    of = row.disposal
    assert isinstance(of, ReportedDisposal), "the years were made of these"
    values = (
        year,
        of.security_id,
        figure(of.quantity),
        of.acquisition_date,
        of.disposal_date,
        row.days_held,
        row.term.value,
        of.currency,
        figure(of.proceeds_local),
        figure(of.cost_basis_local),
        figure(of.realized_gain_local),
        base_currency,
        figure(of.proceeds),
        figure(of.cost_basis),
        figure(of.realized_gain),
        figure(of.realized_fx_gain),
        of.opening_transaction_id,
        of.closing_transaction_id,
    )
    return dict(zip(COLUMNS, values, strict=True))


# --- where they come from -----------------------------------------------------------------------------------------


def _stored(found: Reading, period: Period) -> Iterator[ReportedDisposal]:
    rows = Disposal.objects.filter(
        portfolio_id=found.mark.portfolio_id, disposal_date__gt=period.start, disposal_date__lte=period.end
    )
    for row in rows.order_by(*DISPOSAL_ORDER).iterator():
        yield ReportedDisposal(
            security_id=row.security_id,
            acquisition_date=row.acquisition_date,
            disposal_date=row.disposal_date,
            quantity=row.quantity,
            proceeds=row.proceeds_base,
            cost_basis=row.cost_basis_base,
            realized_gain=row.realized_gain_base,
            realized_fx_gain=row.realized_fx_gain_base,
            currency=row.currency,
            proceeds_local=row.proceeds,
            cost_basis_local=row.cost_basis,
            realized_gain_local=row.realized_gain,
            opening_transaction_id=row.opening_transaction_id,
            closing_transaction_id=row.closing_transaction_id,
        )


def _booked(variant: Variant, period: Period) -> Iterator[ReportedDisposal]:
    for disposal in variant.books.disposals:
        if not period.start < disposal.closing.date <= period.end:
            continue
        opening = disposal.opening
        yield ReportedDisposal(
            security_id=disposal.security_id,
            acquisition_date=opening.acquisition_date if opening else None,
            disposal_date=disposal.closing.date,
            quantity=disposal.quantity,
            proceeds=number_of(disposal.proceeds_base),
            cost_basis=number_of(disposal.cost_basis_base),
            realized_gain=number_of(disposal.realized_gain_base),
            realized_fx_gain=number_of(disposal.realized_fx_gain_base),
            currency=disposal.currency,
            proceeds_local=number_of(disposal.proceeds),
            cost_basis_local=number_of(disposal.cost_basis),
            realized_gain_local=number_of(disposal.realized_gain),
            opening_transaction_id=opening.opening_transaction_id if opening else None,
            closing_transaction_id=disposal.closing.transaction_id,
        )
