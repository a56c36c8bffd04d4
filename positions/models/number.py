"""The column of a derived number."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


class Number(models.Field):  # type: ignore[type-arg]
    """A derived number, plain NUMERIC: 18 decimals, and as many digits before the point as it takes.

    Django's DecimalField wants a fixed precision; a sum of submitted numbers has none.
    """

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "numeric"

    def to_python(self, value: Any) -> Decimal | None:
        return value if value is None or isinstance(value, Decimal) else Decimal(value)

    def get_prep_value(self, value: Any) -> Decimal | None:
        return self.to_python(super().get_prep_value(value))
