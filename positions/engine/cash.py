"""Booking cash: what trades and other types move, and the types that move only cash. What the pool does with it: see
`engine.postings`.

Where cash is not tracked its holding stays at zero: it says which currencies the portfolio depends on.
"""

from __future__ import annotations

from decimal import Decimal

from portfolio.amounts import NIL, Amount, Base, Local, Trade, same_money
from portfolio.money import ONE, ZERO
from positions.engine.books import Books
from positions.engine.entry import Entry
from positions.engine.postings import Posting


def move_cash(books: Books, entry: Entry, amount: Amount[Trade]) -> None:
    """Move cash in trade currency, at the rate used. Where no cash is kept, it comes from outside and goes there."""
    value = entry.base(amount)
    _move(books, entry, entry.currency, same_money(amount, Local), value)
    if not books.terms.cash_tracked:
        _cross_border(books.cash(entry), -amount, -value)


def _move(books: Books, entry: Entry, currency: str, amount: Amount[Local], value: Amount[Base]) -> None:
    """Move cash, in the money of its pool, that is worth `value` in base, both signed: where cash is kept."""
    posting = books.cash(entry, currency)
    if not books.terms.cash_tracked or not (amount or value):
        return
    if posting.amount or posting.amount_base:
        posting = books.next_leg(posting)
    posting.amount, posting.amount_base = amount, value


# --- one function a type ------------------------------------------------------------------------------------------


def book_deposit(books: Books, entry: Entry) -> None:
    """Cash comes in from outside."""
    flow(books, entry, ONE)


def book_withdrawal(books: Books, entry: Entry) -> None:
    """Cash goes out of the portfolio."""
    flow(books, entry, -ONE)


def flow(books: Books, entry: Entry, sign: Decimal) -> None:
    """Cash that crosses the portfolio's border; where none is kept, only fee and tax are paid, from outside."""
    cash = books.cash(entry)
    books.report_costs(entry, cash)
    gross = sign * entry.gross if books.terms.cash_tracked else NIL
    _cross_border(cash, gross, entry.base(gross))
    move_cash(books, entry, gross - entry.fee - entry.tax)


def _cross_border(cash: Posting, amount: Amount[Trade], value: Amount[Base]) -> None:
    """Note an external flow, in (positive) or out, and its value in base."""
    if amount < 0:
        cash.add_up(outflow_base=-value)
    else:
        cash.add_up(inflow_base=value)


def book_fx_trade(books: Books, entry: Entry) -> None:
    """One currency is sold for another: g at its value in base, which the one bought enters its pool at."""
    # Base currency is worth itself, sold or bought; between two others the rate used says what changed hands.
    to_base = entry.target_currency == books.terms.base_currency
    worth = same_money(entry.target_amount, Base) if to_base else entry.base(entry.gross)
    _move(books, entry, entry.currency, same_money(-entry.gross, Local), -worth)
    _move(books, entry, entry.target_currency, same_money(entry.target_amount, Local), worth)
    books.report_costs(entry, books.cash(entry))
    move_cash(books, entry, -(entry.fee + entry.tax))


def book_dividend(books: Books, entry: Entry) -> None:
    """Income of a security; who is short of it pays it."""
    _income(books, entry, -ONE if books.quantity_held(entry.security_id) < 0 else ONE)


def book_interest(books: Books, entry: Entry) -> None:
    """Income of a security, where one is named, or of the cash."""
    _income(books, entry, ONE)


def book_interest_charge(books: Books, entry: Entry) -> None:
    """Interest paid, also for what a bond had accrued."""
    _income(books, entry, -ONE)


def _income(books: Books, entry: Entry, sign: Decimal) -> None:
    held = books.bearer(entry)
    held.income += books.local(held, entry, sign * entry.gross)
    held.add_up(income_base=entry.base(sign * entry.gross))
    books.report_costs(entry, held)
    move_cash(books, entry, sign * entry.gross - entry.fee - entry.tax)


def book_fee(books: Books, entry: Entry) -> None:
    """A fee of its own."""
    _charge(books, entry, fees=ONE, taxes=ZERO)


def book_tax(books: Books, entry: Entry) -> None:
    """A tax of its own."""
    _charge(books, entry, fees=ZERO, taxes=ONE)


def book_fee_refund(books: Books, entry: Entry) -> None:
    """A fee that comes back lowers the fees."""
    _charge(books, entry, fees=-ONE, taxes=ZERO)


def book_tax_refund(books: Books, entry: Entry) -> None:
    """A tax that comes back lowers the taxes."""
    _charge(books, entry, fees=ZERO, taxes=-ONE)


def _charge(books: Books, entry: Entry, *, fees: Decimal, taxes: Decimal) -> None:
    """A charge (1) or a refund (-1) of fees or taxes."""
    held = books.bearer(entry)
    worth = entry.base(entry.gross)
    if fees:
        held.add_up(fees_base=fees * worth)
    else:
        held.add_up(taxes_base=taxes * worth)
    books.report_costs(entry, held)
    move_cash(books, entry, -(fees + taxes) * entry.gross - entry.fee - entry.tax)
