"""The ledger: every version of every transaction, as submitted, append-only."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from portfolio.models import Id, SubmittedNumber
from portfolio.transaction_types import TRANSACTION_TYPES


class Transaction(models.Model):
    """One version of a transaction: quantities and amounts unsigned, money in `currency`, the money of the trade.

    The fields are the normalised ones (`instrument_id` has become `security_id`, defaults are filled in); `submitted`
    keeps the record as it came. `change_seq` and `recorded_at` are those of the portfolio's mark. The highest version
    of an id counts; see `transactions.queries.effective`.
    """

    class Status(models.TextChoices):
        BOOKED = "BOOKED"
        CANCELLED = "CANCELLED"

    id = models.BigAutoField(primary_key=True)
    portfolio_id = Id()
    transaction_id = Id()
    version = models.PositiveIntegerField(default=1)
    status = models.CharField(max_length=9, choices=Status, default=Status.BOOKED)
    transaction_type = models.CharField(max_length=20, choices=[(name, name) for name in TRANSACTION_TYPES])
    security_id = Id(null=True, blank=True)
    transaction_date = models.DateField(help_text="the trade date, as written")
    transaction_time = models.TimeField(
        null=True, blank=True, help_text="the trade time, as written, in its own offset"
    )
    settlement_date = models.DateField(null=True, blank=True)
    quantity = SubmittedNumber(null=True, blank=True)
    price = SubmittedNumber(null=True, blank=True)
    gross_transaction_amount = SubmittedNumber(null=True, blank=True)
    currency = models.CharField(max_length=10)
    trade_fee = SubmittedNumber(default=0)
    tax = SubmittedNumber(default=0)
    transaction_fx_rate = SubmittedNumber(null=True, blank=True)
    lots = models.JSONField(null=True, blank=True)
    ratio_new = SubmittedNumber(null=True, blank=True)
    ratio_old = SubmittedNumber(null=True, blank=True)
    target_security_id = Id(null=True, blank=True)
    cost_fraction = SubmittedNumber(null=True, blank=True)
    target_currency = models.CharField(max_length=10, null=True, blank=True)
    target_amount = SubmittedNumber(null=True, blank=True)
    linked_portfolio_id = Id(null=True, blank=True)
    linked_transaction_id = Id(null=True, blank=True)
    acquisition_date = models.DateField(null=True, blank=True)
    source_system = models.CharField(max_length=64, null=True, blank=True)
    note = models.CharField(max_length=1000, null=True, blank=True)
    submitted = models.JSONField(help_text="the record as it travelled")
    submitted_by = models.CharField(max_length=150, blank=True)
    content_hash = models.BinaryField(max_length=16, help_text="of the normalised content")
    change_seq = models.BigIntegerField()
    recorded_at = models.DateTimeField()

    class Meta:
        db_table = "transactions"
        constraints = [
            models.UniqueConstraint(
                fields=["portfolio_id", "transaction_id", "version"], name="a_version_is_recorded_once"
            ),
            models.CheckConstraint(condition=Q(version__gte=1), name="versions_count_from_one"),
            models.CheckConstraint(
                condition=Q(trade_fee__gte=0)
                & Q(tax__gte=0)
                & (Q(quantity=None) | Q(quantity__gte=0))
                & (Q(price=None) | Q(price__gte=0))
                & (Q(gross_transaction_amount=None) | Q(gross_transaction_amount__gte=0)),
                name="amounts_are_submitted_unsigned",
            ),
            models.CheckConstraint(
                condition=Q(transaction_fx_rate=None) | Q(transaction_fx_rate__gt=0), name="a_deal_rate_is_positive"
            ),
        ]
        indexes = [
            models.Index(fields=["portfolio_id", "change_seq"], name="transactions_by_change_seq"),
            models.Index(fields=["portfolio_id", "transaction_date"], name="transactions_by_trade_date"),
            models.Index(
                fields=["linked_portfolio_id", "linked_transaction_id"],
                condition=Q(linked_transaction_id__isnull=False),
                name="transactions_by_link",
            ),
            models.Index(fields=["portfolio_id", "security_id"], name="transactions_by_security"),
            models.Index(
                fields=["portfolio_id"],
                condition=Q(target_security_id__isnull=False),
                name="transactions_with_a_target",
            ),
            models.Index(
                fields=["portfolio_id"],
                condition=Q(acquisition_date__isnull=False),
                name="transactions_acquired_earlier",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.portfolio_id} {self.transaction_id} version {self.version}"
