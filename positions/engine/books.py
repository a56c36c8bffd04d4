"""The books of one portfolio: its holdings while they are booked into, and what booking has produced so far.

Money moves three ways at once: in trade currency (cash), in the holding's local currency (cost and gain) and in base.
All base amounts go straight from trade currency at the rate used; local ones only differ where a trade is in another
currency than its holding, and are then converted at the market rate of the day and flagged.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from portfolio.amounts import (
    NIL,
    Amount,
    Base,
    ExchangeRate,
    Local,
    Trade,
    amount_of,
    number_of,
    rate_of,
    same_money,
    same_rate,
)
from portfolio.money import ONE, UNKNOWN, ZERO, rounded
from positions.engine.cost_methods import COST_METHODS, CostMethod
from positions.engine.entry import Entry, LegKey, Terms
from positions.engine.holdings import Holding, HoldingKey, Kind
from positions.engine.links import Claim, Given
from positions.engine.lots import Lot, LotKey, Piece, spread
from positions.engine.moves import Move
from positions.engine.postings import Place, Posting, post


class Worth(NamedTuple):
    """An amount in a holding's currency and in base."""

    local: Amount[Local]
    base: Amount[Base]

    def over(self, pieces: Sequence[Piece | Lot]) -> list[Worth]:
        """The amount spread over pieces by quantity."""
        return list(map(Worth, spread(self.local, pieces), spread(self.base, pieces)))


NOTHING = Worth(NIL, NIL)


