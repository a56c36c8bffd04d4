"""What is owed, what is on its way, what is done; who depends on what; how far the market's news has been carried."""

from __future__ import annotations

import datetime

from django.db import models
from django.db.models import F, Q

from portfolio.models import Id

NO_DATE = datetime.date.min


class Calculation(models.Model):
    """The calculations of one kind for one portfolio, as counters that only rise.

    Of positions `*_seq` is the portfolio's change_seq; of valuations it is the change_seq that the positions under them
    were computed from, and `*_date` is the day up to which they go (`NO_DATE` where none was asked for yet).

    Owed is `requested_seq` > `done_seq`, or the same of the market's or of the day; on its way is what was dispatched
    and is not yet done. `requested_at` is since when something is owed. `attempts` counts the dispatches since the last
    success, those that nobody answered too: the more there were, the longer an answer is waited for. `failures` counts
    how often a calculator said that it could not, since the last success, the last new request or a person's asking
    again: after a number of them no more is tried. `not_before` is set exactly while the calculation has failed.

    Of the columns that change with every calculation none is in an index or in an index's condition: such updates stay
    in their page (0002 leaves room there) and write no index entry. `not_before` may be indexed, since it only changes
    where something failed. What is open is therefore found by walking the portfolios (see `orchestrator.sweep`).
    """

    class Kind(models.TextChoices):
        POSITIONS = "POSITIONS"
        VALUATIONS = "VALUATIONS"

    class State(models.TextChoices):
        IDLE = "IDLE", "nothing on its way"
        DISPATCHED = "DISPATCHED", "on its way"
        FAILED = "FAILED", "failed"

    portfolio_id = Id()
    kind = models.CharField(max_length=10, choices=Kind)
    state = models.CharField(max_length=10, choices=State, db_default=State.IDLE)
    requested_seq = models.BigIntegerField(db_default=0)
    requested_market_seq = models.BigIntegerField(db_default=0)
    dispatched_seq = models.BigIntegerField(db_default=0)
    dispatched_market_seq = models.BigIntegerField(db_default=0)
    done_seq = models.BigIntegerField(db_default=0)
    done_market_seq = models.BigIntegerField(db_default=0)
    requested_date = models.DateField(default=NO_DATE, db_default=NO_DATE)
    dispatched_date = models.DateField(default=NO_DATE, db_default=NO_DATE)
    done_date = models.DateField(default=NO_DATE, db_default=NO_DATE)
    interests_seq = models.BigIntegerField(db_default=0, help_text="which of the sets of interests told is known here")
    attempts = models.PositiveIntegerField(db_default=0)
    failures = models.PositiveIntegerField(db_default=0)
    error = models.TextField(blank=True, db_default="")
    requested_at = models.DateTimeField(null=True, blank=True)
    dispatched_at = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)
    not_before = models.DateTimeField(null=True, blank=True, help_text="after a failure: when it is tried again")

    class Meta:
        db_table = "calculations"
        constraints = [
            models.UniqueConstraint(fields=["portfolio_id", "kind"], name="a_portfolio_has_one_calculation_a_kind"),
            models.CheckConstraint(
                condition=Q(dispatched_seq__lte=F("requested_seq"))
                & Q(dispatched_market_seq__lte=F("requested_market_seq"))
                & Q(dispatched_date__lte=F("requested_date")),
                name="what_is_dispatched_was_requested",
            ),
            models.CheckConstraint(
                condition=Q(state="FAILED", not_before__isnull=False)
                | (~Q(state="FAILED") & Q(not_before__isnull=True)),
                name="what_failed_says_when_it_is_tried_again",
            ),
        ]
        indexes = [models.Index(fields=["not_before", "id"], name="calculations_failed_first")]

    def __str__(self) -> str:
        return f"{self.portfolio_id} {self.kind}"

    @property
    def pending(self) -> bool:
        """Whether something is owed: requested and not yet done."""
        return (
            self.requested_seq > self.done_seq
            or self.requested_market_seq > self.done_market_seq
            or self.requested_date > self.done_date
        )

    def wait(self, *, now: datetime.datetime) -> datetime.timedelta | None:
        """From the request to its done, or until now while it is pending; None where nothing was ever requested."""
        until = now if self.pending else self.done_at
        if self.requested_at is None or until is None:
            return None
        return max(until - self.requested_at, datetime.timedelta())


class Interest(models.Model):
    """A portfolio's figures depend on a security or a currency, from a date on.

    The positions' calculator tells both. `QUOTE` is a currency that prices of the securities are quoted in though
    nothing is held in it: the valuations' calculator comes upon it, and only values depend on it.
    """

    class Kind(models.TextChoices):
        SECURITY = "SECURITY"
        CURRENCY = "CURRENCY"
        QUOTE = "QUOTE"

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


class MarketRound(models.Model):
    """The one row that says how far the market's news has been carried to the portfolios that depend on it.

    All of it up to `told_seq` has been requested of everyone; what came after that, up to `target_seq`, of the
    portfolios up to `portfolio_id`. Between rounds the two are equal.
    """

    told_seq = models.BigIntegerField(db_default=0)
    target_seq = models.BigIntegerField(db_default=0)
    portfolio_id = Id(blank=True, db_default="")

    class Meta:
        db_table = "market_rounds"
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="there_is_one_market_round"),
            models.CheckConstraint(condition=Q(told_seq__lte=F("target_seq")), name="a_market_round_goes_forward"),
        ]

    def __str__(self) -> str:
        return f"told up to {self.told_seq}"
