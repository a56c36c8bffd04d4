"""A transaction as the ledger keeps it: normalised, so that spelling makes no difference; no framework.

`instrument_id` has become `security_id`, `trade_currency` has become `currency`, and a decimal is its value. Two
submissions with equal normalised fields have equal `content_hash`: the same version, sent twice.
"""

from __future__ import annotations

import datetime
from decimal import Decimal
from hashlib import blake2b

import msgspec

from portfolio.money import CONTEXT, ZERO
from portfolio.streaming.messages import SubmittedTransaction
from portfolio.validation import trade_moment

_encoder = msgspec.json.Encoder(decimal_format="string")


VersionKey = tuple[str, str, int]
"""What a version is known by: portfolio_id, transaction_id, version."""


class LedgerRow(msgspec.Struct, frozen=True, gc=False):
    """One version of a transaction, normalised: unsigned, money in `currency`, the money of the trade."""

    portfolio_id: str
    transaction_id: str
    version: int
    status: str
    transaction_type: str
    security_id: str | None
    transaction_date: datetime.date
    transaction_time: datetime.time | None
    settlement_date: datetime.date | None
    quantity: Decimal | None
    price: Decimal | None
    gross_transaction_amount: Decimal | None
    currency: str
    trade_fee: Decimal
    tax: Decimal
    transaction_fx_rate: Decimal | None
    lots: tuple[tuple[str, Decimal], ...]
    ratio_new: Decimal | None
    ratio_old: Decimal | None
    target_security_id: str | None
    cost_fraction: Decimal | None
    target_currency: str | None
    target_amount: Decimal | None
    linked_portfolio_id: str | None
    linked_transaction_id: str | None
    acquisition_date: datetime.date | None
    source_system: str | None
    note: str | None
    utc_offset_minutes: int | None = None

    @property
    def version_key(self) -> VersionKey:
        return (self.portfolio_id, self.transaction_id, self.version)

    @property
    def cancelled(self) -> bool:
        return self.status == "CANCELLED"


def normalised(submitted: SubmittedTransaction) -> LedgerRow:
    """The ledger's row of an acceptable submission (one in which `validation.problems_of` finds nothing)."""
    trade_date, trade_time, offset_minutes = trade_moment(submitted.transaction_date)
    currency = submitted.currency or submitted.trade_currency
    assert currency is not None, "validation asks for the currency"
    linked_transaction_id = submitted.linked_transaction_id or None
    return LedgerRow(
        portfolio_id=submitted.portfolio_id,
        transaction_id=submitted.transaction_id,
        version=submitted.version,
        status=submitted.status,
        transaction_type=submitted.transaction_type,
        security_id=submitted.security_id or submitted.instrument_id,
        transaction_date=trade_date,
        transaction_time=trade_time,
        settlement_date=submitted.settlement_date,
        quantity=_canonical(submitted.quantity),
        price=_canonical(submitted.price),
        gross_transaction_amount=_canonical(submitted.gross_transaction_amount),
        currency=currency,
        trade_fee=_canonical(submitted.trade_fee) or ZERO,
        tax=_canonical(submitted.tax) or ZERO,
        transaction_fx_rate=_canonical(submitted.transaction_fx_rate),
        lots=tuple([(lot.transaction_id, lot.quantity.normalize(CONTEXT)) for lot in submitted.lots]),
        ratio_new=_canonical(submitted.ratio_new),
        ratio_old=_canonical(submitted.ratio_old),
        target_security_id=submitted.target_security_id,
        cost_fraction=_canonical(submitted.cost_fraction),
        target_currency=submitted.target_currency,
        target_amount=_canonical(submitted.target_amount),
        linked_portfolio_id=(submitted.linked_portfolio_id or submitted.portfolio_id)
        if linked_transaction_id
        else None,
        linked_transaction_id=linked_transaction_id,
        acquisition_date=submitted.acquisition_date,
        source_system=submitted.source_system,
        note=submitted.note,
        utc_offset_minutes=offset_minutes,
    )


def content_hash(row: LedgerRow) -> bytes:
    """16 bytes that are equal for equal content."""
    return blake2b(_encoder.encode(row), digest_size=16).digest()


def _canonical(number: Decimal | None) -> Decimal | None:
    """The number in its one form; a zero has no sign and no decimals."""
    if number is None:
        return None
    return number.normalize(CONTEXT) if number else ZERO