@dataclass(frozen=True, slots=True)
class Disposal:
    """A closed piece of a lot. Of a covered short, `proceeds` are the opening ones, `cost_basis` is the cover cost.

    One of quantity 0 is what was relieved of a lot that stays; without `opening`, what came for nothing that was held.
    """

    security_id: str
    currency: str
    opening: LotKey | None
    closing: Entry
    piece: int
    quantity: Decimal
    proceeds: Amount[Local]
    cost_basis: Amount[Local]
    proceeds_base: Amount[Base]
    cost_basis_base: Amount[Base]
    realized_fx_gain_base: Amount[Base]

    @property
    def realized_gain(self) -> Amount[Local]:
        return self.proceeds - self.cost_basis

    @property
    def realized_gain_base(self) -> Amount[Base]:
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
    """The working state of one portfolio, and what booking has produced so far.

    `given` holds what TRANSFER_OUTs gave: those of other portfolios are put in before booking, its own come as booked.
    """

    terms: Terms
    holdings: dict[HoldingKey, Holding] = field(default_factory=dict)
    given: dict[LegKey, Given] = field(default_factory=dict)
    claims: Mapping[LegKey, Sequence[Claim]] = field(default_factory=dict)
    """TRANSFER_INs that are not among the entries to book, of this or other portfolios, by the OUT they name."""
    unmatched: dict[str, str] = field(default_factory=dict)
    """Linked TRANSFER_INs that cannot have the lots of their OUT, and why."""
    disposals: list[Disposal] = field(default_factory=list)
    problems: list[BookingProblem] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    postings: list[Posting] = field(default_factory=list)
    places: dict[str, Place] = field(default_factory=dict)
    """Where linked TRANSFER_INs stand that do not stand at their own place, by id."""
    touched: set[HoldingKey] = field(default_factory=set)
    """Holdings booked into since the current day began."""
    _unsettled: list[Posting] = field(default_factory=list)

    @property
    def method(self) -> CostMethod:
        """The cost method of the portfolio."""
        return COST_METHODS[self.terms.cost_basis_method]

    # --- holdings -------------------------------------------------------------------------------------------------

    def holding(self, key: HoldingKey, currency: str) -> Holding:
        """The holding, opened if need be."""
        held = self.holdings.get(key)
        if held is None:
            held = self.holdings[key] = Holding(key, currency)
        self.touched.add(key)
        return held

    def security(self, entry: Entry) -> Holding:
        """The holding of the entry's security, to book the entry into."""
        assert entry.security_id is not None, "validation asks for the security"
        return self._of_security(entry, entry.security_id, entry.currency)

    def target(self, entry: Entry, source: Holding) -> Holding:
        """The holding that the source's units become, to book into; provisionally in the source's currency."""
        return self._of_security(entry, entry.target_security_id, source.currency)

    def cash(self, entry: Entry, currency: str | None = None) -> Posting:
        """What the entry does to the cash of a currency, that of the trade unless named."""
        currency = currency or entry.currency
        for posting in reversed(self._unsettled):
            if posting.currency == currency:
                return posting
        posting = Posting(entry, currency)
        if entry.rate_is_stale:
            posting.flag("STALE_FX_RATE")
        self._unsettled.append(posting)
        return posting

    def next_leg(self, posting: Posting) -> Posting:
        """One more step of an entry, for money that moves at another value."""
        self._unsettled.append(Posting(posting.entry, posting.currency, posting.leg + 1, flags=posting.flags))
        return self._unsettled[-1]

    def settle(self) -> None:
        """Take what the last entry has posted into the cash."""
        for posting in self._unsettled:
            post(self.holding(HoldingKey(Kind.CASH, posting.currency), posting.currency), posting)
        self.postings += self._unsettled
        self._unsettled.clear()

    def bearer(self, entry: Entry) -> Holding | Posting:
        """What income or a charge belongs to: the security where one is named, else the cash of the trade currency."""
        return self.security(entry) if entry.security_id else self.cash(entry)

    def quantity_held(self, security_id: str | None) -> Decimal:
        """How much of a security is held, without opening anything."""
        held = self.holdings.get(HoldingKey(Kind.SECURITY, security_id or ""))
        return held.quantity if held else ZERO

    def price_factor(self, security_id: str) -> Decimal:
        """Money for one unit of the security at price 1."""
        instrument = self.terms.instruments.get(security_id)
        return instrument.price_factor if instrument else ONE

    def _of_security(self, entry: Entry, security_id: str, provisional_currency: str) -> Holding:
        held = self.holding(HoldingKey(Kind.SECURITY, security_id), provisional_currency)
        instrument = self.terms.instruments.get(security_id)
        return self._booked(held, entry, instrument.currency if instrument else provisional_currency)

    def _booked(self, held: Holding, entry: Entry, currency: str) -> Holding:
        if held.first_date is None:
            held.first_date, held.currency = entry.date, currency
        if entry.rate_is_stale:
            held.flag("STALE_FX_RATE")
        return held

    # --- money ----------------------------------------------------------------------------------------------------

    def local(self, held: Holding | Posting, entry: Entry, amount: Amount[Trade]) -> Amount[Local]:
        """An amount of trade currency in the holding's."""
        return self.converted(held, entry.date, amount, entry.currency)

    def converted(
        self, held: Holding | Posting, day: datetime.date, amount: Amount[Trade] | Amount[Local], currency: str
    ) -> Amount[Local]:
        """An amount, of trade or of another holding, in the holding's currency: at the market rate of the day where it
        is in another, and flagged.
        """
        if currency == held.currency or not amount:
            return same_money(amount, Local)
        held.flag("CONVERTED")
        return amount_of(rounded(number_of(amount) * self.market_rate(held, currency, held.currency, day)), Local)

    def local_rate(self, held: Holding, entry: Entry) -> ExchangeRate[Local, Base]:
        """Base for one unit of the holding's currency, on the entry's day: the rate used where that is its currency."""
        if entry.currency == held.currency:
            return same_rate(entry.rate, Local, Base)
        return rate_of(self.market_rate(held, held.currency, self.terms.base_currency, entry.date), Local, Base)

    def market_rate(self, held: Holding | Posting, from_currency: str, to_currency: str, day: datetime.date) -> Decimal:
        """The market rate of a day for a booking into a holding, which is flagged where the rate is stale."""
        market = self.terms.rates.market(from_currency, to_currency, day)
        if market and market.stale_on(day):
            held.flag("STALE_FX_RATE")
        return market.value if market else UNKNOWN

    def costs_in(self, entry: Entry) -> Amount[Trade]:
        """The fee and tax that are part of cost and proceeds."""
        return entry.fee + entry.tax if self.terms.fees_in_cost else NIL

    def report_costs(self, entry: Entry, held: Holding | Posting, *, always: bool = True) -> None:
        """Put fee and tax of an entry under fees and taxes: always, or only where they are no part of cost."""
        if always or not self.terms.fees_in_cost:
            held.add_up(fees_base=entry.base(entry.fee), taxes_base=entry.base(entry.tax))
        elif entry.fee:
            held.add_up(fees_in_cost_base=entry.base(entry.fee))

    # --- lots and what becomes of them ----------------------------------------------------------------------------

    def lot_key(self, entry: Entry) -> LotKey:
        """What a lot opened by the entry is known by."""
        return LotKey(entry.key.date, entry.key.time_us, entry.transaction_id, self.terms.portfolio_id)

    def leave_out(self, entry: Entry, code: str, detail: str, quantity: Decimal | None = None) -> None:
        """List an entry that is not booked, or not as it asked."""
        self.problems.append(BookingProblem(code, entry, quantity, detail))

    def take(self, entry: Entry, held: Holding, quantity: Decimal) -> list[Piece]:
        """Take a quantity (unsigned) of what is held, by the cost method."""
        return held.take(self.method.choose(held, quantity, entry.lots))

    def worth(self, held: Holding, entry: Entry, amount: Amount[Trade]) -> Worth:
        """An amount of trade currency in the holding's and in base."""
        return Worth(self.local(held, entry, amount), entry.base(amount))

    def close(self, entry: Entry, held: Holding, quantity: Decimal, worth: Worth) -> None:
        """Close a quantity of what is held, long or short, for an unsigned amount."""
        long = held.quantity > 0
        pieces = self.take(entry, held, quantity)
        for piece, share in zip(pieces, worth.over(pieces), strict=True):
            self.dispose(entry, held, piece, share, long=long)

    def relieve(self, entry: Entry, held: Holding, lot: Lot, *, cost: Worth, worth: Worth) -> None:
        """Take (signed) cost off a lot that stays, against an unsigned amount."""
        self.dispose(entry, held, Piece(lot.key, ZERO, cost.local, cost.base), worth, long=lot.quantity > 0)
        held.relieve(lot, cost.local, cost.base)

    def dispose(self, entry: Entry, held: Holding, piece: Piece | None, worth: Worth, *, long: bool = True) -> None:
        """Realise the gain of a piece that was closed, or of the (signed) cost relieved of a lot that stays.

        It is worth the proceeds of a long piece, the cover cost of a short one.
        """
        last = self.disposals[-1] if self.disposals else None
        goes_on = last is not None and last.closing is entry and last.security_id == held.key.security_id
        cost, cost_base = (piece.cost_basis, piece.cost_basis_base) if piece else (NIL, NIL)
        disposal = Disposal(
            security_id=held.key.security_id,
            currency=held.currency,
            opening=piece.key if piece else None,
            closing=entry,
            piece=last.piece + 1 if last is not None and goes_on else 0,
            quantity=abs(piece.quantity) if piece else ZERO,
            proceeds=worth.local if long else -cost,
            cost_basis=cost if long else worth.local,
            proceeds_base=worth.base if long else -cost_base,
            cost_basis_base=cost_base if long else worth.base,
            realized_fx_gain_base=(rounded(cost * self.local_rate(held, entry)) if cost else NIL) - cost_base,
        )
        self.disposals.append(disposal)
        held.realized_gain += disposal.realized_gain
        held.add_up(
            realized_gain_base=disposal.realized_gain_base, realized_fx_gain_base=disposal.realized_fx_gain_base
        )


def lot_of(piece: Piece) -> Lot:
    """The piece as a lot again."""
    return Lot(piece.key, piece.quantity, piece.cost_basis, piece.cost_basis_base)
