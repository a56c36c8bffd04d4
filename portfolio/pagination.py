"""Pages of a list by the key of the last row seen, so that the thousandth page costs what the first does.

An offset makes the database walk over every row before the page; a key lets an index start at it. Because the key ends
in something unique, rows that tie in the order a person asked for (many trades of one day) are each visited exactly
once, and rows recorded meanwhile neither repeat nor push out others.

A view names its orders in `orderings`: the name a client gives -> the fields, all rising or, with `-` before each, all
falling. The first is the default. Together the fields of an order are unique within the list.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import BooleanField, F, Func, Model, QuerySet, Value
from django.template import loader
from rest_framework.exceptions import ValidationError as Refusal
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param
from rest_framework.views import APIView

Orderings = Mapping[str, tuple[str, ...]]
PAGE_SIZE = 100
PAGE_SIZE_MAX = 1000
CURSOR_CHARACTERS_MAX = 2000


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a list: beside the row of this key, in this order, looking on or back."""

    ordering: str
    backwards: bool
    key: tuple[str | int, ...]

    def encoded(self) -> str:
        text = json.dumps([self.ordering, self.backwards, self.key], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def decoded(cls, text: str) -> Cursor:
        """Raises ValueError."""
        if len(text) > CURSOR_CHARACTERS_MAX:
            raise ValueError("too long")
        padded = text + "=" * (-len(text) % 4)
        content = json.loads(base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True))
        match content:
            case [str(ordering), bool(backwards), [*key]]:
                return cls(ordering, backwards, tuple(key))
        raise ValueError("not a cursor")


def use_instead(request: Any, **parameters: str) -> None:
    """Say which parameters are answered with another value than was asked for: the answer carries it, and the addresses
    of its other pages ask for it.
    """
    request.used_instead = {**getattr(request, "used_instead", {}), **parameters}


class KeysetPagination(BasePagination):
    """`?cursor=&page_size=&ordering=` -> `{next, previous, results}`; next and previous are whole addresses.

    A list that was asked for as it was known at a moment also says `known_at`, the moment used.
    """

    display_page_controls = True
    page_size = PAGE_SIZE
    page_size_max = PAGE_SIZE_MAX

    def paginate_queryset(self, queryset: Any, request: Request, view: APIView | None = None) -> list[Any] | None:
        """The rows of the page asked for. Raises rest_framework's ValidationError."""
        self.begin(request)
        ordering, fields = self._ordering(request, view)
        size = self._size(request)
        cursor = self._cursor(request, ordering)
        backwards = cursor is not None and cursor.backwards
        order = tuple(_turned(f) for f in fields) if backwards else fields
        rows: QuerySet[Any] = queryset.order_by(*order)
        if cursor is not None:
            rows = rows.filter(_beyond(order, _key(queryset.model, order, cursor.key), queryset.model))
        page = list(rows[: size + 1])
        more = len(page) > size
        page = page[:size]
        if backwards:
            page.reverse()
        names = [f.lstrip("-") for f in fields]
        self.next_address = self.previous_address = None
        if page and (more or backwards):
            self.next_address = self._address(Cursor(ordering, False, _key_of(page[-1], names)))  # noqa: FBT003
        if page and (more if backwards else cursor is not None):
            self.previous_address = self._address(Cursor(ordering, True, _key_of(page[0], names)))  # noqa: FBT003
        return page

    def begin(self, request: Request) -> None:
        """Find out what the addresses of other pages start from."""
        self.used: dict[str, str] = getattr(request, "used_instead", {})
        self.address = request.build_absolute_uri()
        for name, value in self.used.items():
            self.address = replace_query_param(self.address, name, value)

    def get_paginated_response(self, data: Any) -> Response:
        pages = {"next": self.next_address, "previous": self.previous_address}
        return Response({**pages, **self.used, "results": data})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        address = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {
                "next": {**address, "description": "the address of the next page, null on the last"},
                "previous": {**address, "description": "the address of the page before, null on the first"},
                "known_at": {
                    "type": "string",
                    "format": "date-time",
                    "description": "the moment used, where known_at is asked for",
                },
                "results": schema,
            },
        }

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        orderings = list(_orderings(view))
        return [
            {
                "name": "cursor",
                "in": "query",
                "required": False,
                "description": "a place in the list, taken from `next` or `previous` of another page",
                "schema": {"type": "string", "maxLength": CURSOR_CHARACTERS_MAX},
            },
            {
                "name": "page_size",
                "in": "query",
                "required": False,
                "description": f"rows on a page; more than {self.page_size_max} gives {self.page_size_max}",
                "schema": {"type": "integer", "minimum": 1, "default": self.page_size},
            },
            {
                "name": "ordering",
                "in": "query",
                "required": False,
                "description": "the order of the rows, `-` for the falling one",
                "schema": {"type": "string", "enum": orderings, "default": orderings[0]},
            },
        ]

    def to_html(self) -> str:
        context = {"previous_url": self.previous_address, "next_url": self.next_address}
        return loader.get_template("rest_framework/pagination/previous_and_next.html").render(context)

    def _ordering(self, request: Request, view: APIView | None) -> tuple[str, tuple[str, ...]]:
        orderings = _orderings(view)
        name = request.query_params.get("ordering") or next(iter(orderings))
        if name not in orderings:
            raise Refusal({"ordering": [f"is none of {', '.join(orderings)}"]})
        return name, orderings[name]

    def _size(self, request: Request) -> int:
        text = request.query_params.get("page_size", "")
        if not text:
            return self.page_size
        if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text)):
            raise Refusal({"page_size": ["must be a whole number from 1"]})
        return min(int(text), self.page_size_max)

    def _cursor(self, request: Request, ordering: str) -> Cursor | None:
        text = request.query_params.get("cursor", "")
        if not text:
            return None
        try:
            cursor = Cursor.decoded(text)
        except (ValueError, RecursionError) as error:
            raise Refusal({"cursor": ["is not one that this list gave out"]}) from error
        if cursor.ordering != ordering:
            raise Refusal({"cursor": [f"belongs to the ordering {cursor.ordering}, not to {ordering}"]})
        return cursor

    def _address(self, cursor: Cursor) -> str:
        return replace_query_param(remove_query_param(self.address, "cursor"), "cursor", cursor.encoded())


