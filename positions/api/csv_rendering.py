"""Rows as CSV (RFC 4180), for whoever asks with `?format=csv` or `Accept: text/csv`.

Spreadsheets take a text that begins with one of `= + - @` for a formula, also one out of a foreign file: such a text is
given with an apostrophe before it, which they do not show. Numbers are left as they are.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rest_framework.renderers import BaseRenderer

_BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class CSVRenderer(BaseRenderer):
    """A document made by `csv_of`, as it is."""

    media_type = "text/csv"
    format = "csv"
    charset = "utf-8"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> str:
        """The text."""
        return str(data)


def csv_of(columns: Sequence[str], rows: Iterable[Mapping[str, Any]], *, texts: Sequence[str]) -> str:
    """The rows under their columns. `texts` are the columns that hold what somebody has written. What is unavailable
    is given as its code, and nothing as nothing.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_harmless(_cell(row.get(name)), is_text=name in texts) for name in columns])
    return out.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, Mapping):
        return str(value.get("unavailable", ""))
    return "" if value is None else str(value)


def _harmless(cell: str, *, is_text: bool) -> str:
    return f"'{cell}" if is_text and cell.startswith(_BEGINS_A_FORMULA) else cell
