"""How far each portfolio is calculated, and what it holds: positions now and at the end of each day, and open lots."""

from __future__ import annotations

from decimal import Decimal

from django.contrib.postgres.fields import ArrayField
from django.db import models

from portfolio.models import Id
from portfolio.money import exact, rounded
from positions.models.number import Number


class PortfolioState(models.Model):
    """How far a portfolio's positions are calculated, and with what.

    `computed_seq` and `market_seq` say which ledger and which market data the rows were computed from; what is newer
    is owed. `last_*` is the key of the last entry booked: what sorts after it is appended, what sorts before replays.
    """

    portfolio_id = Id(primary_key=True)
    computed_seq = models.BigIntegerField(default=0)
    market_seq = models.BigIntegerField(default=0)
    interests_seq = models.BigIntegerField(default=0, help_text="how often its interests have changed")
    base_currency = models.CharField(max_length=10, blank=True)
    cost_basis_method = models.CharField(max_length=10, blank=True)
    cash_tracked = models.BooleanField(default=False)
    provisional = models.BooleanField(default=True)
    last_date = models.DateField(null=True)
    last_time_us = models.BigIntegerField(default=0)
    last_rank = models.SmallIntegerField(default=0)
    last_transaction_id = Id(blank=True)
    error = models.TextField(blank=True)
    computed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "portfolio_states"

    def __str__(self) -> str:
        return f"{self.portfolio_id} at {self.computed_seq}"


class HoldingKind(models.TextChoices):
    """What is held."""

    SECURITY = "SECURITY"
    CASH = "CASH"


class HoldingFigures(models.Model):
    """The running totals of a holding, at the end of some day or now.

    `cost_basis_base` sums the lots whose base cost is known; it is the whole only where `unrated_lots` is 0.
    `trade_price` is the price of the last own trade; `split_ratio` multiplies up the splits so far, `trade_split_ratio`
    those up to that trade.
    """

    portfolio_id = Id()
    kind = models.CharField(max_length=8, choices=HoldingKind)
    security_id = Id(help_text="for cash, the currency")
    currency = models.CharField(max_length=10)
    quantity = Number()
    cost_basis = Number()
    cost_basis_base = Number()
    unrated_lots = models.IntegerField(default=0)
    realized_gain = Number()
    realized_gain_base = Number()
    realized_fx_gain_base = Number()
    income = Number()
    income_base = Number()
    fees_base = Number()
    taxes_base = Number()
    fees_in_cost_base = Number()
    money_in_base = Number()
    money_out_base = Number()
    inflow_base = Number()
    outflow_base = Number()
    split_ratio = Number()
    trade_price = Number(null=True)
    trade_price_currency = models.CharField(max_length=10, null=True)
    trade_price_date = models.DateField(null=True)
    trade_split_ratio = Number()
    carried_from = Id(null=True, help_text="the symbol before, whose price counts until there is one of its own")
    carried_date = models.DateField(null=True)
    carried_ratio = Number(default=1)
    carried_price = Number(null=True)
    carried_price_currency = models.CharField(max_length=10, null=True)
    carried_price_date = models.DateField(null=True)
    rated_sums = ArrayField(Number(), null=True, help_text="where a sum misses a rate: see engine.holdings")
    flags = ArrayField(models.TextField(), default=list)

    class Meta:
        abstract = True


class Position(HoldingFigures):
    """A holding as it stands after the last entry booked."""

    id = models.BigAutoField(primary_key=True)
    first_date = models.DateField(null=True, help_text="of the first entry booked into it")

    class Meta:
        db_table = "positions"
        constraints = [
            models.UniqueConstraint(fields=["portfolio_id", "kind", "security_id"], name="a_holding_has_one_position")
        ]

    def __str__(self) -> str:
        return f"{self.portfolio_id} {self.security_id}: {self.quantity}"


class PositionDay(HoldingFigures):
    """A holding at the end of a day on which it changed; it stands until the next such day."""

    id = models.BigAutoField(primary_key=True)
    position_date = models.DateField()

    class Meta:
        db_table = "position_days"
        constraints = [
            models.UniqueConstraint(
                fields=["portfolio_id", "kind", "security_id", "position_date"], name="a_holding_has_one_row_a_day"
            )
        ]
        indexes = [
            models.Index(
                fields=["portfolio_id"],
                condition=models.Q(carried_from__isnull=False),
                name="position_days_of_a_new_symbol",
            )
        ]

    def __str__(self) -> str:
        return f"{self.portfolio_id} {self.security_id} {self.position_date}: {self.quantity}"


LOT_ORDER = ("security_id", "acquisition_date", "acquisition_time_us", "opening_transaction_id", "id")


class Lot(models.Model):
    """An open lot. It is known in its holding by its acquisition and by the transaction that first opened it."""

    id = models.BigAutoField(primary_key=True)
    portfolio_id = Id()
    security_id = Id()
    acquisition_date = models.DateField()
    acquisition_time_us = models.BigIntegerField(
        help_text="microseconds into the acquisition date; 24:00 is a whole day"
    )
    opening_transaction_id = Id()
    opening_portfolio_id = Id()
    quantity = Number()
    cost_basis = Number()
    cost_basis_base = Number()

    class Meta:
        db_table = "lots"
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "portfolio_id",
                    "security_id",
                    "acquisition_date",
                    "acquisition_time_us",
                    "opening_transaction_id",
                    "opening_portfolio_id",
                ],
                name="lots_of_one_acquisition_are_one_lot",
            )
        ]

    def __str__(self) -> str:
        return f"{self.portfolio_id} {self.security_id} {self.opening_transaction_id}: {self.quantity}"

    @property
    def unit_cost(self) -> Decimal:
        """Cost of one unit, in the holding's currency."""
        with exact():
            unit_cost: Decimal = self.cost_basis / self.quantity
            return rounded(unit_cost)
