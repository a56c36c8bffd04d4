"""The reference data everyone speaks about, the marks of what has changed, and the inbox of what could not be read.

Ids are the clients' own, compared by code point (COLLATE "C" where they are ordered). Moments are UTC.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import F, Q


class SubmittedNumber(models.DecimalField):  # type: ignore[type-arg]
    """A number as submitted: 18 digits before the point and 18 after, kept exactly."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_digits": 36, "decimal_places": 18, **options})


class Id(models.CharField):  # type: ignore[type-arg]
    """A client's id: at most 64 characters, ordered by code point."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_length": 64, "db_collation": "C", **options})


class CostBasisMethod(models.TextChoices):
    """Which lots a disposal takes."""

    FIFO = "FIFO", "first in, first out"
    LIFO = "LIFO", "last in, first out"
    HIFO = "HIFO", "highest unit cost first"
    AVCO = "AVCO", "average cost"
    SPECIFIC = "SPECIFIC", "the lots named"


class CashMode(models.TextChoices):
    """Whether cash is kept as positions of the portfolio."""

    TRACKED = "TRACKED"
    UNTRACKED = "UNTRACKED"


class FromTopic(models.Model):
    """What was said by a record of a topic, and that record's place: of two equal versions the later one stands.

    `topic_id` is the broker's own: offsets of one partition compare, those of a topic made anew do not.
    """

    topic_id = models.CharField(max_length=64, blank=True, default="")
    partition = models.IntegerField(null=True, blank=True)
    offset = models.BigIntegerField(null=True, blank=True)

    class Meta:
        abstract = True


class Portfolio(FromTopic):
    """The attributes of a portfolio, as last submitted. One without a row here is provisional."""

    portfolio_id = Id(primary_key=True)
    version = models.PositiveIntegerField(default=1)
    name = models.CharField(max_length=1000, blank=True)
    base_currency = models.CharField(max_length=10)
    cost_basis_method = models.CharField(max_length=10, choices=CostBasisMethod, default=CostBasisMethod.FIFO)
    cash_mode = models.CharField(max_length=10, choices=CashMode, default=CashMode.TRACKED)
    allow_short = models.BooleanField(default=False)
    fees_in_cost = models.BooleanField(default=True)
    open_date = models.DateField(null=True, blank=True)
    benchmark_security_id = Id(null=True, blank=True)
    recorded_at = models.DateTimeField()

    class Meta:
        db_table = "portfolios"
        permissions = [
            ("view_any_portfolio", "Can read every portfolio"),
            ("write_any_portfolio", "Can submit to every portfolio"),
        ]

    def __str__(self) -> str:
        return str(self.portfolio_id)


class Instrument(FromTopic):
    """The attributes of an instrument, as last submitted. One without a row here is provisional."""

    security_id = Id(primary_key=True)
    version = models.PositiveIntegerField(default=1)
    name = models.CharField(max_length=1000, blank=True)
    isin = models.CharField(max_length=12, blank=True)
    currency = models.CharField(max_length=10)
    asset_class = models.CharField(max_length=64, blank=True)
    sector = models.CharField(max_length=64, blank=True)
    country = models.CharField(max_length=64, blank=True)
    issuer = models.CharField(max_length=64, blank=True)
    exchange = models.CharField(max_length=64, blank=True)
    price_factor = SubmittedNumber(default=1)
    market_seq = models.BigIntegerField()
    recorded_at = models.DateTimeField()

    class Meta:
        db_table = "instruments"
        indexes = [models.Index(fields=["market_seq"], name="instruments_by_market_seq")]

    def __str__(self) -> str:
        return str(self.security_id)


class ReferenceVersion(models.Model):
    """Every version of a portfolio's or an instrument's attributes that was ever recorded, as submitted."""

    kind = models.CharField(max_length=10, choices=[("PORTFOLIO", "portfolio"), ("INSTRUMENT", "instrument")])
    name = Id()
    version = models.PositiveIntegerField()
    content = models.JSONField()
    submitted_by = models.CharField(max_length=150, blank=True)
    recorded_at = models.DateTimeField()

    class Meta:
        db_table = "reference_versions"
        indexes = [models.Index(fields=["kind", "name", "version"], name="reference_versions_by_name")]

    def __str__(self) -> str:
        return f"{self.name} version {self.version}"


class Price(FromTopic):
    """A market price as quoted on its day. The one believed now has no `superseded_at`; older ones stay known."""

    security_id = Id()
    price_date = models.DateField()
    version = models.PositiveIntegerField(default=1)
    price = SubmittedNumber()
    currency = models.CharField(max_length=10)
    market_seq = models.BigIntegerField()
    recorded_at = models.DateTimeField()
    superseded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "market_prices"
        constraints = [
            models.UniqueConstraint(
                fields=["security_id", "price_date"],
                condition=Q(superseded_at=None),
                name="one_price_of_a_security_and_day_is_believed",
            ),
            models.CheckConstraint(condition=Q(price__gte=0), name="a_market_price_is_not_negative"),
        ]
        indexes = [
            models.Index(fields=["market_seq"], name="market_prices_by_market_seq"),
            models.Index(fields=["security_id", "price_date"], name="market_prices_by_day"),
        ]

    def __str__(self) -> str:
        return f"{self.security_id} {self.price_date}: {self.price} {self.currency}"


class FxRate(FromTopic):
    """A rate of a day: units of `to_currency` for one unit of `from_currency`. Superseded ones stay known."""

    from_currency = models.CharField(max_length=10)
    to_currency = models.CharField(max_length=10)
    rate_date = models.DateField()
    version = models.PositiveIntegerField(default=1)
    rate = SubmittedNumber()
    market_seq = models.BigIntegerField()
    recorded_at = models.DateTimeField()
    superseded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "fx_rates"
        constraints = [
            models.UniqueConstraint(
                fields=["from_currency", "to_currency", "rate_date"],
                condition=Q(superseded_at=None),
                name="one_rate_of_a_pair_and_day_is_believed",
            ),
            models.CheckConstraint(condition=Q(rate__gt=0), name="an_fx_rate_is_positive"),
            models.CheckConstraint(
                condition=~Q(from_currency=F("to_currency")), name="an_fx_rate_joins_two_currencies"
            ),
        ]
        indexes = [
            models.Index(fields=["market_seq"], name="fx_rates_by_market_seq"),
            models.Index(fields=["from_currency", "to_currency", "rate_date"], name="fx_rates_by_day"),
        ]

    def __str__(self) -> str:
        return f"{self.from_currency}/{self.to_currency} {self.rate_date}: {self.rate}"


class SegmentBy(models.TextChoices):
    """The attribute of instruments by which a benchmark is divided into segments."""

    ASSET_CLASS = "asset_class"
    SECTOR = "sector"
    COUNTRY = "country"
    CURRENCY = "currency"
    ISSUER = "issuer"


class BenchmarkWeight(FromTopic):
    """The weight with which a segment of a benchmark enters a day, and its return of that day, where that is told.

    Both are fractions. Superseded ones stay known.
    """

    benchmark_id = Id()
    segment_by = models.CharField(max_length=20, choices=SegmentBy)
    segment = models.CharField(max_length=64, db_collation="C")
    weight_date = models.DateField()
    version = models.PositiveIntegerField(default=1)
    weight = SubmittedNumber()
    segment_return = SubmittedNumber(null=True, blank=True)
    market_seq = models.BigIntegerField()
    recorded_at = models.DateTimeField()
    superseded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "benchmark_weights"
        constraints = [
            models.UniqueConstraint(
                fields=["benchmark_id", "segment_by", "segment", "weight_date"],
                condition=Q(superseded_at=None),
                name="one_weight_of_a_segment_and_day_is_believed",
            ),
            models.CheckConstraint(condition=Q(weight__gte=0, weight__lte=1), name="a_weight_is_a_part_of_the_whole"),
            models.CheckConstraint(condition=Q(segment_return__gte=-1), name="a_segment_loses_no_more_than_itself"),
        ]
        indexes = [
            models.Index(
                fields=["benchmark_id", "segment_by", "weight_date", "segment"], name="benchmark_weights_by_day"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.benchmark_id} {self.weight_date}: {self.weight} {self.segment}"


class MarketMark(models.Model):
    """The one row that orders the writers of market data: the last market_seq given out."""

    market_seq = models.BigIntegerField()
    recorded_at = models.DateTimeField()

    class Meta:
        db_table = "market_marks"
        constraints = [models.CheckConstraint(condition=Q(id=1), name="there_is_one_market_mark")]

    def __str__(self) -> str:
        return str(self.market_seq)


class PortfolioChange(models.Model):
    """The mark of a portfolio: how far its ledger has grown.

    Raised in the ledger's own transaction; its row lock orders the writers, so that `change_seq` is gap-free and
    `recorded_at` rises with it. `rebuild_seq` is the last change that touched the portfolio's settings: whatever was
    computed before it is booked anew. `owner` is the user whose record was first; empty where a system wrote it.
    """

    portfolio_id = Id(primary_key=True)
    owner = models.CharField(max_length=150, blank=True)
    change_seq = models.BigIntegerField(default=0)
    rebuild_seq = models.BigIntegerField(default=0)
    recorded_at = models.DateTimeField()

    class Meta:
        db_table = "portfolio_changes"
        indexes = [models.Index(fields=["owner"], name="portfolio_changes_by_owner")]
        constraints = [
            models.CheckConstraint(
                condition=Q(rebuild_seq__lte=F("change_seq")), name="a_rebuild_is_of_a_change_that_happened"
            )
        ]

    def __str__(self) -> str:
        return f"{self.portfolio_id} at {self.change_seq}"


class DeadLetter(models.Model):
    """A record that could not be taken, with the reason: set aside so that its neighbours go on."""

    class Status(models.TextChoices):
        OPEN = "OPEN"
        RETRIED = "RETRIED"
        DISCARDED = "DISCARDED"

    topic = models.CharField(max_length=249)
    topic_id = models.CharField(max_length=64, blank=True)
    partition = models.IntegerField()
    offset = models.BigIntegerField()
    key = models.BinaryField(null=True)
    value = models.BinaryField(null=True)
    value_hash = models.BinaryField(max_length=16)
    headers = models.JSONField(default=dict)
    consumer_group = models.CharField(max_length=255)
    code = models.CharField(max_length=40)
    reason = models.TextField()
    context = models.JSONField(null=True, help_text="what the record met, for a conflict: the content that stands")
    portfolio_id = Id(blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    recorded_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.CharField(max_length=150, blank=True)

    class Meta:
        db_table = "dead_letters"
        constraints = [
            models.UniqueConstraint(
                fields=["topic", "topic_id", "partition", "offset", "value_hash", "consumer_group"],
                name="a_record_has_one_dead_letter_a_group",
            )
        ]
        indexes = [
            models.Index(fields=["status", "-recorded_at"], name="dead_letters_inbox"),
            models.Index(fields=["portfolio_id"], name="dead_letters_by_portfolio"),
        ]

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}: {self.code}"


class StoppedWorker(models.Model):
    """A consumer group that stopped itself and stays down until a person lets it go on."""

    consumer_group = models.CharField(max_length=255, primary_key=True)
    reason = models.TextField()
    stopped_at = models.DateTimeField()

    class Meta:
        db_table = "stopped_workers"

    def __str__(self) -> str:
        return f"{self.consumer_group}: {self.reason}"
