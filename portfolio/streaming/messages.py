"""What travels: the message types, their topics and keys; no framework.

These types are where a field is written down once. The REST serializers, the OpenAPI and AsyncAPI documents and the
upload templates are made from them.

A *submission* is what a client sends (`SubmittedTransaction`, `SubmittedPrice` ..). On its topic it travels inside a
*message* that adds who submitted it. A message's `schema` names its type and version; a new version is a new type
beside the old one, and consumers read both until the old one is gone from the topic.
"""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

Identifier = Annotated[
    str,
    Meta(
        pattern=r"^[^\s\x00-\x1f\x7f-\x9f/?#%\\]{1,64}$",
        min_length=1,
        max_length=64,
        description="1 to 64 printable characters without white space or any of / ? # % \\",
    ),
]
Currency = Annotated[str, Meta(pattern=r"^[A-Z0-9]{3,10}$", description="ISO 4217 code, or one the operator allows")]
Version = Annotated[int, Meta(ge=1, le=2**31 - 1, description="whole number from 1; the highest version counts")]
TradeMoment = Annotated[
    str,
    Meta(
        max_length=40,
        description="YYYY-MM-DD, or an RFC 3339 date-time whose date and time are taken as written, in its own offset",
    ),
]
ShortText = Annotated[
    str, Meta(max_length=64, pattern=r"^[^\x00]*$", description="at most 64 characters, none of them NUL")
]
Text = Annotated[
    str, Meta(max_length=1000, pattern=r"^[^\x00]*$", description="at most 1,000 characters, none of them NUL")
]
Exchange = Annotated[
    str,
    Meta(
        max_length=64,
        pattern=r"^[^\x00]*$",
        description="at most 64 characters: a market identifier code (XNYS) or another name whose trading days count;"
        " for one that is not known these are Monday to Friday",
    ),
]
CostMethod = Literal["FIFO", "LIFO", "HIFO", "AVCO", "SPECIFIC"]
LOTS_NAMED_MAX = 1000


class Submission(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One record as a client sends it."""


class NamedLot(Submission, frozen=True, kw_only=True):
    """A lot to dispose of, under SPECIFIC: known by the transaction that opened it."""

    transaction_id: Identifier
    quantity: Decimal


class SubmittedTransaction(Submission, frozen=True, kw_only=True):
    """A transaction as submitted: quantities and amounts unsigned, money in trade currency."""

    portfolio_id: Identifier
    transaction_id: Identifier
    version: Version = 1
    status: Literal["BOOKED", "CANCELLED"] = "BOOKED"
    security_id: Identifier | None = None
    instrument_id: Identifier | None = None
    transaction_date: TradeMoment
    settlement_date: datetime.date | None = None
    transaction_type: str
    quantity: Decimal | None = None
    price: Decimal | None = None
    gross_transaction_amount: Decimal | None = None
    currency: Currency | None = None
    trade_currency: Currency | None = None
    trade_fee: Decimal = Decimal(0)
    tax: Decimal = Decimal(0)
    transaction_fx_rate: Decimal | None = None
    lots: Annotated[tuple[NamedLot, ...], Meta(max_length=LOTS_NAMED_MAX)] = ()
    ratio_new: Decimal | None = None
    ratio_old: Decimal | None = None
    target_security_id: Identifier | None = None
    cost_fraction: Decimal | None = None
    target_currency: Currency | None = None
    target_amount: Decimal | None = None
    linked_portfolio_id: Identifier | None = None
    linked_transaction_id: Identifier | None = None
    acquisition_date: datetime.date | None = None
    source_system: ShortText | None = None
    note: Text | None = None


class SubmittedPortfolio(Submission, frozen=True, kw_only=True):
    """A portfolio's attributes; what is left out takes its default."""

    portfolio_id: Identifier
    version: Version = 1
    name: Text = ""
    base_currency: Currency
    cost_basis_method: CostMethod = "FIFO"
    cash_mode: Literal["TRACKED", "UNTRACKED"] = "TRACKED"
    allow_short: bool = False
    fees_in_cost: bool = True
    open_date: datetime.date | None = None
    benchmark_security_id: Identifier | None = None


class SubmittedInstrument(Submission, frozen=True, kw_only=True):
    """An instrument's attributes. `price_factor`: money for one unit at price 1 (0.01 for bonds quoted in percent)."""

    security_id: Identifier
    version: Version = 1
    name: Text = ""
    isin: Annotated[str, Meta(pattern=r"^([A-Z]{2}[A-Z0-9]{9}[0-9])?$")] = ""
    currency: Currency
    asset_class: ShortText = ""
    sector: ShortText = ""
    country: ShortText = ""
    issuer: ShortText = ""
    exchange: Exchange = ""
    price_factor: Decimal = Decimal(1)


class SubmittedPrice(Submission, frozen=True, kw_only=True):
    """A market price as quoted on its day, in `currency` for one unit."""

    security_id: Identifier
    price_date: datetime.date
    price: Decimal
    currency: Currency
    version: Version = 1


class SubmittedRate(Submission, frozen=True, kw_only=True):
    """An exchange rate of a day: units of `to_currency` for one unit of `from_currency`."""

    from_currency: Currency
    to_currency: Currency
    rate_date: datetime.date
    rate: Decimal
    version: Version = 1


SegmentBy = Literal["asset_class", "sector", "country", "currency", "issuer"]
Segment = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        pattern=r"^[^\x00]*$",
        description="1 to 64 characters: what instruments of the segment have in that attribute",
    ),
]


