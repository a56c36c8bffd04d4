"""Enrichment: a transaction as submitted becomes an entry that can be booked.

What an entry adds depends on what may still arrive (an instrument's price factor, a rate), so it is derived at every
calculation and never stored: the gross amount, and the rate from trade currency to base. It is also the door where
numbers as submitted become amounts of trade currency.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple, Protocol

from portfolio.amounts import AT_PAR, NIL, UNKNOWN_RATE, Amount, Base, Bought, ExchangeRate, Trade, amount_of, rate_of
from portfolio.money import ONE, ZERO, rounded
from portfolio.transaction_types import FIRST_AT_END_OF_DAY, TRANSACTION_TYPES
from positions.engine.rates import RateTable

END_OF_DAY_US = 24 * 60 * 60 * 1_000_000
"""24:00, in microseconds into the day."""


class EntryKey(NamedTuple):
    """Where an entry stands in booking order: trade date, microseconds into it, rank of its type, id."""

    date: datetime.date
    time_us: int
    rank: int
    transaction_id: str


class LedgerTransaction(Protocol):
    """A normalised transaction, as the ledger keeps it: unsigned, money in `currency`."""

    @property
    def transaction_id(self) -> str: ...
    @property
    def transaction_type(self) -> str: ...
    @property
    def security_id(self) -> str | None: ...
    @property
    def transaction_date(self) -> datetime.date: ...
    @property
    def transaction_time(self) -> datetime.time | None: ...
    @property
    def quantity(self) -> Decimal | None: ...
    @property
    def price(self) -> Decimal | None: ...
    @property
    def gross_transaction_amount(self) -> Decimal | None: ...
    @property
    def currency(self) -> str: ...
    @property
    def trade_fee(self) -> Decimal: ...
    @property
    def tax(self) -> Decimal: ...
    @property
    def transaction_fx_rate(self) -> Decimal | None: ...
    @property
    def ratio_new(self) -> Decimal | None: ...
    @property
    def ratio_old(self) -> Decimal | None: ...
    @property
    def lots(self) -> Sequence[tuple[str, Decimal | str]] | None: ...
    @property
    def target_security_id(self) -> str | None: ...
    @property
    def cost_fraction(self) -> Decimal | None: ...
    @property
    def target_currency(self) -> str | None: ...
    @property
    def target_amount(self) -> Decimal | None: ...
    @property
    def linked_portfolio_id(self) -> str | None: ...
    @property
    def linked_transaction_id(self) -> str | None: ...
    @property
    def acquisition_date(self) -> datetime.date | None: ...


class LegKey(NamedTuple):
    """A transaction among all portfolios: the TRANSFER_OUT that a TRANSFER_IN names, or the IN that takes it."""

    portfolio_id: str
    transaction_id: str


@dataclass(frozen=True, slots=True)
class InstrumentTerms:
    """What the engine needs to know of an instrument; `exchange` is whose trading days count (trading_days.py)."""

    currency: str
    price_factor: Decimal = ONE
    exchange: str | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """The settings of a portfolio and the market it is booked in."""

    portfolio_id: str
    base_currency: str
    cost_basis_method: str = "FIFO"
    cash_tracked: bool = True
    allow_short: bool = False
    fees_in_cost: bool = True
    instruments: Mapping[str, InstrumentTerms] = field(default_factory=dict)
    rates: RateTable = field(default_factory=RateTable)


@dataclass(frozen=True, slots=True)
class Entry:
    """A transaction ready to be booked.

    `gross`, `fee` and `tax` are in `currency`, the trade currency, unsigned. `rate` is base for one unit of it; UNKNOWN
    where there is none. `rate_is_own` says that it was dealt, not found in the market. `lots` are those named for a
    disposal, each by the transaction that opened it; `linked` is the TRANSFER_OUT that a TRANSFER_IN comes from.
    """

    key: EntryKey
    transaction_type: str
    security_id: str | None
    quantity: Decimal
    price: Amount[Trade] | None
    gross: Amount[Trade]
    fee: Amount[Trade]
    tax: Amount[Trade]
    currency: str
    rate: ExchangeRate[Trade, Base]
    rate_is_stale: bool = False
    rate_is_own: bool = False
    ratio_new: Decimal = ONE
    ratio_old: Decimal = ONE
    lots: tuple[tuple[str, Decimal], ...] = ()
    target_security_id: str = ""
    cost_fraction: Decimal = ZERO
    target_currency: str = ""
    target_amount: Amount[Bought] = NIL
    linked: LegKey | None = None
    acquisition_date: datetime.date | None = None

    @property
    def transaction_id(self) -> str:
        return self.key.transaction_id

    @property
    def date(self) -> datetime.date:
        return self.key.date

    @property
    def ratio(self) -> Decimal:
        """How many units there are for one unit held before. A quantity is multiplied before it is divided."""
        return self.ratio_new / self.ratio_old

    def base(self, amount: Amount[Trade]) -> Amount[Base]:
        """An amount of trade currency in base, at the rate used."""
        return rounded(amount * self.rate) if amount else NIL


def key_of(transaction: LedgerTransaction) -> EntryKey:
    """Where the transaction stands in booking order."""
    rank = TRANSACTION_TYPES[transaction.transaction_type].rank
    time = transaction.transaction_time
    if time is None:
        time_us = END_OF_DAY_US if rank >= FIRST_AT_END_OF_DAY else 0
    else:
        time_us = ((time.hour * 60 + time.minute) * 60 + time.second) * 1_000_000 + time.microsecond
    return EntryKey(transaction.transaction_date, time_us, rank, transaction.transaction_id)


def enrich(transaction: LedgerTransaction, terms: Terms) -> Entry:
    """The entry of a transaction, under the portfolio's terms. Needs the arithmetic of `portfolio.money.exact`."""
    quantity, price = transaction.quantity or ZERO, transaction.price
    gross = transaction.gross_transaction_amount
    if gross is None and price is not None:
        instrument = terms.instruments.get(transaction.security_id or "")
        gross = rounded(quantity * price * instrument.price_factor) if instrument else rounded(quantity * price)
    rate, stale = _rate_used(transaction, terms)
    return Entry(
        key=key_of(transaction),
        transaction_type=transaction.transaction_type,
        security_id=transaction.security_id,
        quantity=quantity,
        price=None if price is None else amount_of(price, Trade),
        gross=amount_of(gross, Trade) if gross else NIL,
        fee=amount_of(transaction.trade_fee, Trade),
        tax=amount_of(transaction.tax, Trade),
        currency=transaction.currency,
        rate=rate,
        rate_is_stale=stale,
        rate_is_own=transaction.transaction_fx_rate is not None,
        ratio_new=transaction.ratio_new or ONE,
        ratio_old=transaction.ratio_old or ONE,
        lots=tuple((opening, Decimal(part)) for opening, part in transaction.lots or ()),
        target_security_id=transaction.target_security_id or "",
        cost_fraction=transaction.cost_fraction or ZERO,
        target_currency=transaction.target_currency or "",
        target_amount=amount_of(transaction.target_amount, Bought) if transaction.target_amount else NIL,
        linked=_linked(transaction, terms),
        acquisition_date=transaction.acquisition_date,
    )


def _linked(transaction: LedgerTransaction, terms: Terms) -> LegKey | None:
    """The TRANSFER_OUT that the transaction comes from; only a transfer of a security brings lots with it."""
    if transaction.transaction_type != "TRANSFER_IN" or not transaction.security_id:
        return None
    if not transaction.linked_transaction_id:
        return None
    return LegKey(transaction.linked_portfolio_id or terms.portfolio_id, transaction.linked_transaction_id)


def _rate_used(transaction: LedgerTransaction, terms: Terms) -> tuple[ExchangeRate[Trade, Base], bool]:
    """The rate to base and whether it is stale: 1 for the base currency itself, else as dealt, else the market's."""
    if transaction.currency == terms.base_currency:
        return AT_PAR, False
    if transaction.transaction_fx_rate is not None:
        return rate_of(transaction.transaction_fx_rate, Trade, Base), False
    day = transaction.transaction_date
    market = terms.rates.market(transaction.currency, terms.base_currency, day)
    return (rate_of(market.value, Trade, Base), market.stale_on(day)) if market else (UNKNOWN_RATE, False)