def _orderings(view: APIView | None) -> Orderings:
    orderings: Orderings = getattr(view, "orderings", {})
    assert orderings, f"{type(view).__name__} names no orderings"
    assert all(len({f.startswith("-") for f in fields}) == 1 for fields in orderings.values()), "one direction an order"
    return orderings


def _turned(field: str) -> str:
    return field[1:] if field.startswith("-") else f"-{field}"


def _key_of(row: Any, names: Sequence[str]) -> tuple[str | int, ...]:
    values = (getattr(row, name) for name in names)
    return tuple(v if isinstance(v, str | int) else v.isoformat() for v in values)


def _key(model: type[Model], order: Sequence[str], given: Sequence[object]) -> list[Any]:
    """The cursor's values as the model's fields read them. Raises rest_framework's ValidationError."""
    try:
        return [_value(model, f.lstrip("-"), v) for f, v in zip(order, given, strict=True)]
    except (ValueError, TypeError, OverflowError, ValidationError) as error:
        raise Refusal({"cursor": ["is not one that this list gave out"]}) from error


def _value(model: type[Model], name: str, given: object) -> Any:
    # What cannot be printed (a NUL, half a surrogate) was never in a key, and would be an error of the database.
    if not (isinstance(given, str | int) and str(given).isprintable()):
        raise ValueError("not a key of this list")
    field: Any = model._meta.get_field(name)
    return field.to_python(given)


class _Row(Func):
    """`ROW(a, b, c)`, compared field by field: an index that starts with these fields is entered at the key."""

    function = "ROW"
    output_field = BooleanField()


class _Further(Func):
    """`row > row`."""

    template = "%(expressions)s"
    output_field = BooleanField()


def _beyond(order: Sequence[str], key: Sequence[Any], model: type[Model]) -> _Further:
    """The rows after the key."""
    names = [f.lstrip("-") for f in order]
    fields = [model._meta.get_field(name) for name in names]
    values = [Value(v, output_field=f) for f, v in zip(fields, key, strict=True)]  # type: ignore[arg-type]
    return _Further(
        _Row(*(F(name) for name in names)), _Row(*values), arg_joiner=" < " if order[0].startswith("-") else " > "
    )
