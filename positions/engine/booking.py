"""Booking: a fold of entries, in booking order, over the holdings of one portfolio.

Each transaction type is one small function that books one entry into the books; the table is at the foot. A function
first finds out whether the entry can be booked at all. Where it cannot (more sold than held), nothing of it is: the
entry is left out as a whole and listed as an exception, and it is booked in its place as soon as the ledger allows.

Money moves three ways at once: in trade currency (cash), in the holding's local currency (cost and gain) and in base.
All base amounts go straight from trade currency at the rate used; local ones only differ where a trade is in another
currency than its holding, and are then converted at the market rate of the day and flagged.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from portfolio.money import ONE, UNKNOWN, ZERO, exact, plain, rounded
from positions.engine.cost_methods import COST_METHODS
from positions.engine.entry import Entry, Terms
from positions.engine.lots import Holding, HoldingKey, Kind, Lot, LotKey, Piece, spread

DUST = Decimal("1e-12")
"""A disposal that exceeds what is held by no more than this takes exactly what is held."""


class NotBookable(LookupError):
    """A transaction type or cost method that this engine does not book."""


@dataclass(frozen=True, slots=True)
class Disposal:
    """A closed piece of a lot. Of a covered short, `proceeds` are the opening ones, `cost_basis` is the cover cost."""

    security_id: str
    currency: str
    opening: LotKey
    closing: Entry
    piece: int
    quantity: Decimal
    proceeds: Decimal
    cost_basis: Decimal
    proceeds_base: Decimal
    cost_basis_base: Decimal
    realized_fx_gain_base: Decimal

    @property
    def realized_gain(self) -> Decimal:
        return self.proceeds - self.cost_basis

    @property
    def realized_gain_base(self) -> Decimal:
        return self.proceeds_base - self.cost_basis_base


@dataclass(frozen=True, slots=True)
class BookingProblem:
    """An entry that was left out, or booked otherwise than it asked, and by how much."""

    code: str
    entry: Entry
    quantity: Decimal | None
    detail: str


@dataclass(slots=True)
class Books:
    """The working state of one portfolio, and what booking has produced so far."""

    terms: Terms
    holdings: dict[HoldingKey, Holding] = field(default_factory=dict)
    disposals: list[Disposal] = field(default_factory=list)
    problems: list[BookingProblem] = field(default_factory=list)
    touched: set[HoldingKey] = field(default_factory=set)
    """Holdings booked into since the current day began."""

    def holding(self, key: HoldingKey, entry: Entry) -> Holding:
        """The holding, opened if need be."""
        held = self.holdings.get(key)
        if held is None:
            held = self.holdings[key] = Holding(key, entry.currency)
        self.touched.add(key)
        return held

    def security(self, entry: Entry) -> Holding:
        """The holding of the entry's security, to book the entry into."""
        assert entry.security_id is not None, "validation asks for the security"
        held = self.holding(HoldingKey(Kind.SECURITY, entry.security_id), entry)
        instrument = self.terms.instruments.get(entry.security_id)
        return self._booked(held, entry, instrument.currency if instrument else entry.currency)

    def cash(self, entry: Entry) -> Holding:
        """The cash of the entry's trade currency, to book the entry into."""
        held = self.holding(HoldingKey(Kind.CASH, entry.currency), entry)
        return self._booked(held, entry, entry.currency)

    def _booked(self, held: Holding, entry: Entry, currency: str) -> Holding:
        if held.first_date is None:
            held.first_date, held.currency = entry.date, currency
        if entry.rate_is_stale:
            held.flag("STALE_FX_RATE")
        return held

    def quantity_held(self, entry: Entry) -> Decimal:
        """How much of the entry's security is held, without opening anything."""
        held = self.holdings.get(HoldingKey(Kind.SECURITY, entry.security_id or ""))
        return held.quantity if held else ZERO

    def local(self, held: Holding, entry: Entry, amount: Decimal) -> Decimal:
        """An amount of trade currency in the holding's: at the market rate of the day where they differ."""
        if entry.currency == held.currency or not amount:
            return amount
        held.flag("CONVERTED")
        return rounded(amount * self._market_rate(held, entry.currency, held.currency, entry.date))

    def local_rate(self, held: Holding, entry: Entry) -> Decimal:
        """Base for one unit of the holding's currency, on the entry's day: the rate used where that is its currency."""
        if entry.currency == held.currency:
            return entry.rate
        return self._market_rate(held, held.currency, self.terms.base_currency, entry.date)

    def _market_rate(self, held: Holding, from_currency: str, to_currency: str, day: datetime.date) -> Decimal:
        market = self.terms.rates.market(from_currency, to_currency, day)
        if market and market.stale_on(day):
            held.flag("STALE_FX_RATE")
        return market.value if market else UNKNOWN