class SubmittedBenchmarkWeight(Submission, frozen=True, kw_only=True):
    """The weight with which a segment of a benchmark enters a day, and the segment's return of that day.

    Both are fractions, not percent; what instruments are grouped by is `segment_by`.
    """

    benchmark_id: Identifier
    segment_by: SegmentBy
    segment: Segment
    weight_date: datetime.date
    weight: Decimal
    segment_return: Decimal | None = msgspec.field(default=None, name="return")
    version: Version = 1


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="schema"):
    """One value on a topic. Fields unknown to a reader are passed over, so that a type can gain some."""

    TOPIC: ClassVar[str]

    @property
    def key(self) -> str:
        """What the record is partitioned by."""
        raise NotImplementedError


class RawTransaction(Message, frozen=True, kw_only=True, tag="raw_transaction.v1"):
    """A transaction on its way to the ledger. `submitted_by` is a user name; none where another system wrote it."""

    TOPIC: ClassVar[str] = "raw_transactions"
    transaction: SubmittedTransaction
    submitted_by: str | None = None

    @property
    def key(self) -> str:
        return self.transaction.portfolio_id


class RawPortfolio(Message, frozen=True, kw_only=True, tag="raw_portfolio.v1"):
    """A portfolio's attributes on their way."""

    TOPIC: ClassVar[str] = "raw_market_data"
    portfolio: SubmittedPortfolio
    submitted_by: str | None = None

    @property
    def key(self) -> str:
        return self.portfolio.portfolio_id


class RawInstrument(Message, frozen=True, kw_only=True, tag="raw_instrument.v1"):
    """An instrument's attributes on their way."""

    TOPIC: ClassVar[str] = "raw_market_data"
    instrument: SubmittedInstrument
    submitted_by: str | None = None

    @property
    def key(self) -> str:
        return self.instrument.security_id


class RawPrice(Message, frozen=True, kw_only=True, tag="raw_price.v1"):
    """A market price on its way."""

    TOPIC: ClassVar[str] = "raw_market_data"
    market_price: SubmittedPrice
    submitted_by: str | None = None

    @property
    def key(self) -> str:
        return self.market_price.security_id


class RawRate(Message, frozen=True, kw_only=True, tag="raw_rate.v1"):
    """An exchange rate on its way."""

    TOPIC: ClassVar[str] = "raw_market_data"
    fx_rate: SubmittedRate
    submitted_by: str | None = None

    @property
    def key(self) -> str:
        return f"{self.fx_rate.from_currency}/{self.fx_rate.to_currency}"


class RawBenchmarkWeight(Message, frozen=True, kw_only=True, tag="raw_benchmark_weight.v1"):
    """A weight of a benchmark's segment on its way."""

    TOPIC: ClassVar[str] = "raw_market_data"
    benchmark_weight: SubmittedBenchmarkWeight
    submitted_by: str | None = None

    @property
    def key(self) -> str:
        return self.benchmark_weight.benchmark_id


class RecordedTransaction(msgspec.Struct, frozen=True, kw_only=True):
    """Which version of which transaction was recorded."""

    transaction_id: str
    version: int


class TransactionsRecorded(Message, frozen=True, kw_only=True, tag="transactions_recorded.v1"):
    """The ledger of a portfolio has grown up to `change_seq`: a wake-up, and the news for whoever subscribes.

    A redelivered batch is announced again without `transactions`.
    """

    TOPIC: ClassVar[str] = "transactions_recorded"
    portfolio_id: str
    change_seq: int
    recorded_at: datetime.datetime
    transactions: tuple[RecordedTransaction, ...] = ()

    @property
    def key(self) -> str:
        return self.portfolio_id


MarketDataKind = Literal["PORTFOLIO", "INSTRUMENT", "PRICE", "RATE", "BENCHMARK_WEIGHT"]


