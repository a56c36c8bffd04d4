"""Pages of a list that was booked for the answer: the same parameters, cursors and shape as those of stored rows."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portfolio.pagination import Cursor, KeysetPagination, use_instead
from positions.variants.asked import Reading

Key = tuple[str | int, ...]


class Row(NamedTuple):
    """One line of the list: the key that it is sorted by, unique in the list, and its answer or how to make it."""

    key: Key
    answer: dict[str, Any] | Callable[[], dict[str, Any]]


class BookedPages(KeysetPagination):
    """Pages by the key of the last row given. An ordering that begins with `-` is the falling one."""

    def page(self, rows: Sequence[Row], request: Request, view: APIView) -> Response:
        """The page asked for of the rows, given in rising order. Raises rest_framework's ValidationError."""
        self.begin(request)
        ordering, _ = self._ordering(request, view)
        size, cursor = self._size(request), self._cursor(request, ordering)
        falling = ordering.startswith("-")
        start, end = _window([row.key for row in rows], cursor, size, down=falling)
        page = list(rows[start:end])
        below, above = start > 0, end < len(rows)
        if falling:
            page.reverse()
            below, above = above, below
        self.next_address = self.previous_address = None
        if page and above:
            self.next_address = self._address(Cursor(ordering, False, page[-1].key))  # noqa: FBT003
        if page and below:
            self.previous_address = self._address(Cursor(ordering, True, page[0].key))  # noqa: FBT003
        return self.get_paginated_response([row.answer() if callable(row.answer) else row.answer for row in page])


def _window(keys: Sequence[Key], cursor: Cursor | None, size: int, *, down: bool) -> tuple[int, int]:
    """Which of the rising keys the page has."""
    upwards = (cursor is not None and cursor.backwards) == down
    try:
        if cursor is None:
            place = 0 if upwards else len(keys)
        else:
            place = bisect_right(keys, cursor.key) if upwards else bisect_left(keys, cursor.key)
    except TypeError as error:
        raise ValidationError({"cursor": ["is not one that this list gave out"]}) from error
    return (place, min(place + size, len(keys))) if upwards else (max(place - size, 0), place)


def say_what_was_used(request: Request, found: Reading) -> None:
    """Let further pages ask for the very variant that this one shows."""
    answered = {"as_of": found.as_of.isoformat(), "known_at": found.known_at.isoformat().replace("+00:00", "Z")}
    use_instead(request, **answered, cost_method=found.cost_method)
