"""What a portfolio is exposed to at the end of a day: each holding with its market value in base, cash among them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portfolio.amounts import number_of
from portfolio.money import exact
from positions.analytics.allocation import Exposure, Share, allocation, concentration
from positions.engine.lots import Holding, Kind
from positions.figures import Snapshot, balance_base_in, valuation_in
from positions.periods.answers import measured
from positions.periods.segments import HOLDING, holding_name, named, segment_names

LARGEST_LISTED = 10


def allocation_answer(snapshot: Snapshot, *, by: str) -> dict[str, Any]:
    """The portfolio divided by holding or by an attribute of the instruments: see `positions.periods.segments`."""
    held = _held(snapshot)
    segment_of = segment_names(by=by, currencies={one.key: one.currency for one in held})
    names = {holding_name(one.key): segment_of(one.key) for one in held}
    found = allocation(_exposures(held, snapshot), key=lambda exposure: names[exposure.holding])
    return {
        "base_currency": snapshot.base_currency,
        "by": by,
        "gross_assets": measured(found.gross_assets),
        "shares": [_share_answer(share, by) for share in found.shares],
    }


def concentration_answer(snapshot: Snapshot) -> dict[str, Any]:
    """How much of the portfolio depends on how few holdings; the cash of a currency is one of them."""
    exposures = _exposures(_held(snapshot), snapshot)
    of_holdings, found = allocation(exposures, key=lambda one: one.holding), concentration(exposures)
    long = [share for share in of_holdings.shares if share.long]
    return {
        "base_currency": snapshot.base_currency,
        "gross_assets": measured(of_holdings.gross_assets),
        "holdings_count": len(long),
        "herfindahl_index": measured(found.herfindahl_index),
        "top_5": measured(found.top_5),
        "top_10": measured(found.top_10),
        "largest": [{**named(HOLDING, one.key), "weight": measured(one.weight)} for one in long[:LARGEST_LISTED]],
    }


def _share_answer(share: Share, by: str) -> dict[str, Any]:
    figures = {name: measured(getattr(share, name)) for name in ("long", "short", "weight", "short_weight")}
    return {**named(by, share.key), **figures}


def _held(snapshot: Snapshot) -> list[Holding]:
    """What there is any of. Cash that is not tracked is none of the portfolio's."""
    return [
        one for one in snapshot.holdings if one.quantity and (one.key.kind is Kind.SECURITY or snapshot.cash_tracked)
    ]


def _exposures(held: list[Holding], snapshot: Snapshot) -> list[Exposure]:
    with exact():
        return [_EXPOSURES[one.key.kind](one, snapshot) for one in held]


def _of_security(held: Holding, snapshot: Snapshot) -> Exposure:
    valuation = valuation_in(held, snapshot)
    return Exposure(holding_name(held.key), number_of(valuation.market_value_base), valuation.missing)


def _of_cash(held: Holding, snapshot: Snapshot) -> Exposure:
    return Exposure(holding_name(held.key), number_of(balance_base_in(held, snapshot)), "MISSING_FX_RATE")


_EXPOSURES: dict[Kind, Callable[[Holding, Snapshot], Exposure]] = {Kind.SECURITY: _of_security, Kind.CASH: _of_cash}
