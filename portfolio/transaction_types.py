"""The transaction types: one table of each type's rank and the fields it needs; no framework.

Transactions of a portfolio are booked by (trade date, time, rank, transaction_id). The rank is the type's place in
`TRANSACTION_TYPES`; without a time of its own a transaction counts as 00:00, or as 24:00 from SELL on, so that what
comes in on a day is there before what goes out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class TransactionType:
    """What a type needs before it can be booked.

    `needs` names the fields that must be given beside those every transaction has. `security` says that a security
    is required, `units` that the quantity must be more than 0 (for a transfer: where it is one of a security),
    `amount` that an empty gross amount is a finding.
    """

    name: str
    needs: tuple[str, ...] = ()
    security: bool = False
    units: bool = False
    amount: bool = True
    rank: int = 0


_RATIO = ("ratio_new", "ratio_old")
_IN_ORDER_OF_RANK = (
    TransactionType("SPLIT", needs=_RATIO, security=True, amount=False),
    TransactionType("STOCK_DIVIDEND", security=True, units=True, amount=False),
    TransactionType("SYMBOL_CHANGE", needs=("target_security_id",), security=True, amount=False),
    TransactionType("MERGER", needs=("target_security_id", *_RATIO), security=True, amount=False),
    TransactionType("SPIN_OFF", needs=("target_security_id", "cost_fraction", *_RATIO), security=True, amount=False),
    TransactionType("DEPOSIT"),
    TransactionType("TRANSFER_IN", units=True, amount=False),
    TransactionType("BUY", security=True, units=True),
    TransactionType("REINVESTMENT", security=True, units=True),
    TransactionType("FX_TRADE", needs=("target_currency", "target_amount")),
    TransactionType("DIVIDEND"),
    TransactionType("INTEREST"),
    TransactionType("INTEREST_CHARGE"),
    TransactionType("FEE_REFUND"),
    TransactionType("TAX_REFUND"),
    TransactionType("SELL", security=True, units=True),
    TransactionType("REDEMPTION", security=True, units=True),
    TransactionType("RETURN_OF_CAPITAL", security=True),
    TransactionType("TRANSFER_OUT", units=True, amount=False),
    TransactionType("WITHDRAWAL"),
    TransactionType("FEE"),
    TransactionType("TAX"),
)
TRANSACTION_TYPES: dict[str, TransactionType] = {
    t.name: replace(t, rank=rank) for rank, t in enumerate(_IN_ORDER_OF_RANK)
}

FIRST_AT_END_OF_DAY = TRANSACTION_TYPES["SELL"].rank
"""Types of this rank and above count as 24:00 where no time is given."""
