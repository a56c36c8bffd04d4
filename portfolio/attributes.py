"""Writing attributes: of a portfolio's or an instrument's versions the one that counts is its row, and all are kept.

Of two versions the higher counts, of equal ones the one whose record is later on the topic, in whatever order they are
written.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

import msgspec
from django.db.models import Model

from portfolio.models import Instrument, Portfolio, ReferenceVersion
from portfolio.places import Place
from portfolio.streaming.messages import SubmittedInstrument, SubmittedPortfolio


def record_attributes(
    model: type[Portfolio | Instrument],
    submissions: Sequence[tuple[str, SubmittedPortfolio | SubmittedInstrument, str, Place]],
    *,
    kind: str,
    recorded_at: datetime.datetime,
    stamps: dict[str, Any],
) -> set[str]:
    """Keep every version that is new, make the one that counts the model's row, and return whose row has changed.

    A submission comes with the name of what it is about, with who submitted it and with its record's place.
    """
    names = {name for name, *_ in submissions}
    rows: dict[str, Any] = dict(model.objects.in_bulk(names))
    kept = list(ReferenceVersion.objects.filter(kind=kind, name__in=names).values_list("name", "content"))
    versions: list[ReferenceVersion] = []
    changed: set[str] = set()
    said_again: set[str] = set()
    for name, submission, submitted_by, place in submissions:
        attributes, content = msgspec.structs.asdict(submission), msgspec.to_builtins(submission)
        standing = rows.get(name)
        counts = standing is None or place.counts(submission.version, standing)
        if standing is not None and _attributes_of(standing) == attributes:
            if counts:
                place.move(standing)
                said_again.add(name)
            continue
        if not counts and (name, content) in kept:
            continue
        kept.append((name, content))
        versions.append(
            ReferenceVersion(
                kind=kind,
                name=name,
                version=submission.version,
                content=content,
                submitted_by=submitted_by,
                recorded_at=recorded_at,
            )
        )
        if counts:
            rows[name] = model(**attributes, recorded_at=recorded_at, **stamps)
            place.move(rows[name])
            changed.add(name)
    ReferenceVersion.objects.bulk_create(versions)
    primary_key = model._meta.pk
    assert primary_key is not None, "every model has one"
    fields = [field.name for field in model._meta.concrete_fields if not field.primary_key]
    model.objects.bulk_create(
        [rows[name] for name in sorted(changed | said_again)],
        update_conflicts=True,
        unique_fields=[primary_key.name],
        update_fields=fields,
    )
    return changed


def _attributes_of(row: Model) -> dict[str, Any]:
    return {field.name: getattr(row, field.name) for field in row._meta.concrete_fields if field.name not in _STAMPS}


_STAMPS = ("recorded_at", "market_seq", "topic_id", "partition", "offset")
