"""Allocation and concentration: what a portfolio consists of, in weights of its gross assets (FINANCE.md 7).

Gross assets are everything held long, cash with it. What is short, an overdraft with it, is no part of them and is
shown apart, in the same measure; long weights add up to 1, and short ones say by how much more is at work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from portfolio.money import ZERO, exact
from positions.analytics.days import kept
from positions.analytics.unavailable import Unavailable, unavailable

Figure = Decimal | Unavailable


@dataclass(frozen=True, slots=True)
class Exposure:
    """A holding and its market value in base, negative where it is short; UNKNOWN for the reason `missing`."""

    holding: str
    value: Decimal
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Share:
    """What is held under a key, long and short apart, in base and in weights of gross assets; short is below zero."""

    key: str
    long: Figure
    short: Figure
    weight: Figure
    short_weight: Figure


@dataclass(frozen=True, slots=True)
class Allocation:
    """The shares by weight, the largest first, and what they are shares of."""

    gross_assets: Figure
    shares: tuple[Share, ...]


@dataclass(frozen=True, slots=True)
class Concentration:
    """How much depends on how few: the sum of squared long weights (1/n for n equal ones), and the largest 5 and 10."""

    herfindahl_index: Figure
    top_5: Figure
    top_10: Figure


@dataclass(slots=True)
class _Sum:
    long: Decimal = ZERO
    short: Decimal = ZERO
    why: Unavailable | None = field(default=None)

    def add(self, exposure: Exposure) -> None:
        if exposure.value.is_nan():
            self.why = self.why or unavailable(exposure.missing or "MISSING_PRICE")
        elif exposure.value > 0:
            self.long += exposure.value
        else:
            self.short += exposure.value


def allocation(exposures: Iterable[Exposure], *, key: Callable[[Exposure], str]) -> Allocation:
    """The holdings put together by a key: asset class, sector, country, currency, issuer, or the holding itself.

    One unknown value leaves its key without a value, and everything without a weight. NO_CAPITAL where nothing is long.
    """
    with exact():
        whole, sums = _Sum(), dict[str, _Sum]()
        for exposure in exposures:
            whole.add(exposure)
            sums.setdefault(key(exposure), _Sum()).add(exposure)
        shares = [
            Share(
                name,
                one.why or one.long,
                one.why or one.short,
                _weight(one.long, whole),
                _weight(one.short, whole),
            )
            for name, one in sorted(sums.items(), key=lambda item: (-item[1].long, item[1].short, item[0]))
        ]
        return Allocation(whole.why or whole.long, tuple(shares))


def concentration(exposures: Sequence[Exposure]) -> Concentration:
    """The concentration of the holdings, each given once."""
    of_holdings = allocation(exposures, key=lambda exposure: exposure.holding)
    whole = of_holdings.gross_assets
    if isinstance(whole, Unavailable) or not whole:
        why = whole if isinstance(whole, Unavailable) else unavailable("NO_CAPITAL")
        return Concentration(why, why, why)
    with exact():
        # The largest come first. Sums are divided, not weights added up: rounded, all of them need not be 1.
        long = [share.long for share in of_holdings.shares if isinstance(share.long, Decimal)]
        squares = sum((value * value for value in long), ZERO)
        largest = [kept(sum(long[:count], ZERO) / whole) for count in (5, 10)]
        return Concentration(kept(squares / (whole * whole)), *largest)


def _weight(part: Decimal, whole: _Sum) -> Figure:
    if whole.why:
        return whole.why
    return kept(part / whole.long) if whole.long else unavailable("NO_CAPITAL")
