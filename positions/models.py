"""What the calculators write: the state of each portfolio, its holdings through time, lots, disposals, exceptions.

Every row here can be made again from the ledger. A holding is a security or a currency's cash; `security_id` names
either, `kind` says which. Local money is in the holding's `currency`, base money in the portfolio's base currency.
Signed: a short holding and its cost are negative. A figure that misses an exchange rate is NaN, which NUMERIC keeps and
which makes every sum it enters NaN too.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from portfolio.models import Id
from portfolio.money import exact, rounded


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
    rated_sums = ArrayField(Number(), null=True, help_text="where a sum misses a rate: see engine.lots")
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
                fields=["portfolio_id", "transaction_id", "code"], name="an_exception_is_listed_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.portfolio_id} {self.transaction_id}: {self.code}"


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
        indexes = [models.Index(fields=["linked_portfolio_id", "linked_transaction_id"], name="transfer_links_by_out")]

    def __str__(self) -> str:
        return f"{self.portfolio_id} {self.transaction_id} from {self.linked_portfolio_id} {self.linked_transaction_id}"


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
