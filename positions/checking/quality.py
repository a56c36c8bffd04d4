"""Data quality: the findings of many portfolios, page by page.

A page looks at a bounded number of portfolios, in the order of their ids, and may be short or empty while there are
more: following `next` visits every one. The ledger is only read through where one portfolio is named.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from portfolio.models import PortfolioChange
from positions.checking.exceptions import stored_exceptions
from positions.checking.findings import (
    CODES,
    OF_BOOKING,
    OF_FIGURES,
    Finding,
    Subject,
    findings_of_figures,
    findings_of_ledger,
)
from positions.figures import portfolio_answer
from positions.models import BookingException
from positions.queries import snapshot_of, state_of

PORTFOLIOS_A_PAGE = 50

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FindingsPage:
    """Findings in order, and the key to go on after; None where there are no more."""

    findings: Sequence[Finding]
    go_on_after: Key | None


def quality_page(
    *,
    marks: QuerySet[PortfolioChange],
    portfolio_id: str | None,
    codes: Collection[str] | None,
    after: Key | None,
    size: int,
    today: datetime.date,
) -> FindingsPage:
    """The findings of the portfolios of these marks, or of one of them, after a key. Within a snapshot."""
    codes = CODES if codes is None else codes
    if portfolio_id is not None:
        marks = marks.filter(portfolio_id=portfolio_id)
    if after is not None:
        marks = marks.filter(portfolio_id__gte=after[0])
    ids = list(marks.order_by("portfolio_id").values_list("portfolio_id", flat=True)[: PORTFOLIOS_A_PAGE + 1])
    exceptions = _exceptions(ids[:PORTFOLIOS_A_PAGE], codes)
    found: list[Finding] = []
    for one in ids[:PORTFOLIOS_A_PAGE]:
        of_one = [*exceptions.get(one, ()), *_of_figures(one, codes, today)]
        if portfolio_id is not None:
            of_one += findings_of_ledger(one, codes)
        found += sorted((f for f in of_one if after is None or f.key > after), key=lambda finding: finding.key)
        if len(found) > size:
            return FindingsPage(found[:size], found[size - 1].key)
    # A key of one part stands before every finding of its portfolio.
    return FindingsPage(found, (ids[-1],) if len(ids) > PORTFOLIOS_A_PAGE else None)


def _of_figures(portfolio_id: str, codes: Collection[str], today: datetime.date) -> list[Finding]:
    if OF_FIGURES.keys().isdisjoint(codes):
        return []
    state = state_of(portfolio_id=portfolio_id)
    snapshot = snapshot_of(state=state, as_of=today)
    positions = portfolio_answer(snapshot, closed=False)["positions"]
    return findings_of_figures(Subject(portfolio_id, snapshot, positions, state.error), codes)


def _exceptions(portfolio_ids: Sequence[str], codes: Collection[str]) -> dict[str, list[Finding]]:
    """The open exceptions of the portfolios, each with the money it affects."""
    wanted = OF_BOOKING & set(codes)
    rows = BookingException.objects.filter(portfolio_id__in=portfolio_ids, code__in=wanted) if wanted else []
    listed = list(rows)
    bases = {one: state_of(portfolio_id=one).base_currency for one in {row.portfolio_id for row in listed}}
    found: dict[str, list[Finding]] = {}
    for row, answer in zip(listed, stored_exceptions(listed, base_currencies=bases), strict=True):
        finding = Finding(
            row.code,
            row.portfolio_id,
            row.detail,
            transaction_id=row.transaction_id,
            security_id=row.security_id,
            currency=answer["currency"],
            amount=answer["amount"],
            amount_base=answer["amount_base"],
        )
        found.setdefault(row.portfolio_id, []).append(finding)
    return found
