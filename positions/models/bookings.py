"""What single transactions did: the cash they moved, the lots they disposed of, and what was not booked as asked."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from portfolio.models import Id
from positions.models.number import Number


class CashMovement(models.Model):
    """What one entry did to the cash of a currency, in one step: see `engine.postings`. Cash is the sum of these.

    `amount` is what moved, in the currency, and `amount_base` its worth in base; nothing where no cash is kept. A sum
    that nothing was added to is empty.
    """

    id = models.BigAutoField(primary_key=True)
    portfolio_id = Id()
    currency = models.CharField(max_length=10)
    movement_date = models.DateField()
    movement_time_us = models.BigIntegerField()
    movement_rank = models.SmallIntegerField()
    transaction_id = Id()
    leg = models.SmallIntegerField(help_text="which step of its transaction, from 0")
    security_id = Id(null=True)
    amount = Number(null=True)
    amount_base = Number(null=True)
    income = Number(null=True)
    income_base = Number(null=True)
    fees_base = Number(null=True)
    taxes_base = Number(null=True)
    inflow_base = Number(null=True)
    outflow_base = Number(null=True)
    flags = ArrayField(models.TextField(), null=True)
    place = ArrayField(
        models.TextField(),
        null=True,
        help_text="of a linked TRANSFER_IN behind its OUT: the OUT's time, rank, id and portfolio",
    )

    class Meta:
        db_table = "cash_movements"
        constraints = [
            models.UniqueConstraint(
                fields=["portfolio_id", "currency", "movement_date", "transaction_id", "leg"],
                name="an_entry_moves_cash_once_a_leg",
            )
        ]

    def __str__(self) -> str:
        return f"{self.portfolio_id} {self.transaction_id}: {self.amount} {self.currency}"


DISPOSAL_ORDER = ("disposal_date", "closing_transaction_id", "security_id", "piece", "id")


class Disposal(models.Model):
    """A closed piece of a lot, or what a merger's cash or a return of capital relieved of one (quantity 0)."""

    id = models.BigAutoField(primary_key=True)
    portfolio_id = Id()
    security_id = Id()
    currency = models.CharField(max_length=10)
    opening_transaction_id = Id(null=True)
    opening_portfolio_id = Id(null=True)
    closing_transaction_id = Id()
    acquisition_date = models.DateField(null=True)
    acquisition_time_us = models.BigIntegerField(null=True)
    disposal_date = models.DateField()
    disposal_time_us = models.BigIntegerField()
    piece = models.IntegerField(help_text="which piece of its closing transaction, from 0")
    quantity = Number()
    proceeds = Number()
    cost_basis = Number()
    realized_gain = Number()
    proceeds_base = Number()
    cost_basis_base = Number()
    realized_gain_base = Number()
    realized_fx_gain_base = Number()

    class Meta:
        db_table = "disposals"
        constraints = [
            models.UniqueConstraint(
                fields=["portfolio_id", "disposal_date", "closing_transaction_id", "security_id", "piece"],
                name="a_piece_is_disposed_of_once",
            )
        ]
        indexes = [models.Index(fields=["portfolio_id", "security_id", "disposal_date"], name="disposals_by_security")]

    def __str__(self) -> str:
        return f"{self.portfolio_id} {self.security_id} {self.closing_transaction_id}: {self.quantity}"

    @property
    def days_held(self) -> int | None:
        """Days from acquisition to disposal."""
        return (self.disposal_date - self.acquisition_date).days if self.acquisition_date else None


class BookingException(models.Model):
    """A transaction left out of the positions, or booked otherwise than it asked, and why; it heals by itself."""

    id = models.BigAutoField(primary_key=True)
    portfolio_id = Id()
    transaction_id = Id()
    transaction_date = models.DateField()
    code = models.CharField(max_length=24)
    security_id = Id(null=True)
    quantity = Number(null=True)
    detail = models.TextField()

    class Meta:
        db_table = "booking_exceptions"
        constraints = [
            models.UniqueConstraint(
                fields=["portfolio_id", "code", "transaction_id"], name="an_exception_is_listed_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.portfolio_id} {self.transaction_id}: {self.code}"
