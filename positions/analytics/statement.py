"""The statement of a period (FINANCE.md 7): what it opened with, what came, went and was gained, what it closed with.

    opening + inflows - outflows + price gain + FX gain + income - fees - taxes = closing

Every term is computed by itself and none as the rest of the others, so the residual says whether the books are right.
A period is (start, end]. A holding's gain is what it realised in the period and by what its unrealised gain changed,
less the unrealised gain that came with units in kind, plus what went with them. The FX part of either is what the cost,
at the rates of the days, has become worth more; the price part is the rest. Units that pass from one holding to another
take the same gain out of the one and into the other, so that nothing of it stays in the portfolio's own.

All in base currency. Needs nothing but the states at start and end, and the moves between.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from portfolio.amounts import NIL, UNKNOWN_AMOUNT, Amount, Base, total
from portfolio.money import exact
from positions.analytics.history import History, MoveValue
from positions.engine.holdings import Holding, HoldingKey, Kind
from positions.engine.valuation import Valuation


@dataclass(frozen=True, slots=True)
class StatementRow:
    """One holding in a period; a security, or a currency's cash. `missing` says why a figure is UNKNOWN.

    opening + money_in - money_out + price_gain + fx_gain + residual = closing; income, fees and taxes stand beside it:
    they came from the holding, and went to the cash or across the border.
    """

    key: HoldingKey
    opening: Amount[Base]
    money_in: Amount[Base]
    money_out: Amount[Base]
    price_gain: Amount[Base]
    fx_gain: Amount[Base]
    realized_gain: Amount[Base]
    unrealized_gain_change: Amount[Base]
    closing: Amount[Base]
    income: Amount[Base]
    fees: Amount[Base]
    taxes: Amount[Base]
    missing: str
    opened_at: Valuation | None = None
    closed_at: Valuation | None = None
    """With which prices and rates a security was valued at either end; None where nothing was held, and of cash."""
    flags: frozenset[str] = frozenset()

    @property
    def residual(self) -> Amount[Base]:
        return self.closing - (self.opening + self.money_in - self.money_out + self.price_gain + self.fx_gain)


_FIGURES = (
    "opening",
    "money_in",
    "money_out",
    "price_gain",
    "fx_gain",
    "realized_gain",
    "closing",
    "income",
    "fees",
    "taxes",
)
"""A holding of which all of these are zero had nothing to do with the period."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A portfolio in a period, and each of its holdings that had anything to do with it."""

    start: datetime.date
    end: datetime.date
    inflows: Amount[Base]
    outflows: Amount[Base]
    holdings: Sequence[StatementRow]

    @property
    def opening(self) -> Amount[Base]:
        return total(row.opening for row in self.holdings)

    @property
    def closing(self) -> Amount[Base]:
        return total(row.closing for row in self.holdings)

    @property
    def price_gain(self) -> Amount[Base]:
        return total(row.price_gain for row in self.holdings)

    @property
    def fx_gain(self) -> Amount[Base]:
        return total(row.fx_gain for row in self.holdings)

    @property
    def realized_gain(self) -> Amount[Base]:
        return total(row.realized_gain for row in self.holdings)

    @property
    def unrealized_gain_change(self) -> Amount[Base]:
        return total(row.unrealized_gain_change for row in self.holdings)

    @property
    def income(self) -> Amount[Base]:
        return total(row.income for row in self.holdings)

    @property
    def fees(self) -> Amount[Base]:
        return total(row.fees for row in self.holdings)

    @property
    def taxes(self) -> Amount[Base]:
        return total(row.taxes for row in self.holdings)

    @property
    def residual(self) -> Amount[Base]:
        with exact():
            gained = self.price_gain + self.fx_gain + self.income - self.fees - self.taxes
            return self.closing - (self.opening + self.inflows - self.outflows + gained)

    @property
    def missing(self) -> str:
        """Why a total is UNKNOWN."""
        return next((row.missing for row in self.holdings if row.missing), "MISSING_FX_RATE")


