"""Booking what companies do to their shares: splits, mergers, spin-offs, changes of symbol, returns of capital.

Lots keep their acquisition through all of them: what was bought once stays bought then, whatever it is called now. Of
what is not held nothing is booked, nor of what would meet a target held on the other side: the entry is left out as a
whole and listed.
"""

from __future__ import annotations

from decimal import Decimal

from portfolio.amounts import UNKNOWN_AMOUNT, Amount, Trade, number_of, total
from portfolio.money import ONE, ZERO, plain, rounded
from positions.engine.books import NOTHING, Books, Worth
from positions.engine.cash import move_cash
from positions.engine.entry import Entry
from positions.engine.holdings import Holding, HoldingKey, Kind
from positions.engine.lots import Lot, scaled_quantities
from positions.engine.moves import Move

# --- splits -------------------------------------------------------------------------------------------------------


def book_split(books: Books, entry: Entry) -> None:
    """Every lot is multiplied at unchanged cost."""
    # A split counts for old prices whether or not the security is held on its day.
    held = books.holding(HoldingKey(Kind.SECURITY, entry.security_id or ""), entry.currency)
    held.split_ratio *= entry.ratio
    if _nothing_held(books, entry):
        return
    held = books.security(entry)
    _scale(books, entry, held, entry.ratio_new, entry.ratio_old)
    books.report_costs(entry, held)
    move_cash(books, entry, -(entry.fee + entry.tax))


def book_stock_dividend(books: Books, entry: Entry) -> None:
    """More units on the side held: a split by what they make of the holding."""
    if _nothing_held(books, entry):
        return
    held = books.security(entry)
    before = abs(held.quantity)
    held.split_ratio *= (before + entry.quantity) / before
    _scale(books, entry, held, before + entry.quantity, before)
    books.report_costs(entry, held)
    move_cash(books, entry, -(entry.fee + entry.tax))


def _scale(books: Books, entry: Entry, held: Holding, new: Decimal, old: Decimal) -> None:
    if held.scaled(new, old):
        held.scale(new, old)
    else:
        # Less than what is kept of a number would be left: it is gone, for nothing.
        books.close(entry, held, abs(held.quantity), NOTHING)


# --- one security becomes another, or parts with one --------------------------------------------------------------


def book_symbol_change(books: Books, entry: Entry) -> None:
    """All lots move to the new name, and the price with them."""
    if _nothing_held(books, entry) or _target_on_other_side(books, entry):
        return
    source = books.security(entry)
    target = books.target(entry, source)
    _move_lots(books, entry, source, target, source.take_all(), new=ONE, old=ONE)
    _carry_price(books, entry, source, target)
    books.report_costs(entry, source)
    move_cash(books, entry, -(entry.fee + entry.tax))


def book_merger(books: Books, entry: Entry) -> None:
    """All lots move to the target; what cash relieves of their cost is realised."""
    if _nothing_held(books, entry) or _target_on_other_side(books, entry):
        return
    source = books.security(entry)
    long = source.quantity > 0
    amount = entry.gross - books.costs_in(entry) if long else entry.gross + books.costs_in(entry)
    if amount or entry.gross:
        _relieve_by_cash(books, entry, source, amount)
        paid = -amount if long else amount
        source.pay(paid, entry.base(paid))
    target = books.target(entry, source)
    if source.scaled(entry.ratio_new, entry.ratio_old):
        _move_lots(books, entry, source, target, source.take_all(), new=entry.ratio_new, old=entry.ratio_old)
    else:
        books.close(entry, source, abs(source.quantity), NOTHING)
    books.report_costs(entry, source, always=False)
    move_cash(books, entry, (entry.gross if long else -entry.gross) - entry.fee - entry.tax)


def book_spin_off(books: Books, entry: Entry) -> None:
    """A part of every lot's cost moves to a lot of the target that is as old."""
    if _nothing_held(books, entry) or _target_on_other_side(books, entry):
        return
    source = books.security(entry)
    target = books.target(entry, source)
    if source.scaled(entry.ratio_new, entry.ratio_old):
        moved: list[Lot] = []
        for lot in source.open_lots():
            cost = _fraction(lot, entry.cost_fraction)
            moved.append(Lot(lot.key, lot.quantity, *cost))
            source.relieve(lot, *cost)
        _move_lots(books, entry, source, target, moved, new=entry.ratio_new, old=entry.ratio_old)
    books.report_costs(entry, source)
    move_cash(books, entry, -(entry.fee + entry.tax))


