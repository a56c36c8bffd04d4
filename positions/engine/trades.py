"""Booking trades: what is bought covers shorts first and then opens a lot; what is sold closes lots by the cost method
and, past zero, opens a short where the portfolio allows it.

An entry that sells more than is held, in a portfolio without shorts, is left out as a whole and listed: it is booked in
its place as soon as the ledger allows.
"""

from __future__ import annotations

from decimal import Decimal

from portfolio.amounts import Amount, Quoted, Trade, same_money
from portfolio.money import ONE, ZERO, plain, rounded
from positions.engine.books import Books
from positions.engine.cash import move_cash
from positions.engine.entry import Entry
from positions.engine.holdings import Holding
from positions.engine.lots import Lot

DUST = Decimal("1e-12")
"""A disposal that exceeds what is held by no more than this takes exactly what is held."""


def book_buy(books: Books, entry: Entry) -> None:
    """Cover shorts, then open a lot."""
    held = books.security(entry)
    _trade(books, entry, held, entry.quantity, entry.gross + books.costs_in(entry))
    books.report_costs(entry, held, always=False)
    move_cash(books, entry, -(entry.gross + entry.fee + entry.tax))


def book_reinvestment(books: Books, entry: Entry) -> None:
    """A dividend and a purchase in one: no cash moves but fee and tax."""
    held = books.security(entry)
    held.income += books.local(held, entry, entry.gross)
    held.add_up(income_base=entry.base(entry.gross))
    _trade(books, entry, held, entry.quantity, entry.gross + books.costs_in(entry))
    books.report_costs(entry, held, always=False)
    move_cash(books, entry, -(entry.fee + entry.tax))


def book_sell(books: Books, entry: Entry) -> None:
    """Close lots by the cost method, and past zero open a short where shorts are allowed; SELL and REDEMPTION."""
    quantity = quantity_given(books, entry, past_zero=books.terms.allow_short)
    if quantity is None:
        return
    held = books.security(entry)
    _trade(books, entry, held, -quantity, entry.gross - books.costs_in(entry))
    books.report_costs(entry, held, always=False)
    move_cash(books, entry, entry.gross - entry.fee - entry.tax)


def quantity_given(books: Books, entry: Entry, *, past_zero: bool) -> Decimal | None:
    """How much really goes out; None where that is more than is held and may not be: the entry is then left out."""
    quantity, held = entry.quantity, books.quantity_held(entry.security_id)
    if ZERO < quantity - held <= DUST and held > 0:
        return held
    if quantity > held and not past_zero:
        by = quantity - max(held, ZERO)
        gone = "transferred out" if entry.transaction_type == "TRANSFER_OUT" else "sold"
        books.leave_out(entry, "OVERSOLD", f"{plain(entry.quantity)} {gone}, {plain(held)} held", by)
        return None
    return quantity


def covered(held: Holding, quantity: Decimal) -> Decimal:
    """How much of a quantity that comes in (positive) or goes out meets the other side."""
    crosses = held.quantity and (held.quantity > 0) != (quantity > 0)
    return min(abs(quantity), abs(held.quantity)) if crosses else ZERO


def _trade(books: Books, entry: Entry, held: Holding, units: Decimal, amount: Amount[Trade]) -> None:
    """Acquire (units > 0) or dispose of (units < 0) for an unsigned amount, first against the other side."""
    against = covered(held, units)
    closing = amount if against == abs(units) else rounded(amount * against / abs(units))
    if against:
        books.close(entry, held, against, books.worth(held, entry, closing))
    rest = abs(units) - against
    sign = ONE if units > 0 else -ONE
    if rest:
        opening = sign * (amount - closing)
        books.method.join(held, Lot(books.lot_key(entry), sign * rest, *books.worth(held, entry, opening)))
    held.pay(sign * amount, entry.base(sign * amount))
    _note_price(books, entry, held)


def _note_price(books: Books, entry: Entry, held: Holding) -> None:
    price = entry.price
    if price is None:
        price = entry.gross / (entry.quantity * books.price_factor(held.key.security_id))
    held.trade_price, held.trade_price_currency = same_money(price, Quoted), entry.currency
    held.trade_price_date, held.trade_split_ratio = entry.date, held.split_ratio
