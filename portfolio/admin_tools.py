"""What every admin page here is made of: read-only, quick on tables of many millions of rows, decimals spelled plainly.

Django's admin counts every row, offers every distinct value of a filtered column and sorts by whatever heading is
clicked: each of these reads the whole table. Here counting stops at a limit, filters are typed or come from a fixed
list, and the order is the key's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, ClassVar, cast

from django.contrib import admin
from django.contrib.admin.options import ModelAdmin
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString

from portfolio.money import plain
from portfolio.queries import readable

ROWS_COUNTED_MAX = 10_000
FEW_ROWS = 1000
ROWS_ON_A_PAGE = 100


class MoreThan(int):
    """A count that was given up: at least so many."""

    def __str__(self) -> str:
        return f"more than {int(self):,}"


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts up to ROWS_COUNTED_MAX rows and offers the pages of those: what is further is found by narrowing."""

    @cached_property
    def count(self) -> int:
        rows = cast(QuerySet[Any], self.object_list).order_by()
        counted = rows[: ROWS_COUNTED_MAX + 1].count()
        return counted if counted <= ROWS_COUNTED_MAX else MoreThan(ROWS_COUNTED_MAX)


class OnceFoundList(ChangeList):
    """Where few rows are asked for they are looked for once, and not once to count and once to list them."""

    def get_results(self, request: HttpRequest) -> None:
        keys = list(self.queryset.order_by().values_list("pk", flat=True)[: FEW_ROWS + 1])
        if len(keys) <= FEW_ROWS:
            self.queryset = self.root_queryset.filter(pk__in=keys).order_by(*self.queryset.query.order_by)
        super().get_results(request)


class ReadOnlyAdmin(ModelAdmin):  # type: ignore[type-arg]
    """Rows to look at. Of a table with portfolio ids only those of the portfolios that the user may read."""

    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = ROWS_ON_A_PAGE
    list_max_show_all = ROWS_ON_A_PAGE
    sortable_by = ()
    ordering: ClassVar[Any] = ("pk",)

    class Media:
        css = {"all": ("portfolio/admin.css",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        if any(field.name == "portfolio_id" for field in self.opts.concrete_fields):
            return readable(request.user, rows)
        return rows

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        return OnceFoundList

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class TypedFilter(admin.FieldListFilter):
    """A filter whose value is typed in, where listing the values there are would read the whole table."""

    template = "admin/typed_filter.html"

    def expected_parameters(self) -> list[str | None]:
        return [self.field_path]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        given = cast("list[str]", self.used_parameters.get(self.field_path) or [""])
        kept = {k: v for k, v in changelist.filter_params.items() if k not in (self.field_path, PAGE_VAR)}
        yield {
            "name": self.field_path,
            "value": given[0],
            "kept": [(name, value) for name, values in kept.items() for value in values],
            "without": changelist.get_query_string(remove=[self.field_path]),
        }


def decimal_column(name: str) -> Callable[[Any], str]:
    """A column of a list: the field's number in its plain spelling."""

    @admin.display(description=name.replace("_", " "))
    def column(row: Model) -> str:
        number: Decimal | None = getattr(row, name)
        return "" if number is None else format_html('<span class="number">{}</span>', plain(number))

    column.__name__ = name
    return column


def pretty_json(content: Any) -> SafeString:
    """JSON, a field a line."""
    return format_html('<pre class="json">{}</pre>', json.dumps(content, indent=2, ensure_ascii=False, default=str))