class MarketDataRecorded(Message, frozen=True, kw_only=True, tag="market_data_recorded.v1"):
    """Prices of a security, rates of a pair, weights of a benchmark or somebody's attributes have changed.

    `name` is the security, portfolio, benchmark or pair ("EUR/USD"); `from_date` the first day of what has
    changed. For a portfolio `seq` is its change_seq, else the market_seq.
    """

    TOPIC: ClassVar[str] = "market_data_recorded"
    kind: MarketDataKind
    name: str
    seq: int
    from_date: datetime.date | None = None

    @property
    def key(self) -> str:
        return self.name


class PositionCalculation(Message, frozen=True, kw_only=True, tag="position_calculation.v1"):
    """Calculate a portfolio up to `requested_seq`, with market data up to `requested_market_seq`.

    `interests_seq` is the newest set of interests the orchestrator has of it: an older one is sent again.
    """

    TOPIC: ClassVar[str] = "position_calculations"
    portfolio_id: str
    requested_seq: int
    requested_market_seq: int = 0
    interests_seq: int = 0

    @property
    def key(self) -> str:
        return self.portfolio_id


class HeldSince(msgspec.Struct, frozen=True, kw_only=True):
    """What a portfolio's figures depend on, from a date on: a security (its attributes and prices) or a currency."""

    kind: Literal["SECURITY", "CURRENCY"]
    name: str
    since_date: datetime.date


class PositionCalculationDone(Message, frozen=True, kw_only=True, tag="position_calculation_done.v1"):
    """A portfolio is calculated up to `computed_seq`, seeing market data up to `market_seq`; or it failed, and why.

    `interests` are sent where they are newer than the orchestrator's, all of them, with their `interests_seq`.
    """

    TOPIC: ClassVar[str] = "position_calculations_done"
    portfolio_id: str
    computed_seq: int
    market_seq: int = 0
    error: str | None = None
    interests_seq: int = 0
    interests: tuple[HeldSince, ...] = ()

    @property
    def key(self) -> str:
        return self.portfolio_id


class ValuationCalculation(Message, frozen=True, kw_only=True, tag="valuation_calculation.v1"):
    """Value a portfolio's days on its positions up to `requested_seq`.

    Prices and rates count up to `requested_market_seq`; the days go up to `requested_date` at least.
    """

    TOPIC: ClassVar[str] = "valuation_calculations"
    portfolio_id: str
    requested_seq: int
    requested_market_seq: int = 0
    requested_date: datetime.date | None = None

    @property
    def key(self) -> str:
        return self.portfolio_id


class ValuationCalculationDone(Message, frozen=True, kw_only=True, tag="valuation_calculation_done.v1"):
    """A portfolio's days are valued on its positions of `computed_seq`; or that failed, and why.

    Prices and rates were seen up to `market_seq`, and the days go up to `valued_until`. `quoted_in` are currencies that
    prices used are quoted in, other than the holdings' own. Where the positions have yet to follow the market up to
    `awaits_market_seq`, the days change once more when they have; `market_seq` is then only what the positions saw.
    """

    TOPIC: ClassVar[str] = "valuation_calculations_done"
    portfolio_id: str
    computed_seq: int
    market_seq: int = 0
    awaits_market_seq: int = 0
    valued_until: datetime.date | None = None
    quoted_in: tuple[str, ...] = ()
    error: str | None = None

    @property
    def key(self) -> str:
        return self.portfolio_id


MESSAGE_TYPES: tuple[type[Message], ...] = (
    RawTransaction,
    RawPortfolio,
    RawInstrument,
    RawPrice,
    RawRate,
    RawBenchmarkWeight,
    TransactionsRecorded,
    MarketDataRecorded,
    PositionCalculation,
    PositionCalculationDone,
    ValuationCalculation,
    ValuationCalculationDone,
)
TOPICS: tuple[str, ...] = tuple(dict.fromkeys(message_type.TOPIC for message_type in MESSAGE_TYPES))
RAW_TOPICS: tuple[str, ...] = (RawTransaction.TOPIC, RawPortfolio.TOPIC)
"""The topics that hold what cannot be made again; they keep their records without limit."""

_encoder = msgspec.json.Encoder(decimal_format="string")
_decoders: dict[str, msgspec.json.Decoder[Message]] = {}
for _topic in TOPICS:
    _types = tuple(t for t in MESSAGE_TYPES if _topic == t.TOPIC)
    _union = _types[0]
    for _type in _types[1:]:
        _union = _union | _type  # type: ignore[assignment]
    _decoders[_topic] = msgspec.json.Decoder(_union)


def encode(message: Message) -> bytes:
    """The message as its record's value: JSON, decimals as strings."""
    return _encoder.encode(message)


def decode(topic: str, value: bytes) -> Message:
    """The message of a record's value.

    Raises msgspec.DecodeError (of which msgspec.ValidationError is one) or UnicodeDecodeError where the value is not
    JSON of one of the topic's types.
    """
    try:
        return _decoders[topic].decode(value)
    except RecursionError as error:
        raise msgspec.DecodeError("nested too deeply") from error
