"""Writing prices and rates: a quote of a day is believed until another one of that day counts for more.

What was believed stays in the table with the moment it was superseded, so that any earlier state of knowledge can be
read again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from django.db import models

from portfolio.models import FxRate, MarketMark, Price
from portfolio.streaming.messages import SubmittedPrice, SubmittedRate


def record_prices(submissions: Sequence[SubmittedPrice], *, mark: MarketMark) -> None:
    """Keep the prices, under the locked and raised mark."""
    _record(Price, ("security_id", "price_date"), ("price", "currency"), submissions, mark)


def record_rates(submissions: Sequence[SubmittedRate], *, mark: MarketMark) -> None:
    """Keep the rates, under the locked and raised mark."""
    _record(FxRate, ("from_currency", "to_currency", "rate_date"), ("rate",), submissions, mark)


def _record(
    model: type[Price | FxRate],
    key_fields: tuple[str, ...],
    value_fields: tuple[str, ...],
    submissions: Sequence[SubmittedPrice] | Sequence[SubmittedRate],
    mark: MarketMark,
) -> None:
    """Of each key the highest version is believed, of equal ones the later; what says the same again is passed over."""
    believed, known = _standing(model, key_fields, value_fields, submissions)
    superseded: list[int] = []
    kept: list[models.Model] = []
    for submission in submissions:
        key = tuple(getattr(submission, name) for name in key_fields)
        value = (submission.version, *(getattr(submission, name) for name in value_fields))
        standing = believed.get(key)
        lower = standing is not None and submission.version < standing.version
        if (standing is not None and _value(standing, value_fields) == value) or (lower and (key, value) in known):
            continue
        row = model(**msgspec.structs.asdict(submission), market_seq=mark.market_seq, recorded_at=mark.recorded_at)
        kept.append(row)
        known.add((key, value))
        if lower:
            row.superseded_at = mark.recorded_at
            continue
        if standing is not None:
            standing.superseded_at = mark.recorded_at
            if standing.pk is not None:
                superseded.append(standing.pk)
        believed[key] = row
    model.objects.filter(pk__in=superseded).update(superseded_at=mark.recorded_at)
    model.objects.bulk_create(kept, batch_size=2000)  # type: ignore[arg-type]


def _standing(
    model: type[Price | FxRate],
    key_fields: tuple[str, ...],
    value_fields: tuple[str, ...],
    submissions: Sequence[Any],
) -> tuple[dict[tuple[Any, ...], Any], set[tuple[Any, ...]]]:
    """What is believed of each key now, and everything that was ever recorded of it."""
    wanted = {tuple(getattr(submission, name) for name in key_fields) for submission in submissions}
    arrays = ", ".join(f"%s::{'date' if name.endswith('_date') else 'text'}[]" for name in key_fields)
    columns = ", ".join(key_fields)
    rows = model.objects.raw(
        f"SELECT t.* FROM unnest({arrays}) AS asked({columns}) JOIN {model._meta.db_table} AS t USING ({columns})",  # noqa: S608 - the columns are the models' own
        [list(column) for column in zip(*wanted, strict=True)],
    )
    believed: dict[tuple[Any, ...], Any] = {}
    known: set[tuple[Any, ...]] = set()
    for row in rows:
        key = tuple(getattr(row, name) for name in key_fields)
        known.add((key, _value(row, value_fields)))
        if row.superseded_at is None:
            believed[key] = row
    return believed, known


def _value(row: Any, value_fields: tuple[str, ...]) -> tuple[Any, ...]:
    return (row.version, *(getattr(row, name) for name in value_fields))