def book(
    entries: Iterable[Entry], books: Books, end_of_day: Callable[[datetime.date, set[HoldingKey]], None] | None = None
) -> Books:
    """Book the entries, which must come in booking order, after those already in the books.

    `end_of_day` is called after the last entry of each day with the holdings it touched, while they stand as they did
    at that day's end. Raises NotBookable for a type or cost method without a booking function.
    """
    if books.terms.cost_basis_method not in COST_METHODS:
        raise NotBookable(f"the cost method {books.terms.cost_basis_method} cannot be booked yet")
    day = None
    with exact():
        for entry in entries:
            if end_of_day and day and entry.date != day and books.touched:
                end_of_day(day, books.touched)
                books.touched = set()
            day = entry.date
            try:
                book_one = BOOKINGS[entry.transaction_type]
            except KeyError:
                raise NotBookable(
                    f"{entry.transaction_type} (transaction {entry.transaction_id}) cannot be booked yet"
                ) from None
            book_one(books, entry)
        if end_of_day and day and books.touched:
            end_of_day(day, books.touched)
            books.touched = set()
    return books


# --- what the types have in common --------------------------------------------------------------------------------


def _move_cash(books: Books, entry: Entry, amount: Decimal) -> None:
    """Move cash in trade currency: away from zero it joins the pool at the rate used; towards zero it is relieved at
    the average, and what is gained or lost against base is realised; through zero it is divided at zero.

    Where cash is not tracked its holding stays at zero: it says which currencies the portfolio depends on.
    """
    cash = books.cash(entry)
    if not books.terms.cash_tracked or not amount:
        return
    if cash.quantity and (cash.quantity > 0) != (amount > 0):
        part = min(abs(amount), abs(cash.quantity))
        (piece,) = cash.take(part, Holding.front)
        gain = rounded(piece.quantity * entry.rate) - piece.cost_basis_base
        cash.realized_gain_base += gain
        cash.realized_fx_gain_base += gain
        amount += piece.quantity
    if amount:
        cash.pool(Lot(_lot_key(books, entry), amount, amount, entry.base(amount)))


def _report_costs(books: Books, entry: Entry, held: Holding, *, always: bool) -> None:
    """Put fee and tax of an entry under fees and taxes: always, or only where they are no part of cost."""
    if always or not books.terms.fees_in_cost:
        held.fees_base += entry.base(entry.fee)
        held.taxes_base += entry.base(entry.tax)


def _costs_in(books: Books, entry: Entry) -> Decimal:
    """The fee and tax that are part of cost and proceeds."""
    return entry.fee + entry.tax if books.terms.fees_in_cost else ZERO


def _lot_key(books: Books, entry: Entry) -> LotKey:
    return LotKey(entry.key.date, entry.key.time_us, entry.transaction_id, books.terms.portfolio_id)


def _open(books: Books, entry: Entry, held: Holding, quantity: Decimal, amount: Decimal) -> None:
    """Open a lot (signed), at a cost given in trade currency."""
    lot = Lot(_lot_key(books, entry), quantity, books.local(held, entry, amount), entry.base(amount))
    COST_METHODS[books.terms.cost_basis_method].join(held, lot)


def _close(books: Books, entry: Entry, held: Holding, quantity: Decimal, amount: Decimal) -> None:
    """Close `quantity` of what is held, long or short, for an unsigned amount of trade currency."""
    pieces = held.take(quantity, COST_METHODS[books.terms.cost_basis_method].choose)
    rate = books.local_rate(held, entry)
    amounts = spread(books.local(held, entry, amount), pieces)
    amounts_base = spread(entry.base(amount), pieces)
    for index, (piece, local, base) in enumerate(zip(pieces, amounts, amounts_base, strict=True)):
        disposal = _disposal(entry, held, piece, index, amount=local, amount_base=base, rate=rate)
        books.disposals.append(disposal)
        held.realized_gain += disposal.realized_gain
        held.realized_gain_base += disposal.realized_gain_base
        held.realized_fx_gain_base += disposal.realized_fx_gain_base


def _disposal(
    entry: Entry, held: Holding, piece: Piece, index: int, *, amount: Decimal, amount_base: Decimal, rate: Decimal
) -> Disposal:
    """The disposal of a piece for its share of the amount, local and base; `rate` is base for one unit of local."""
    long = piece.quantity > 0
    return Disposal(
        security_id=held.key.security_id,
        currency=held.currency,
        opening=piece.key,
        closing=entry,
        piece=index,
        quantity=abs(piece.quantity),
        proceeds=amount if long else -piece.cost_basis,
        cost_basis=piece.cost_basis if long else amount,
        proceeds_base=amount_base if long else -piece.cost_basis_base,
        cost_basis_base=piece.cost_basis_base if long else amount_base,
        realized_fx_gain_base=rounded(piece.cost_basis * rate) - piece.cost_basis_base,
    )


