"""Postings: what an entry does to the cash of a currency, and how the cash takes them in.

Cash is one pool a currency at average base cost, so that its FX gain is known. What an entry posts depends on the entry
and on the holding of its security alone, never on the cash. So the cash of a currency is a fold of its postings, and
can be made again from those of some day on without the entries, or the securities, behind them.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import NamedTuple

from portfolio.amounts import NIL, UNKNOWN_AMOUNT, Amount, Base, Local, amount_of, number_of
from portfolio.money import rounded
from positions.engine.entry import Entry, EntryKey
from positions.engine.holdings import Holding


class Place(NamedTuple):
    """Where an entry is booked, in the order of places: by its own key and portfolio or, of a linked TRANSFER_IN that
    stands behind its OUT, by those of the OUT and then its own key.
    """

    key: EntryKey
    portfolio_id: str
    own: EntryKey | tuple[()] = ()


POSTED_SUMS = ("income_base", "fees_base", "taxes_base", "inflow_base", "outflow_base")
"""Those of a holding's base sums that a posting adds to by itself; what is paid follows from the amount."""


@dataclass(slots=True)
class Posting:
    """What one entry does to the cash of one currency, in one step: `leg` counts them.

    `amount` is the money moved, signed, in the currency, `amount_base` its worth in base; both 0 where none is kept.
    The sums are those of a holding. One of nothing still says that the portfolio depends on the currency.
    """

    entry: Entry
    currency: str
    leg: int = 0
    amount: Amount[Local] = NIL
    amount_base: Amount[Base] = NIL
    income: Amount[Local] = NIL
    income_base: Amount[Base] = NIL
    fees_base: Amount[Base] = NIL
    taxes_base: Amount[Base] = NIL
    inflow_base: Amount[Base] = NIL
    outflow_base: Amount[Base] = NIL
    flags: frozenset[str] = frozenset()

    def flag(self, *flags: str) -> None:
        """Mark the cash."""
        self.flags = self.flags.union(flags)

    def add_up(self, **amounts: Amount[Base]) -> None:
        """Add amounts to sums, each by the name of its sum."""
        for name, amount in amounts.items():
            setattr(self, name, getattr(self, name) + amount)


def post(cash: Holding, posting: Posting) -> None:
    """Take a posting into the cash of its currency."""
    begin(cash, posting.entry.date)
    if posting.income:
        cash.income += posting.income
    for name in POSTED_SUMS:
        amount = getattr(posting, name)
        if amount:
            cash.add_up(**{name: amount})
    if posting.amount or posting.amount_base:
        cash.pay(posting.amount or posting.amount_base, posting.amount_base)
        move(cash, posting.amount, posting.amount_base)
    if posting.flags:
        cash.flag(*posting.flags)


def begin(cash: Holding, day: datetime.date) -> None:
    """Note the day of the first posting."""
    if cash.first_date is None:
        cash.first_date = day


def move(cash: Holding, amount: Amount[Local], value: Amount[Base]) -> None:
    """Move cash that is worth `value` in base, both signed.

    Away from zero it joins the pool at that value; towards zero it is relieved at the average, and what is gained or
    lost against base is realised; through zero it is divided at zero. What is worth something and was sold for nothing
    of the currency is gained with it.
    """
    if not amount:
        cash.add_up(realized_gain_base=-value, realized_fx_gain_base=-value)
        return
    # A unit of cash is money: what is moved is a quantity too, and what is held costs what it counts.
    units = number_of(amount)
    quantity, cost = cash.quantity, UNKNOWN_AMOUNT if cash.unrated_lots else cash.cost_basis_base
    if quantity and (quantity > 0) != (units > 0):
        left, against = abs(quantity), abs(units)
        part = min(against, left)
        closing = value if part == against else rounded(value * part / against)
        relieved = cost if part == left else rounded(cost * part / left)
        gain = -closing - relieved
        cash.add_up(realized_gain_base=gain, realized_fx_gain_base=gain)
        taken = part if quantity > 0 else -part
        quantity -= taken
        units += taken
        value -= closing
        cost = cost - relieved if quantity else NIL
    if units:
        quantity += units
        cost += value
    cash.quantity, cash.cost_basis = quantity, amount_of(quantity, Local)
    cash.unrated_lots, cash.cost_basis_base = (1, NIL) if cost.is_nan() else (0, cost)
