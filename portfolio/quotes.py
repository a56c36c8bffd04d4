"""Writing prices, rates and weights: a quote of a day is believed until another one of that day counts for more.

What was believed stays in the table with the moment it was superseded, so that any earlier state of knowledge can be
read again. Of two versions the higher counts, of equal ones the one whose record is later on the topic, in whatever
order they are written: a replay, or a writer that slept, puts nothing older back.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from django.db import connection
from psycopg import Connection

from portfolio.models import BenchmarkWeight, FxRate, MarketMark, Price
from portfolio.places import PLACE, Place
from portfolio.streaming.messages import Submission

Fields = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Quotes:
    """A table of quotes: the columns that say of what and of which day one is, and what else it says."""

    model: type[Price | FxRate | BenchmarkWeight]
    key_fields: tuple[str, ...]
    value_fields: tuple[str, ...]

    @property
    def table(self) -> str:
        return self.model._meta.db_table


PRICES = Quotes(Price, ("security_id", "price_date"), ("version", "price", "currency"))
RATES = Quotes(FxRate, ("from_currency", "to_currency", "rate_date"), ("version", "rate"))
BENCHMARK_WEIGHTS = Quotes(
    BenchmarkWeight, ("benchmark_id", "segment_by", "segment", "weight_date"), ("version", "weight", "segment_return")
)


@dataclass(slots=True)
class _Row:
    """A quote that stands in the table, or will; `value` begins with the version."""

    id: int | None
    value: Fields
    topic_id: str
    partition: int | None
    offset: int | None
    superseded_at: datetime.datetime | None

    @property
    def version(self) -> int:
        version: int = self.value[0]
        return version


def record_quotes(quotes: Quotes, submissions: Sequence[tuple[Submission, Place]], *, mark: MarketMark) -> int:
    """Keep the quotes, each with its record's place, under the locked and raised mark; how many rows that adds.

    What says the same as the quote that stands, or the same as one that never counts for more, is passed over.
    """
    key_of, value_of = attrgetter(*quotes.key_fields), attrgetter(*quotes.value_fields)
    believed, known = _standing(quotes, {key_of(submission) for submission, _ in submissions})
    superseded: list[int] = []
    said_again: dict[int, _Row] = {}
    kept: list[tuple[Fields, _Row]] = []
    for submission, place in submissions:
        key, value = key_of(submission), value_of(submission)
        standing = believed.get(key)
        counts = standing is None or place.counts(value[0], standing)
        if standing is not None and standing.value == value:
            if counts:
                place.move(standing)
                if standing.id is not None:
                    said_again[standing.id] = standing
            continue
        if not counts and (key, value) in known:
            continue
        row = _Row(None, value, *place.columns(), superseded_at=None if counts else mark.recorded_at)
        kept.append((key, row))
        known.add((key, value))
        if counts:
            if standing is not None:
                standing.superseded_at = mark.recorded_at
                if standing.id is not None:
                    superseded.append(standing.id)
            believed[key] = row
    quotes.model.objects.filter(pk__in=superseded).update(superseded_at=mark.recorded_at)
    _move(quotes, list(said_again.values()))
    _copy(quotes, kept, mark)
    return len(kept)


def _standing(quotes: Quotes, keys: set[Fields]) -> tuple[dict[Fields, _Row], set[tuple[Fields, Fields]]]:
    """What is believed of each key now, and everything that was ever recorded of it."""
    arrays = ", ".join(f"%s::{'date' if name.endswith('_date') else 'text'}[]" for name in quotes.key_fields)
    columns = ", ".join(quotes.key_fields)
    others = ", ".join(("id", *quotes.value_fields, *PLACE, "superseded_at"))
    believed: dict[Fields, _Row] = {}
    known: set[tuple[Fields, Fields]] = set()
    first_value, first_other = len(quotes.key_fields) + 1, len(quotes.key_fields) + 1 + len(quotes.value_fields)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {columns}, {others} FROM unnest({arrays}) AS asked({columns}) "  # noqa: S608 - the models' columns
            f"JOIN {quotes.table} USING ({columns})",
            [list(column) for column in zip(*keys, strict=True)],
        )
        for found in cursor.fetchall():
            key, value = found[: first_value - 1], found[first_value:first_other]
            known.add((key, value))
            row = _Row(found[first_value - 1], value, *found[first_other:])
            if row.superseded_at is None:
                believed[key] = row
    return believed, known


def _move(quotes: Quotes, rows: Sequence[_Row]) -> None:
    """Write the places of rows that were said again, later on the topic."""
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE {quotes.table} AS t
            SET topic_id = moved.topic_id, partition = moved.partition, "offset" = moved.place
            FROM unnest(%s::int8[], %s::text[], %s::int4[], %s::int8[]) AS moved(id, topic_id, partition, place)
            WHERE t.id = moved.id
            """,  # noqa: S608 - the table's own name
            [[getattr(row, name) for row in rows] for name in ("id", "topic_id", "partition", "offset")],
        )


def _copy(quotes: Quotes, rows: Sequence[tuple[Fields, _Row]], mark: MarketMark) -> None:
    """COPY new rows into the table."""
    if not rows:
        return
    stamps = ("superseded_at", "market_seq", "recorded_at")
    columns = ", ".join((*quotes.key_fields, *quotes.value_fields, *PLACE, *stamps))
    database: Connection[Any] = connection.connection
    with database.cursor() as cursor, cursor.copy(f"COPY {quotes.table} ({columns}) FROM STDIN") as copy:
        for key, row in rows:
            place = row.topic_id, row.partition, row.offset
            copy.write_row((*key, *row.value, *place, row.superseded_at, mark.market_seq, mark.recorded_at))
