"""What a TRANSFER_OUT gave, and who takes it: of the claims on it the first that matches, in booking order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import blake2b
from typing import Protocol

from portfolio.amounts import AnyAmount
from portfolio.money import plain
from positions.engine.entry import EntryKey, LegKey
from positions.engine.lots import Piece

WENT_TO_ANOTHER = "went to another TRANSFER_IN"
"""How the reason ends for which a claim that fits the OUT does not have it."""


class Out(Protocol):
    """A TRANSFER_OUT, booked or about to be; `quantity` is the one submitted."""

    @property
    def key(self) -> EntryKey: ...
    @property
    def security_id(self) -> str | None: ...
    @property
    def quantity(self) -> Decimal: ...


@dataclass(frozen=True, slots=True)
class Given:
    """What a TRANSFER_OUT gave: lots, oldest first, at cost in the giver's local and base currency.

    One that was oversold gave no pieces.
    """

    key: EntryKey
    security_id: str
    quantity: Decimal
    currency: str
    base_currency: str
    pieces: Sequence[Piece]


@dataclass(frozen=True, slots=True)
class Claim:
    """A TRANSFER_IN that names a TRANSFER_OUT. `received` tells what it was booked with, or why not."""

    leg: LegKey
    linked: LegKey
    key: EntryKey
    security_id: str
    quantity: Decimal
    received: str = ""


def mismatch(claim: Claim, out: Out) -> str | None:
    """Why the claim cannot have what the OUT gives, whoever else wants it; None where it can."""
    name = claim.linked.transaction_id
    if out.security_id != claim.security_id:
        return f"{name} gave {out.security_id or 'cash'}"
    if claim.key.date < out.key.date:
        return f"{name} is dated later, {out.key.date}"
    if out.quantity != claim.quantity:
        return f"{name} gave {plain(out.quantity)}, not {plain(claim.quantity)}"
    return None


def taker(claims: Iterable[Claim], out: Out) -> LegKey | None:
    """Which of the claims on an OUT has it: the first, by booking order and portfolio, of those that match."""
    matching = [claim for claim in claims if not mismatch(claim, out)]
    first = min(matching, key=lambda claim: (claim.key, claim.leg), default=None)
    return first.leg if first else None


def refusal(claim: Claim, out: Out | None, rivals: Iterable[Claim]) -> str | None:
    """Why the claim, itself among the rivals, does not get what the OUT that it names gives; None where it does."""
    name, giver = claim.linked.transaction_id, claim.linked.portfolio_id
    if out is None:
        return f"no TRANSFER_OUT {name} of {giver} gave anything"
    if taker(rivals, out) == claim.leg:
        return None
    return mismatch(claim, out) or f"{name} {WENT_TO_ANOTHER}"


def digest(given: Given) -> str:
    """32 characters that differ where what was given differs."""
    facts = [*map(str, given.key), given.security_id, plain(given.quantity), given.currency, given.base_currency]
    for piece in given.pieces:
        facts += [*map(str, piece.key), plain(piece.quantity)]
        facts += [_spelled(piece.cost_basis), _spelled(piece.cost_basis_base)]
    return blake2b("\n".join(facts).encode(), digest_size=16).hexdigest()


def _spelled(amount: AnyAmount) -> str:
    return "unknown" if amount.is_nan() else plain(amount)
