"""What each portfolio was worth at the end of every day, how far that is known, and from which day on it is owed."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from portfolio.models import Id
from positions.models.number import Number


class PositionChange(models.Model):
    """From which day on a calculation has changed a portfolio's rows: what is worked out from them follows.

    One row for each calculation that changed something, written in its own database transaction: no day before
    `changed_from` has other rows in `position_days` than it had. Rows are only ever added; who has followed one
    deletes it. A calculation over other rates has the `computed_seq` of the one before.
    """

    id = models.BigAutoField(primary_key=True)
    portfolio_id = Id()
    computed_seq = models.BigIntegerField()
    changed_from = models.DateField()

    class Meta:
        db_table = "position_changes"
        indexes = [models.Index(fields=["portfolio_id", "computed_seq"], name="position_changes_by_portfolio")]

    def __str__(self) -> str:
        return f"{self.portfolio_id} at {self.computed_seq}: from {self.changed_from}"


class DailyValuation(models.Model):
    """What a portfolio was worth at the end of a day, and what crossed its border in it, in its base currency.

    One row for every calendar day, from the day before the first entry on: see `analytics.days.Day`. Where a figure is
    NaN, `missing` is the code that says why.
    """

    pk = models.CompositePrimaryKey("portfolio_id", "valuation_date")
    portfolio_id = Id()
    valuation_date = models.DateField()
    value = Number()
    securities = Number()
    cash = Number()
    inflow = Number()
    outflow = Number()
    income = Number()
    fees = Number()
    taxes = Number()
    fees_in_cost = Number()
    flags = ArrayField(models.TextField(), default=list)
    missing = models.TextField(blank=True)

    class Meta:
        db_table = "daily_valuations"

    def __str__(self) -> str:
        return f"{self.portfolio_id} {self.valuation_date}: {self.value}"


class ValuationState(models.Model):
    """How far a portfolio's days are valued, and with what.

    `computed_seq` is that of the position rows the days were made from, `market_seq` the last change of prices and
    rates they saw; the days go from `first_date` to `last_date` (none where there is no entry), all in `base_currency`.
    `quoted_in` are currencies that prices used were quoted in, other than the holdings' own.
    """

    portfolio_id = Id(primary_key=True)
    computed_seq = models.BigIntegerField(default=0)
    market_seq = models.BigIntegerField(default=0)
    base_currency = models.CharField(max_length=10, blank=True)
    first_date = models.DateField(null=True)
    last_date = models.DateField(null=True)
    quoted_in = ArrayField(models.TextField(), default=list)
    error = models.TextField(blank=True)
    computed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "valuation_states"

    def __str__(self) -> str:
        return f"{self.portfolio_id} at {self.computed_seq}, up to {self.last_date}"
