"""What a reader asks of positions, and how it is answered: from the stored rows, or booked anew for the question.

The rows hold each portfolio at the end of every day by its own cost method, as everything is known now. Another
method, an earlier moment of knowledge, or the open lots of an earlier day, are booked from the ledger for the answer.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request

from portfolio.dates import current_day
from portfolio.knowledge import settled_moment
from portfolio.models import CostBasisMethod, PortfolioChange
from portfolio.money import OutOfRange
from portfolio.problems import FieldError, InvalidContent, pointer
from portfolio.queries import AnyUser
from portfolio.reading import OneOfField
from positions.figures import Snapshot
from positions.models import PortfolioState
from positions.pending import pending_answer
from positions.queries import Pending, known_by_the_rows, one_snapshot, pending_of, snapshot_of
from positions.standing import Standing, visible_standing
from positions.valuing.valued_days import ValuedDays, valued_days
from positions.variants.apart import apart
from positions.variants.booked import Asked, Variant, variant_of
from positions.variants.chains import ChainTooLong

AS_OF = OpenApiParameter("as_of", datetime.date, description="the end of this day; today where it is left out")
KNOWN_AT = OpenApiParameter(
    "known_at",
    datetime.datetime,
    description="from what had been recorded by this moment (RFC 3339); a moment with a writer still in flight is moved"
    " before it, and the answer says which was used",
)
COST_METHOD = OpenApiParameter(
    "cost_method", str, enum=CostBasisMethod.values, description="another cost method than the portfolio's own"
)
VARIANT = (AS_OF, KNOWN_AT, COST_METHOD)


class VariantQuery(serializers.Serializer[Any]):
    """Which day, from which knowledge, by which cost method."""

    as_of = serializers.DateField(required=False)
    known_at = serializers.DateTimeField(required=False)
    cost_method = OneOfField(CostBasisMethod.values, required=False)


def variant_query(request: Request, *others: str, kind: type[VariantQuery] = VariantQuery) -> dict[str, Any]:
    """What is asked, checked; `others` are parameters that the caller looks at itself. Raises problems."""
    query = kind(data=request.query_params)
    refuse_unknown(request, *query.fields, *others)
    query.is_valid(raise_exception=True)
    asked: dict[str, Any] = query.validated_data
    return asked


def refuse_unknown(request: Request, *known: str) -> None:
    """Raise InvalidContent where something is asked that this answer would pass over in silence."""
    unknown = request.query_params.keys() - {"format", *known}
    if unknown:
        errors = [FieldError(pointer(name), "unknown", "is not asked here") for name in sorted(unknown)]
        raise InvalidContent(f"Not supported here: {', '.join(sorted(unknown))}.", errors=errors)


@dataclass(frozen=True)
class Reading:
    """A portfolio as it was asked for; without `variant` it is that of the stored rows.

    The market's memory has been refreshed in the snapshot that it was read in.
    """

    standing: Standing
    as_of: datetime.date
    known_at: datetime.datetime
    cost_method: str
    pending: Pending | None
    variant: Variant | None

    @property
    def mark(self) -> PortfolioChange:
        """How far the portfolio's ledger has grown."""
        return self.standing.mark

    @property
    def state(self) -> PortfolioState:
        """How far its positions are calculated."""
        return self.standing.state

    def snapshot(self) -> Snapshot:
        """The portfolio at the end of the day asked about."""
        if self.variant:
            return self.variant.snapshot
        return snapshot_of(state=self.state, as_of=self.as_of, market_seq=self.standing.market_seq)

    @cached_property
    def stored_days(self) -> ValuedDays:
        """The days of the portfolio's rows, up to today or its last entry."""
        today = current_day()
        return valued_days(standing=self.standing, pending=self.pending, today=today)

    def head(self) -> dict[str, Any]:
        """What every answer about the portfolio begins with."""
        return {
            "portfolio_id": self.mark.portfolio_id,
            "as_of": self.as_of,
            "known_at": self.known_at,
            "cost_method": self.cost_method,
            "pending": pending_answer(self.pending),
        }


def reading(
    request: Request, portfolio_id: str, asked: dict[str, Any], *, lots: bool = False, every_day: bool = False
) -> AbstractContextManager[Reading]:
    """The portfolio asked for, as `reading_of` gives it to the user who asks."""
    return reading_of(request.user, portfolio_id, asked, lots=lots, every_day=every_day)


@contextmanager
def reading_of(
    user: AnyUser, portfolio_id: str, asked: dict[str, Any], *, lots: bool = False, every_day: bool = False
) -> Iterator[Reading]:
    """The portfolio asked for, within one snapshot of the database. `lots`: its open lots are wanted too; `every_day`:
    so are the days before.

    Raises Unknown, TooMany, InvalidContent.
    """
    # Before the snapshot is taken, not after: see portfolio.knowledge.
    settled = settled_moment(asked.get("known_at"))
    with one_snapshot():
        yield _read(user, portfolio_id, asked, settled, lots=lots, every_day=every_day)


@contextmanager
def readings_of(user: AnyUser, portfolio_ids: Iterable[str], asked: dict[str, Any]) -> Iterator[list[Reading]]:
    """Several portfolios, all within one snapshot and from what was settled before it. Raises as `reading_of`."""
    settled = settled_moment(asked.get("known_at"))
    with one_snapshot():
        yield [_read(user, portfolio_id, asked, settled) for portfolio_id in portfolio_ids]


def _read(
    user: AnyUser,
    portfolio_id: str,
    asked: dict[str, Any],
    settled: datetime.datetime,
    *,
    lots: bool = False,
    every_day: bool = False,
) -> Reading:
    as_of: datetime.date | None = asked.get("as_of")
    day = as_of or current_day()
    standing = visible_standing(user, portfolio_id)
    mark, state = standing.mark, standing.state
    pending = pending_of(state=state, mark=mark, market_seq=standing.market_seq)
    method = asked.get("cost_method") or state.cost_basis_method
    lots_of_before = lots and as_of is not None and state.last_date is not None and as_of < state.last_date
    if "known_at" not in asked and method == state.cost_basis_method and not lots_of_before:
        known = known_by_the_rows(state=state, mark=mark, settled=settled)
        return Reading(standing, day, known, method, pending, None)
    known_at = settled if "known_at" in asked else None
    variant = _variant(Asked(portfolio_id, day, asked.get("cost_method"), known_at, every_day), mark)
    return Reading(standing, day, settled, variant.terms.cost_basis_method, pending, variant)


def _variant(question: Asked, mark: PortfolioChange) -> Variant:
    try:
        return variant_of(question, mark=mark, apart=apart)
    except ChainTooLong as error:
        raise InvalidContent(str(error), code="chain_too_long") from error
    except OutOfRange as error:
        raise InvalidContent(f"The portfolio cannot be booked so: {error}.", code="out_of_range") from error
