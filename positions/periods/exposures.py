"""What a portfolio is exposed to at the end of a day: each holding with its market value in base, cash among them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from portfolio.amounts import number_of
from portfolio.money import exact
from positions.analytics.allocation import Exposure, Share, allocation, concentration
from positions.engine.holdings import Holding, Kind
from positions.engine.valuation import Valuation
from positions.figures import Snapshot, balance_base_in
from positions.periods.answers import measured
from positions.periods.frames import framed
from positions.periods.segments import HOLDING, holding_name, named, segment_names
from positions.periods.sources import Valuations, held_in, sources_in, valuations_in, valued_at
from positions.variants.asked import Reading

LARGEST_LISTED = 10


def allocation_answer(found: Reading, *, by: str) -> dict[str, Any]:
    """The portfolio divided by holding or by an attribute of the instruments: see `positions.periods.segments`."""
    snapshot = found.snapshot()
    held = held_in(snapshot)
    valuations = valuations_in(snapshot, held)
    segment_of = segment_names(by=by, currencies={one.key: one.currency for one in held})
    names = {holding_name(one.key): segment_of(one.key) for one in held}
    of_portfolio = allocation(_exposures(held, snapshot, valuations), key=lambda exposure: names[exposure.holding])
    by_name = {holding_name(key): valuation for key, valuation in valuations.items()}
    figures = {
        "by": by,
        "gross_assets": measured(of_portfolio.gross_assets),
        "shares": [_share_answer(share, by, by_name.get(share.key)) for share in of_portfolio.shares],
    }
    return framed(found, figures, sources_in(snapshot, valuations))


def concentration_answer(found: Reading) -> dict[str, Any]:
    """How much of the portfolio depends on how few holdings; the cash of a currency is one of them."""
    snapshot = found.snapshot()
    held = held_in(snapshot)
    valuations = valuations_in(snapshot, held)
    exposures = _exposures(held, snapshot, valuations)
    of_holdings, of_portfolio = allocation(exposures, key=lambda one: one.holding), concentration(exposures)
    long = [share for share in of_holdings.shares if share.long]
    figures = {
        "gross_assets": measured(of_holdings.gross_assets),
        "holdings_count": len(long),
        "herfindahl_index": measured(of_portfolio.herfindahl_index),
        "top_5": measured(of_portfolio.top_5),
        "top_10": measured(of_portfolio.top_10),
        "largest": [{**named(HOLDING, one.key), "weight": measured(one.weight)} for one in long[:LARGEST_LISTED]],
    }
    return framed(found, figures, sources_in(snapshot, valuations))


def _share_answer(share: Share, by: str, valuation: Valuation | None) -> dict[str, Any]:
    figures = {name: measured(getattr(share, name)) for name in ("long", "short", "weight", "short_weight")}
    priced = {"valued_at": valued_at(valuation)} if by == HOLDING else {}
    return {**named(by, share.key), **figures, **priced}


def _exposures(held: Iterable[Holding], snapshot: Snapshot, valuations: Valuations) -> list[Exposure]:
    with exact():
        return [_exposure(one, snapshot, valuations.get(one.key)) for one in held]


def _exposure(held: Holding, snapshot: Snapshot, valuation: Valuation | None) -> Exposure:
    name = holding_name(held.key)
    if valuation is None:
        assert held.key.kind is Kind.CASH, "securities are valued"
        return Exposure(name, number_of(balance_base_in(held, snapshot)), "MISSING_FX_RATE")
    return Exposure(name, number_of(valuation.market_value_base), valuation.missing)
