"""What the calculators write: the state of each portfolio, its holdings through time, lots, disposals, exceptions.

Every row here can be made again from the ledger. A holding is a security or a currency's cash; `security_id` names
either, `kind` says which. Local money is in the holding's `currency`, base money in the portfolio's base currency.
Signed: a short holding and its cost are negative. A figure that misses an exchange rate is NaN, which NUMERIC keeps and
which makes every sum it enters NaN too.
"""

from positions.models.bookings import DISPOSAL_ORDER, BookingException, CashMovement, Disposal
from positions.models.holdings import (
    LOT_ORDER,
    HoldingFigures,
    HoldingKind,
    Lot,
    PortfolioState,
    Position,
    PositionDay,
)
from positions.models.number import Number
from positions.models.transfers import GivenLot, Move, TransferLink
from positions.models.valuations import DailyValuation, PositionChange, ValuationState

__all__ = [
    "DISPOSAL_ORDER",
    "LOT_ORDER",
    "BookingException",
    "CashMovement",
    "DailyValuation",
    "Disposal",
    "GivenLot",
    "HoldingFigures",
    "HoldingKind",
    "Lot",
    "Move",
    "Number",
    "PortfolioState",
    "Position",
    "PositionChange",
    "PositionDay",
    "TransferLink",
    "ValuationState",
]
