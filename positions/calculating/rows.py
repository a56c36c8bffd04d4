"""What booking made, as rows of the calculators' tables: see `tables` for their columns."""

from __future__ import annotations

import datetime
from operator import attrgetter

from positions.calculating.tables import FIGURES, Row
from positions.engine.booking import BookingProblem, Disposal
from positions.engine.holdings import Holding
from positions.engine.lots import Lot
from positions.engine.moves import Move
from positions.engine.postings import POSTED_SUMS, Place, Posting

_figures_of = attrgetter(*FIGURES)
_posted_sums = attrgetter("amount", "amount_base", "income", *POSTED_SUMS)
_NO_LOT = (None, None, None, None)


def holding_row(portfolio_id: str, held: Holding, date: datetime.date | None) -> Row:
    """A row of positions (with the holding's first date) or of position_days (with the day)."""
    kind, security_id = held.key
    return (portfolio_id, kind.value, security_id, *_figures_of(held), sorted(held.flags), date)


def lot_row(portfolio_id: str, security_id: str, lot: Lot) -> Row:
    """A row of lots."""
    return (portfolio_id, security_id, *lot.key, lot.quantity, lot.cost_basis, lot.cost_basis_base)


def movement_row(portfolio_id: str, posting: Posting, place: Place | None) -> Row:
    """A row of cash_movements; `place` of an entry that does not stand at its own."""
    entry = posting.entry
    return (
        portfolio_id,
        posting.currency,
        *entry.key,
        posting.leg,
        entry.security_id,
        *[amount or None for amount in _posted_sums(posting)],
        list(posting.flags) or None,
        [str(place.key.time_us), str(place.key.rank), place.key.transaction_id, place.portfolio_id] if place else None,
    )


def disposal_row(portfolio_id: str, disposal: Disposal) -> Row:
    """A row of disposals."""
    closing = disposal.closing
    return (
        portfolio_id,
        disposal.security_id,
        disposal.currency,
        *(disposal.opening or _NO_LOT),
        closing.transaction_id,
        closing.key.date,
        closing.key.time_us,
        disposal.piece,
        disposal.quantity,
        disposal.proceeds,
        disposal.cost_basis,
        disposal.realized_gain,
        disposal.proceeds_base,
        disposal.cost_basis_base,
        disposal.realized_gain_base,
        disposal.realized_fx_gain_base,
    )


def exception_row(portfolio_id: str, problem: BookingProblem) -> Row:
    """A row of booking_exceptions."""
    entry = problem.entry
    return (
        portfolio_id,
        entry.transaction_id,
        entry.date,
        problem.code,
        entry.security_id,
        problem.quantity,
        problem.detail,
    )


def move_row(portfolio_id: str, move: Move) -> Row:
    """A row of moves."""
    return (
        portfolio_id,
        move.transaction_id,
        move.date,
        move.source_id,
        move.target_id,
        move.quantity,
        move.split_ratio,
        move.cost_basis,
        move.cost_basis_base,
        move.booked_base,
    )
