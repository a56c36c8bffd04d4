"""What moves in kind: within a portfolio, over its border, and from one portfolio to another."""

from __future__ import annotations

from django.db import models

from portfolio.models import Id
from positions.engine.links import WENT_TO_ANOTHER
from positions.models.number import Number


class GivenLot(models.Model):
    """A lot as a TRANSFER_OUT gave it away: what the TRANSFER_IN linked to it takes, here or in another portfolio.

    An OUT that was oversold has one row without a lot. Costs are in `currency`, the giver's local one, and in
    `base_currency`, the giver's base.
    """

    id = models.BigAutoField(primary_key=True)
    portfolio_id = Id()
    transaction_id = Id()
    transaction_date = models.DateField()
    transaction_time_us = models.BigIntegerField()
    transaction_rank = models.SmallIntegerField()
    security_id = Id()
    transferred = Number(help_text="the quantity as submitted")
    currency = models.CharField(max_length=10)
    base_currency = models.CharField(max_length=10)
    acquisition_date = models.DateField(null=True)
    acquisition_time_us = models.BigIntegerField(null=True)
    opening_transaction_id = Id(null=True)
    opening_portfolio_id = Id(null=True)
    quantity = Number()
    cost_basis = Number()
    cost_basis_base = Number()

    class Meta:
        db_table = "given_lots"
        indexes = [models.Index(fields=["portfolio_id", "transaction_id"], name="given_lots_by_transaction")]

    def __str__(self) -> str:
        return f"{self.portfolio_id} {self.transaction_id} gave {self.quantity} {self.security_id}"


class Move(models.Model):
    """Units that came, went or changed hands in kind; what they are worth is known at the end of the day.

    In with a target, out with a source (negative), from one holding to another with both: quantity, split ratio and
    cost are those of the target, or of the source where nothing is the target. See `engine.moves`.
    """

    id = models.BigAutoField(primary_key=True)
    portfolio_id = Id()
    transaction_id = Id()
    move_date = models.DateField()
    source_id = Id(null=True)
    target_id = Id(null=True)
    quantity = Number()
    split_ratio = Number()
    cost_basis = Number()
    cost_basis_base = Number()
    booked_base = Number()

    class Meta:
        db_table = "moves"
        constraints = [
            models.UniqueConstraint(fields=["portfolio_id", "move_date", "transaction_id"], name="units_move_once")
        ]

    def __str__(self) -> str:
        return f"{self.portfolio_id} {self.transaction_id}: {self.quantity}"


class TransferLink(models.Model):
    """A TRANSFER_IN that names its TRANSFER_OUT, and the digest of the lots it was booked with, or why with none."""

    id = models.BigAutoField(primary_key=True)
    portfolio_id = Id()
    transaction_id = Id()
    transaction_date = models.DateField()
    transaction_time_us = models.BigIntegerField()
    transaction_rank = models.SmallIntegerField()
    security_id = Id()
    quantity = Number()
    linked_portfolio_id = Id()
    linked_transaction_id = Id()
    received = models.TextField()

    class Meta:
        db_table = "transfer_links"
        constraints = [
            models.UniqueConstraint(fields=["portfolio_id", "transaction_id"], name="a_transfer_in_has_one_link")
        ]
        indexes = [
            models.Index(fields=["linked_portfolio_id", "linked_transaction_id"], name="transfer_links_by_out"),
            models.Index(
                fields=["portfolio_id"],
                condition=models.Q(received__endswith=WENT_TO_ANOTHER),
                name="transfer_links_that_lost",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.portfolio_id} {self.transaction_id} from {self.linked_portfolio_id} {self.linked_transaction_id}"