def _move_lots(
    books: Books, entry: Entry, source: Holding, target: Holding, lots: list[Lot], *, new: Decimal, old: Decimal
) -> None:
    """Put lots of the source, oldest first, into the target, `new` units for every `old` ones, at their own cost.

    A lot that is rounded to nothing leaves its cost to the newest that is not.
    """
    quantities = scaled_quantities(lots, new, old)
    moved: list[Lot] = []
    for lot, quantity in zip(lots, quantities, strict=True):
        cost = books.converted(target, entry.date, lot.cost_basis, source.currency)
        moved.append(Lot(lot.key, quantity, cost, lot.cost_basis_base))
    newest = next(lot for lot in reversed(moved) if lot.quantity)
    for lot in moved:
        if not lot.quantity:
            newest.cost_basis += lot.cost_basis
            newest.cost_basis_base += lot.cost_basis_base
    left = [lot for lot in moved if lot.quantity]
    cost, cost_base = total(lot.cost_basis for lot in left), total(lot.cost_basis_base for lot in left)
    books.moves.append(
        Move(
            date=entry.date,
            transaction_id=entry.transaction_id,
            source_id=source.key.security_id,
            target_id=target.key.security_id,
            quantity=sum((lot.quantity for lot in left), ZERO),
            split_ratio=target.split_ratio,
            cost_basis=cost,
            cost_basis_base=cost_base,
            booked_base=cost_base,
        )
    )
    books.method.carry(target, left)


def _relieve_by_cash(books: Books, entry: Entry, held: Holding, amount: Amount[Trade]) -> None:
    """Let the cash of a merger relieve the entry's fraction of each lot's cost; without cash there is only the fee."""
    lots = held.open_lots()
    for lot, share in zip(lots, books.worth(held, entry, amount).over(lots), strict=True):
        cost = _fraction(lot, entry.cost_fraction) if entry.gross else NOTHING
        books.relieve(entry, held, lot, cost=cost, worth=share)


def _fraction(lot: Lot, fraction: Decimal) -> Worth:
    if not fraction:  # nothing of what is unknown is nothing
        return NOTHING
    return Worth(rounded(lot.cost_basis * fraction), rounded(lot.cost_basis_base * fraction))


def _carry_price(books: Books, entry: Entry, source: Holding, target: Holding) -> None:
    """Note on the target what its units were worth under the old symbol: see `engine.carried`."""
    target.carried_from, target.carried_date = source.key.security_id, entry.date
    target.carried_ratio = target.split_ratio / source.split_ratio
    target.carried_price, target.carried_price_currency = None, source.trade_price_currency
    target.carried_price_date = source.trade_price_date
    if source.trade_price is not None:
        factors = books.price_factor(source.key.security_id) / books.price_factor(target.key.security_id)
        target.carried_price = source.trade_price * source.trade_split_ratio * factors


# --- capital that comes back --------------------------------------------------------------------------------------


def book_return_of_capital(books: Books, entry: Entry) -> None:
    """Money that lowers cost, and is gain where there is no cost left to lower."""
    held = books.security(entry)
    long = held.quantity >= 0
    amount = entry.gross - books.costs_in(entry) if long else entry.gross + books.costs_in(entry)
    if not amount:
        pass
    elif held.quantity:
        _return_to_lots(books, entry, held, amount)
    else:
        books.dispose(entry, held, None, books.worth(held, entry, amount))
    paid = -amount if long else amount
    held.pay(paid, entry.base(paid))
    books.report_costs(entry, held, always=False)
    move_cash(books, entry, (entry.gross if long else -entry.gross) - entry.fee - entry.tax)


def _return_to_lots(books: Books, entry: Entry, held: Holding, amount: Amount[Trade]) -> None:
    """Bring the cost of every lot towards zero by its share of the amount, as far as it goes; the rest is gain."""
    lots = held.open_lots()
    for lot, share in zip(lots, books.worth(held, entry, amount).over(lots), strict=True):
        books.relieve(entry, held, lot, cost=_lowered(lot, share), worth=share)


def _lowered(lot: Lot, share: Worth) -> Worth:
    """The (signed) cost that a share of the money takes off a lot, in base in the lot's own proportion."""
    sign = ONE if lot.quantity > 0 else -ONE
    if share.local.is_nan() or lot.cost_basis.is_nan():
        return Worth(UNKNOWN_AMOUNT, UNKNOWN_AMOUNT)
    if share.local < 0:  # the fee was more than what came back: it is cost, of today
        return Worth(sign * share.local, sign * share.base)
    cost = sign * lot.cost_basis
    if cost <= 0:  # a short that was opened at a loss has no cost to be raised
        return NOTHING
    if share.local < cost:
        return Worth(sign * share.local, rounded(lot.cost_basis_base * number_of(share.local) / number_of(cost)))
    return Worth(lot.cost_basis, lot.cost_basis_base)


# --- what cannot be booked ----------------------------------------------------------------------------------------


def _nothing_held(books: Books, entry: Entry) -> bool:
    if books.quantity_held(entry.security_id):
        return False
    books.leave_out(entry, "NOTHING_HELD", f"nothing was held on {entry.date}")
    return True


def _target_on_other_side(books: Books, entry: Entry) -> bool:
    held, target = books.quantity_held(entry.security_id), books.quantity_held(entry.target_security_id)
    if not target or (target > 0) == (held > 0):
        return False
    detail = f"{plain(held)} {entry.security_id} and {plain(target)} {entry.target_security_id} were held"
    books.leave_out(entry, "TARGET_ON_OTHER_SIDE", detail)
    return True