def _trade(books: Books, entry: Entry, held: Holding, units: Decimal, amount: Decimal) -> None:
    """Acquire (units > 0) or dispose of (units < 0) for an unsigned amount, first against the other side."""
    against = min(abs(units), abs(held.quantity)) if held.quantity and (held.quantity > 0) != (units > 0) else ZERO
    closing = amount if against == abs(units) else rounded(amount * against / abs(units))
    if against:
        _close(books, entry, held, against, closing)
    rest = abs(units) - against
    if rest:
        sign = ONE if units > 0 else -ONE
        _open(books, entry, held, sign * rest, sign * (amount - closing))
    held.trade_price = entry.price if entry.price is not None else _implied_price(books, entry)
    held.trade_price_currency = entry.currency
    held.trade_price_date = entry.date
    held.trade_split_ratio = held.split_ratio


def _implied_price(books: Books, entry: Entry) -> Decimal:
    instrument = books.terms.instruments.get(entry.security_id or "")
    return entry.gross / (entry.quantity * (instrument.price_factor if instrument else ONE))


# --- one function a type ------------------------------------------------------------------------------------------


def _buy(books: Books, entry: Entry) -> None:
    held = books.security(entry)
    _trade(books, entry, held, entry.quantity, entry.gross + _costs_in(books, entry))
    _report_costs(books, entry, held, always=False)
    _move_cash(books, entry, -(entry.gross + entry.fee + entry.tax))


def _sell(books: Books, entry: Entry) -> None:
    quantity, held_quantity = entry.quantity, books.quantity_held(entry)
    if ZERO < quantity - held_quantity <= DUST and held_quantity > 0:
        quantity = held_quantity
    if quantity > held_quantity and not books.terms.allow_short:
        by = quantity - max(held_quantity, ZERO)
        books.problems.append(
            BookingProblem("OVERSOLD", entry, by, f"{plain(entry.quantity)} sold, {plain(held_quantity)} held")
        )
        return
    held = books.security(entry)
    _trade(books, entry, held, -quantity, entry.gross - _costs_in(books, entry))
    _report_costs(books, entry, held, always=False)
    _move_cash(books, entry, entry.gross - entry.fee - entry.tax)


def _split(books: Books, entry: Entry) -> None:
    # A split counts for old prices whether or not the security is held on its day.
    held = books.holding(HoldingKey(Kind.SECURITY, entry.security_id or ""), entry)
    held.split_ratio *= entry.ratio
    if not held.quantity:
        books.problems.append(BookingProblem("NOTHING_HELD", entry, None, "nothing was held on the day of the split"))
        return
    if held.scaled(entry.ratio_new, entry.ratio_old):
        held.scale(entry.ratio_new, entry.ratio_old)
    else:
        # Less than what is kept of a number would be left: it is gone, for nothing.
        _close(books, entry, held, abs(held.quantity), ZERO)
    _report_costs(books, entry, held, always=True)
    _move_cash(books, entry, -(entry.fee + entry.tax))


def _dividend(books: Books, entry: Entry) -> None:
    sign = -ONE if books.quantity_held(entry) < 0 else ONE
    _income(books, entry, sign)


def _interest(books: Books, entry: Entry) -> None:
    _income(books, entry, ONE)


def _income(books: Books, entry: Entry, sign: Decimal) -> None:
    held = books.security(entry) if entry.security_id else books.cash(entry)
    held.income += books.local(held, entry, sign * entry.gross)
    held.income_base += entry.base(sign * entry.gross)
    _report_costs(books, entry, held, always=True)
    _move_cash(books, entry, sign * entry.gross - entry.fee - entry.tax)


def _deposit(books: Books, entry: Entry) -> None:
    _flow(books, entry, ONE)


def _withdrawal(books: Books, entry: Entry) -> None:
    _flow(books, entry, -ONE)


def _flow(books: Books, entry: Entry, sign: Decimal) -> None:
    _report_costs(books, entry, books.cash(entry), always=True)
    _move_cash(books, entry, sign * entry.gross - entry.fee - entry.tax)


def _fee(books: Books, entry: Entry) -> None:
    held = books.security(entry) if entry.security_id else books.cash(entry)
    held.fees_base += entry.base(entry.gross)
    _report_costs(books, entry, held, always=True)
    _move_cash(books, entry, -(entry.gross + entry.fee + entry.tax))


def _tax(books: Books, entry: Entry) -> None:
    held = books.security(entry) if entry.security_id else books.cash(entry)
    held.taxes_base += entry.base(entry.gross)
    _report_costs(books, entry, held, always=True)
    _move_cash(books, entry, -(entry.gross + entry.fee + entry.tax))


BOOKINGS: dict[str, Callable[[Books, Entry], None]] = {
    "SPLIT": _split,
    "DEPOSIT": _deposit,
    "BUY": _buy,
    "DIVIDEND": _dividend,
    "INTEREST": _interest,
    "SELL": _sell,
    "WITHDRAWAL": _withdrawal,
    "FEE": _fee,
    "TAX": _tax,
}