def statement(history: History, start: datetime.date, end: datetime.date) -> Statement:
    """The statement of (start, end]; `end` must not be before `start`."""
    with exact():
        moves = history.moves_in(start, end)
        in_kind = _by_holding(moves)
        flows = [move for move in moves if move.crosses_border]
        inflows = total(move.worth for move in flows if move.move.target_id)
        outflows = -total(move.worth for move in flows if move.move.source_id)
        rows = []
        for key, timeline in sorted(history.timelines.items()):
            before, after = timeline.on(start), timeline.on(end)
            if after is None:
                continue
            inflows += after.grown("inflow_base", before)
            outflows += after.grown("outflow_base", before)
            opening = _standing(history, before, start) if before else _NOTHING
            row = _row(before, opening, after, _standing(history, after, end), in_kind.get(key, ()))
            if any(getattr(row, name) for name in _FIGURES):
                rows.append(row)
        return Statement(start, end, inflows, outflows, rows)


@dataclass(frozen=True, slots=True)
class _InKind:
    """What a move brought into a holding (or, negative, took out of it), and the unrealised gain that came with it."""

    worth: Amount[Base]
    gain: Amount[Base]
    fx_gain: Amount[Base]


def _by_holding(moves: Iterable[MoveValue]) -> Mapping[HoldingKey, list[_InKind]]:
    """The moves as each holding sees them: one between two comes into the target and goes out of the source."""
    of_holding: dict[HoldingKey, list[_InKind]] = {}
    for value in moves:
        brought = _InKind(value.worth, value.carried_gain, value.carried_fx_gain)
        taken = _InKind(-value.worth, -value.carried_gain, -value.carried_fx_gain)
        source_id, target_id = value.move.source_id, value.move.target_id
        if target_id:
            of_holding.setdefault(HoldingKey(Kind.SECURITY, target_id), []).append(brought)
        if source_id:
            # What leaves the portfolio is negative already.
            leaves = taken if target_id else brought
            of_holding.setdefault(HoldingKey(Kind.SECURITY, source_id), []).append(leaves)
    return of_holding


@dataclass(frozen=True, slots=True)
class _Standing:
    """A holding at the end of a day."""

    value: Amount[Base]
    unrealized_gain: Amount[Base]
    unrealized_fx_gain: Amount[Base]
    missing: str
    valuation: Valuation | None = None
    flags: frozenset[str] = frozenset()


_NOTHING = _Standing(NIL, NIL, NIL, "")


def _row(
    before: Holding | None, opening: _Standing, after: Holding, closing: _Standing, in_kind: Sequence[_InKind]
) -> StatementRow:
    realized = after.grown("realized_gain_base", before)
    realized_fx = after.grown("realized_fx_gain_base", before)
    unrealized = closing.unrealized_gain - opening.unrealized_gain - total(one.gain for one in in_kind)
    unrealized_fx = closing.unrealized_fx_gain - opening.unrealized_fx_gain - total(one.fx_gain for one in in_kind)
    fx_gain = realized_fx + unrealized_fx
    return StatementRow(
        key=after.key,
        opening=opening.value,
        money_in=after.grown("money_in_base", before)
        + total(one.worth for one in in_kind if not one.worth.is_signed()),
        money_out=after.grown("money_out_base", before) - total(one.worth for one in in_kind if one.worth.is_signed()),
        price_gain=realized + unrealized - fx_gain,
        fx_gain=fx_gain,
        realized_gain=realized,
        unrealized_gain_change=unrealized,
        closing=closing.value,
        income=after.grown("income_base", before),
        fees=after.grown("fees_base", before),
        taxes=after.grown("taxes_base", before),
        missing=opening.missing or closing.missing,
        opened_at=opening.valuation,
        closed_at=closing.valuation,
        flags=opening.flags | closing.flags,
    )


def _standing(history: History, held: Holding, day: datetime.date) -> _Standing:
    """What a holding is worth, and by how much more than it cost; of nothing there is nothing to price."""
    if not held.quantity:
        return _NOTHING
    if held.key.kind is Kind.CASH:
        value = history.cash_base(held, day)
        gain = value - (UNKNOWN_AMOUNT if held.unrated_lots else held.cost_basis_base)
        rate = history.rates.market(held.currency, history.base_currency, day)
        flags = frozenset({"STALE_FX_RATE"} if rate and rate.stale_on(day) else ())
        return _Standing(value, gain, gain, "MISSING_FX_RATE" if value.is_nan() else "", None, flags)
    valuation = history.value(held, day)
    return _Standing(
        valuation.market_value_base,
        valuation.unrealized_gain_base,
        valuation.unrealized_fx_gain_base,
        valuation.missing if valuation.market_value_base.is_nan() else "",
        valuation,
        frozenset(valuation.flags),
    )
