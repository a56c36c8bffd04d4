"""What is owed, what is on its way, what is done; and who depends on what."""

from __future__ import annotations

from django.db import models

from portfolio.models import Id


class Calculation(models.Model):
    """The calculations of one kind for one portfolio, as counters that only rise.

    Owed is `requested_seq` > `done_seq`, or the same of `requested_market_seq`; on its way is what was dispatched and not
    yet done. Counters are changed by compare-and-set; nothing that changes is indexed.
    """

    class Kind(models.TextChoices):
        POSITIONS = "POSITIONS"
        VALUATIONS = "VALUATIONS"

    class State(models.TextChoices):
        IDLE = "IDLE", "nothing owed"
        DISPATCHED = "DISPATCHED", "on its way"
        FAILED = "FAILED"

    portfolio_id = Id()
    kind = models.CharField(max_length=10, choices=Kind)
    state = models.CharField(max_length=10, choices=State, default=State.IDLE)
    requested_seq = models.BigIntegerField(default=0)
    requested_market_seq = models.BigIntegerField(default=0)
    dispatched_seq = models.BigIntegerField(default=0)
    dispatched_market_seq = models.BigIntegerField(default=0)
    done_seq = models.BigIntegerField(default=0)
    done_market_seq = models.BigIntegerField(default=0)
    interests_seq = models.BigIntegerField(default=0)
    rebuild = models.BooleanField(default=False)
    from_date = models.DateField(null=True, blank=True, help_text="the first day whose market data changed")
    attempts = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)
    requested_at = models.DateTimeField(null=True, blank=True)
    dispatched_at = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)
    not_before = models.DateTimeField(null=True, blank=True, help_text="after a failure: when it is tried again")

    class Meta:
        db_table = "calculations"
        constraints = [
            models.UniqueConstraint(fields=["portfolio_id", "kind"], name="a_portfolio_has_one_calculation_a_kind")
        ]

    def __str__(self) -> str:
        return f"{self.portfolio_id} {self.kind}"


class Interest(models.Model):
    """A portfolio's figures depend on a security or a currency, from a date on."""

    class Kind(models.TextChoices):
        SECURITY = "SECURITY"
        CURRENCY = "CURRENCY"

    portfolio_id = Id()
    kind = models.CharField(max_length=8, choices=Kind)
    name = Id()
    since_date = models.DateField()

    class Meta:
        db_table = "interests"
        constraints = [
            models.UniqueConstraint(fields=["kind", "name", "portfolio_id"], name="an_interest_is_held_once"),
        ]
        indexes = [models.Index(fields=["portfolio_id"], name="interests_by_portfolio")]

    def __str__(self) -> str:
        return f"{self.portfolio_id} depends on {self.name}"
