"""Rows to start a test from, one factory a model: `TransactionFactory(portfolio_id="P1", version=2)`.

Each writes one row and fills in what the test does not care about; nothing else happens. `owned_portfolio` is the one
arrangement that most tests begin with. The arithmetic of a test belongs in the test: figures here are round.
"""

from __future__ import annotations

import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any, TypeVar

from django.contrib.auth.models import Permission, User
from django.db.models import Model
from factory.declarations import LazyAttribute, SelfAttribute, Sequence
from factory.django import DjangoModelFactory
from factory.helpers import post_generation

from orchestrator.models import Calculation, Interest
from portfolio.models import (
    BenchmarkWeight,
    DeadLetter,
    FxRate,
    Instrument,
    Portfolio,
    PortfolioChange,
    Price,
    ReferenceVersion,
    StoppedWorker,
)
from positions.models import BookingException, Disposal, HoldingKind, Lot, PortfolioState, Position, PositionDay
from transactions.models import Transaction

M = TypeVar("M", bound=Model)
RECORDED_AT = datetime.datetime(2025, 1, 1, 12, tzinfo=datetime.UTC)
DAY = datetime.date(2025, 1, 15)


class UserFactory(DjangoModelFactory[User]):
    class Meta:
        model = User
        skip_postgeneration_save = True

    username = Sequence(lambda n: f"user{n}")

    @post_generation
    def permissions(user: Any, create: Any, names: Any, **_: Any) -> None:  # noqa: N805
        """`permissions=["portfolio.view_any_portfolio"]`."""
        for name in names or ():
            app, codename = name.split(".")
            user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))


class PortfolioChangeFactory(DjangoModelFactory[PortfolioChange]):
    """A mark: a portfolio that has been recorded, provisional until it has a Portfolio row too."""

    class Meta:
        model = PortfolioChange

    portfolio_id = Sequence(lambda n: f"PORT{n:03}")
    owner = ""
    change_seq = 1
    rebuild_seq = 0
    recorded_at = RECORDED_AT


class PortfolioFactory(DjangoModelFactory[Portfolio]):
    """The attributes of a portfolio alone; `owned_portfolio` makes its mark too."""

    class Meta:
        model = Portfolio

    portfolio_id = Sequence(lambda n: f"PORT{n:03}")
    name = "A portfolio"
    base_currency = "USD"
    recorded_at = RECORDED_AT


class InstrumentFactory(DjangoModelFactory[Instrument]):
    class Meta:
        model = Instrument

    security_id = Sequence(lambda n: f"SEC{n:03}")
    name = "An instrument"
    currency = "USD"
    asset_class = "EQUITY"
    market_seq = Sequence(lambda n: n + 1)
    recorded_at = RECORDED_AT


class ReferenceVersionFactory(DjangoModelFactory[ReferenceVersion]):
    class Meta:
        model = ReferenceVersion

    kind = "INSTRUMENT"
    name = Sequence(lambda n: f"SEC{n:03}")
    version = 1
    content = LazyAttribute(lambda row: {"security_id": row.name, "currency": "USD"})
    recorded_at = RECORDED_AT


class PriceFactory(DjangoModelFactory[Price]):
    class Meta:
        model = Price

    security_id = "AAPL"
    price_date = Sequence(lambda n: DAY + datetime.timedelta(days=n % 10_000))
    price = Decimal(150)
    currency = "USD"
    market_seq = Sequence(lambda n: n + 1)
    recorded_at = RECORDED_AT


class FxRateFactory(DjangoModelFactory[FxRate]):
    class Meta:
        model = FxRate

    from_currency = "EUR"
    to_currency = "USD"
    rate_date = Sequence(lambda n: DAY + datetime.timedelta(days=n % 10_000))
    rate = Decimal("1.1")
    market_seq = Sequence(lambda n: n + 1)
    recorded_at = RECORDED_AT


class BenchmarkWeightFactory(DjangoModelFactory[BenchmarkWeight]):
    class Meta:
        model = BenchmarkWeight

    benchmark_id = "WORLD"
    segment_by = "sector"
    segment = "Energy"
    weight_date = Sequence(lambda n: DAY + datetime.timedelta(days=n % 10_000))
    weight = Decimal("0.05")
    segment_return = None
    market_seq = Sequence(lambda n: n + 1)
    recorded_at = RECORDED_AT


class DeadLetterFactory(DjangoModelFactory[DeadLetter]):
    class Meta:
        model = DeadLetter

    topic = "raw_transactions"
    topic_id = "topic-1"
    partition = 0
    offset = Sequence(int)
    key = b"PORT001"
    value = b'{"schema": "raw_transaction.v1"}'
    value_hash = LazyAttribute(lambda row: blake2b(row.value or b"", digest_size=16).digest())
    consumer_group = "consume_transactions"
    code = "undecodable"
    reason = "is missing the required field `transaction`"
    portfolio_id = ""
    recorded_at = RECORDED_AT


class StoppedWorkerFactory(DjangoModelFactory[StoppedWorker]):
    class Meta:
        model = StoppedWorker

    consumer_group = Sequence(lambda n: f"group-{n}")
    reason = "100 records in a row could not be read"
    stopped_at = RECORDED_AT


