"""Booking: a fold of entries, in booking order, over the holdings of one portfolio.

Each transaction type is one small function that books one entry into the books; the table is at the foot. A function
first finds out whether the entry can be booked at all. Where it cannot (more sold than held), nothing of it is: the
entry is left out as a whole and listed as an exception, and it is booked in its place as soon as the ledger allows.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable

from portfolio.money import exact
from positions.engine import cash, corporate_actions, trades, transfers
from positions.engine.books import BookingProblem, Books, Disposal
from positions.engine.entry import Entry
from positions.engine.holdings import HoldingKey
from positions.engine.links import Given

__all__ = ["BOOKINGS", "BookingProblem", "Books", "Disposal", "Given", "book"]


def book(
    entries: Iterable[Entry],
    books: Books,
    end_of_day: Callable[[datetime.date, set[HoldingKey]], None] | None = None,
    before_entry: Callable[[Entry], None] | None = None,
) -> Books:
    """Book the entries, which must come in booking order, after those already in the books.

    A linked TRANSFER_IN finds the lots of its TRANSFER_OUT among these entries or in `books.given`. `end_of_day` is
    called after the last entry of each day with the holdings it touched, while they stand as at that day's end;
    `before_entry` before each entry is booked, while everything stands as the one before has left it.
    """
    day = None
    with exact():
        for entry in transfers.in_place(entries, books):
            if before_entry:
                before_entry(entry)
            if end_of_day and day and entry.date != day and books.touched:
                end_of_day(day, books.touched)
                books.touched = set()
            day = entry.date
            BOOKINGS[entry.transaction_type](books, entry)
            books.settle()
        if end_of_day and day and books.touched:
            end_of_day(day, books.touched)
            books.touched = set()
    return books


BOOKINGS: dict[str, Callable[[Books, Entry], None]] = {
    "SPLIT": corporate_actions.book_split,
    "STOCK_DIVIDEND": corporate_actions.book_stock_dividend,
    "SYMBOL_CHANGE": corporate_actions.book_symbol_change,
    "MERGER": corporate_actions.book_merger,
    "SPIN_OFF": corporate_actions.book_spin_off,
    "DEPOSIT": cash.book_deposit,
    "TRANSFER_IN": transfers.book_transfer_in,
    "BUY": trades.book_buy,
    "REINVESTMENT": trades.book_reinvestment,
    "FX_TRADE": cash.book_fx_trade,
    "DIVIDEND": cash.book_dividend,
    "INTEREST": cash.book_interest,
    "INTEREST_CHARGE": cash.book_interest_charge,
    "FEE_REFUND": cash.book_fee_refund,
    "TAX_REFUND": cash.book_tax_refund,
    "SELL": trades.book_sell,
    "REDEMPTION": trades.book_sell,
    "RETURN_OF_CAPITAL": corporate_actions.book_return_of_capital,
    "TRANSFER_OUT": transfers.book_transfer_out,
    "WITHDRAWAL": cash.book_withdrawal,
    "FEE": cash.book_fee,
    "TAX": cash.book_tax,
}
