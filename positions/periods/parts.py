"""Reading a part of a portfolio: one holding, or those of an asset class, and no more of the rows than they need."""

from __future__ import annotations

import datetime
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.db.models import Min

from portfolio.models import Instrument
from portfolio.problems import Unknown
from positions.analytics.days import Day
from positions.analytics.parts import part_days
from positions.calculating.market import market
from positions.engine.holdings import HoldingKey, Kind
from positions.models import Move, Position, PositionDay
from positions.periods.days import history_of
from positions.valuing.timelines import Span, read_histories
from positions.variants.asked import Reading


@dataclass(frozen=True, slots=True)
class Part:
    """Some securities of a portfolio as it was read, and what they were asked for as."""

    found: Reading
    asked_as: dict[str, str]
    security_ids: frozenset[str]

    def first_transaction(self) -> datetime.date | None:
        """The first day that changed one of them."""
        if self.found.variant:
            timelines = self.found.variant.history.timelines
            keys = (HoldingKey(Kind.SECURITY, security_id) for security_id in self.security_ids)
            return min((timelines[key].dates[0] for key in keys if key in timelines), default=None)
        days = PositionDay.objects.filter(
            portfolio_id=self.found.mark.portfolio_id, kind="SECURITY", security_id__in=self.security_ids
        )
        first: datetime.date | None = days.aggregate(first=Min("position_date"))["first"]
        return first

    def days(self, first: datetime.date, last: datetime.date) -> list[Day]:
        """Every day from `first` to `last`."""
        if self.found.variant:
            history = history_of(self.found, first, last)
        else:
            market.refresh()
            span = Span(self.found.mark.portfolio_id, first, last)
            (history,) = read_histories(
                [span],
                states={span.portfolio_id: self.found.state},
                securities=_changed_into_one_another(span.portfolio_id, self.security_ids),
            )
        return part_days(history, self.security_ids, first, last)


def part_of(found: Reading, asked: dict[str, Any]) -> Part | None:
    """The part asked for; None where it is the whole. Raises Unknown."""
    security_id, asset_class = asked.get("security_id"), asked.get("asset_class")
    if security_id is None and asset_class is None:
        return None
    held = _ever_held(found)
    names = {"security_id": security_id, "asset_class": asset_class}
    if asset_class is not None:
        of_class = Instrument.objects.filter(security_id__in=held, asset_class=asset_class)
        held &= set(of_class.values_list("security_id", flat=True))
    if security_id is not None:
        held &= {security_id}
    if not held:
        what = (security_id or "anything") + ("" if asset_class is None else f" of the class {asset_class!r}")
        raise Unknown(f"The portfolio {found.mark.portfolio_id} never held {what} up to {found.as_of}.")
    return Part(found, {name: value for name, value in names.items() if value is not None}, frozenset(held))


def _ever_held(found: Reading) -> set[str]:
    if found.variant:
        return {
            key.security_id
            for key, held in found.variant.books.holdings.items()
            if key.kind is Kind.SECURITY and held.first_date
        }
    rows = Position.objects.filter(portfolio_id=found.mark.portfolio_id, kind="SECURITY", first_date__lte=found.as_of)
    return set(rows.values_list("security_id", flat=True))


def _changed_into_one_another(portfolio_id: str, security_ids: Collection[str]) -> set[str]:
    """The securities, and all that units or a price of theirs ever came from or went to."""
    moves = Move.objects.filter(portfolio_id=portfolio_id, source_id__isnull=False, target_id__isnull=False)
    carried = PositionDay.objects.filter(portfolio_id=portfolio_id, carried_from__isnull=False)
    pairs = {*moves.values_list("source_id", "target_id"), *carried.values_list("carried_from", "security_id")}
    related = set(security_ids)
    while more := {name for pair in pairs if related.intersection(pair) for name in pair if name} - related:
        related |= more
    return related