class TransactionFactory(DjangoModelFactory[Transaction]):
    """One version of a purchase of 10 AAPL at 150 USD."""

    class Meta:
        model = Transaction

    portfolio_id = "PORT001"
    transaction_id = Sequence(lambda n: f"TRN{n:06}")
    version = 1
    transaction_type = "BUY"
    security_id = "AAPL"
    transaction_date = DAY
    quantity = Decimal(10)
    price = Decimal(150)
    currency = "USD"
    trade_fee = Decimal(0)
    tax = Decimal(0)
    submitted = LazyAttribute(
        lambda row: {
            "portfolio_id": row.portfolio_id,
            "transaction_id": row.transaction_id,
            "version": row.version,
            "transaction_type": row.transaction_type,
            "transaction_date": str(row.transaction_date),
            "currency": row.currency,
        }
    )
    submitted_by = ""
    content_hash = LazyAttribute(lambda row: blake2b(repr(row).encode(), digest_size=16).digest())
    change_seq = Sequence(lambda n: n + 1)
    recorded_at = RECORDED_AT


class PortfolioStateFactory(DjangoModelFactory[PortfolioState]):
    class Meta:
        model = PortfolioState

    portfolio_id = Sequence(lambda n: f"PORT{n:03}")
    computed_seq = 1
    base_currency = "USD"
    cost_basis_method = "FIFO"
    provisional = False
    computed_at = RECORDED_AT


class HoldingFiguresFactory(DjangoModelFactory[M]):
    """10 units bought for 1500 USD in a USD portfolio, nothing earned yet."""

    class Meta:
        abstract = True

    portfolio_id = "PORT001"
    kind = HoldingKind.SECURITY
    security_id = "AAPL"
    currency = "USD"
    quantity = Decimal(10)
    cost_basis = Decimal(1500)
    cost_basis_base = Decimal(1500)
    realized_gain = Decimal(0)
    realized_gain_base = Decimal(0)
    realized_fx_gain_base = Decimal(0)
    income = Decimal(0)
    income_base = Decimal(0)
    fees_base = Decimal(0)
    taxes_base = Decimal(0)


class PositionFactory(HoldingFiguresFactory[Position]):
    class Meta:
        model = Position

    first_date = DAY


class PositionDayFactory(HoldingFiguresFactory[PositionDay]):
    class Meta:
        model = PositionDay

    position_date = DAY


class LotFactory(DjangoModelFactory[Lot]):
    class Meta:
        model = Lot

    portfolio_id = "PORT001"
    security_id = "AAPL"
    acquisition_date = DAY
    acquisition_time_us = 0
    opening_transaction_id = Sequence(lambda n: f"TRN{n:06}")
    opening_portfolio_id = SelfAttribute("portfolio_id")
    quantity = Decimal(10)
    cost_basis = Decimal(1500)
    cost_basis_base = Decimal(1500)


class DisposalFactory(DjangoModelFactory[Disposal]):
    """10 units bought for 1500 and sold for 1600."""

    class Meta:
        model = Disposal

    portfolio_id = "PORT001"
    security_id = "AAPL"
    currency = "USD"
    opening_transaction_id = "TRN000001"
    opening_portfolio_id = SelfAttribute("portfolio_id")
    closing_transaction_id = Sequence(lambda n: f"TRN{n:06}")
    acquisition_date = DAY
    acquisition_time_us = 0
    disposal_date = DAY + datetime.timedelta(days=30)
    disposal_time_us = 0
    piece = 0
    quantity = Decimal(10)
    proceeds = Decimal(1600)
    cost_basis = Decimal(1500)
    realized_gain = Decimal(100)
    proceeds_base = Decimal(1600)
    cost_basis_base = Decimal(1500)
    realized_gain_base = Decimal(100)
    realized_fx_gain_base = Decimal(0)


class BookingExceptionFactory(DjangoModelFactory[BookingException]):
    class Meta:
        model = BookingException

    portfolio_id = "PORT001"
    transaction_id = Sequence(lambda n: f"TRN{n:06}")
    transaction_date = DAY
    code = "OVERSOLD"
    security_id = "AAPL"
    quantity = Decimal(5)
    detail = "5 more than held"


class CalculationFactory(DjangoModelFactory[Calculation]):
    class Meta:
        model = Calculation

    portfolio_id = Sequence(lambda n: f"PORT{n:03}")
    kind = Calculation.Kind.POSITIONS
    requested_seq = 1
    dispatched_seq = 1
    done_seq = 1


class InterestFactory(DjangoModelFactory[Interest]):
    class Meta:
        model = Interest

    portfolio_id = "PORT001"
    kind = Interest.Kind.SECURITY
    name = "AAPL"
    since_date = DAY


def owned_portfolio(owner: User | str = "", *, portfolio_id: str = "PORT001", **attributes: Any) -> Portfolio:
    """A portfolio with attributes and mark, of the user given (or their name)."""
    name = owner if isinstance(owner, str) else owner.get_username()
    PortfolioChangeFactory(portfolio_id=portfolio_id, owner=name)
    return PortfolioFactory.create(portfolio_id=portfolio_id, **attributes)
