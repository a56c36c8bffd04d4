"""Data quality: the findings of many portfolios, page by page.

A page is made from what stands on it: of open exceptions no more rows are read than it has room for, and portfolios are
valued one by one until it is full, a bounded number of them. So it may be short or empty while there are more:
following `next` visits every finding. The ledger is only read through where one portfolio is named.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple

from django.db.models import QuerySet

from portfolio.models import PortfolioChange
from positions.checking.exceptions import exceptions_after, open_codes, stored_exceptions
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

VALUED_A_PAGE = 20
"""So many portfolios are valued for one page, whatever is found in them."""
LOOKED_AT_A_PAGE = 1000
"""So many portfolios are looked at for one page where nothing of them has to be valued."""

Key = tuple[str, ...]
"""What a finding is sorted by (see `Finding.key`); a portfolio's id alone stands before all its findings."""


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
    asked = CODES if codes is None else codes
    if portfolio_id is not None:
        marks = marks.filter(portfolio_id=portfolio_id)
    if after is not None:
        marks = marks.filter(portfolio_id__gte=after[0])
    of_figures = not OF_FIGURES.keys().isdisjoint(asked)
    most = VALUED_A_PAGE if of_figures else LOOKED_AT_A_PAGE
    ids = list(marks.order_by("portfolio_id").values_list("portfolio_id", flat=True)[: most + 1])
    left_out = open_codes(ids[:most], OF_BOOKING.intersection(asked))
    found: list[_Found] = []
    for one in ids[:most]:
        begin = (after or ())[1:] if after and after[0] == one else ()
        # One more than there is room for says that there are more.
        room = size + 1 - len(found)
        of_one = _exceptions(one, left_out.get(one, ()), begin, count=room)
        if of_figures:
            of_one += [_Found(finding.key, finding) for finding in _of_figures(one, asked, today)]
        if portfolio_id is not None:
            of_ledger = findings_of_ledger(one, asked, after=_transaction_in(begin), count=room)
            of_one += [_Found(finding.key, finding) for finding in of_ledger]
        found += sorted((f for f in of_one if f.key > (one, *begin)), key=attrgetter("key"))
        if len(found) > size:
            return FindingsPage(_told(found[:size]), found[size - 1].key)
    return FindingsPage(_told(found), (ids[-1],) if len(ids) > most else None)


class _Found(NamedTuple):
    """A finding; an exception, until it is known to stand on the page, as its row."""

    key: Key
    what: Finding | BookingException


def _of_figures(portfolio_id: str, codes: Collection[str], today: datetime.date) -> Sequence[Finding]:
    state = state_of(portfolio_id=portfolio_id)
    snapshot = snapshot_of(state=state, as_of=today)
    positions = portfolio_answer(snapshot, closed=False)["positions"]
    return findings_of_figures(Subject(portfolio_id, snapshot, positions, state.error), codes)


def _exceptions(portfolio_id: str, codes: Sequence[str], begin: Key, *, count: int) -> list[_Found]:
    rows = exceptions_after(portfolio_id, codes, _transaction_in(begin), count=count)
    return [_Found((portfolio_id, row.code, row.transaction_id, row.security_id or "", ""), row) for row in rows]


def _transaction_in(begin: Key) -> tuple[str, str]:
    """The code and the transaction of a key's rest; of one that names none, what stands before all."""
    code, transaction_id, *_ = *begin, "", ""
    return code, transaction_id


def _told(found: Sequence[_Found]) -> list[Finding]:
    """The findings; the money that exceptions affect is read for all of them together."""
    rows = [one.what for one in found if isinstance(one.what, BookingException)]
    answers = iter(stored_exceptions(rows))
    return [_finding(one.what, next(answers)) if isinstance(one.what, BookingException) else one.what for one in found]


def _finding(row: BookingException, answer: Mapping[str, Any]) -> Finding:
    return Finding(
        row.code,
        row.portfolio_id,
        row.detail,
        transaction_id=row.transaction_id,
        security_id=row.security_id,
        currency=answer["currency"],
        amount=answer["amount"],
        amount_base=answer["amount_base"],
    )
