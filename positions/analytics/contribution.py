"""Contribution: what each holding added to the time-weighted return of a period (FINANCE.md 7).

The gain of a holding over the portfolio's capital of the day is its part of the day's return; days are linked by
Cariño. A gain on a day without capital is in no return, and so in no contribution either.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from portfolio.money import ZERO, exact
from positions.analytics.days import kept
from positions.analytics.linking import carino_factors, compounded
from positions.analytics.unavailable import Unavailable, unavailable

Figure = Decimal | Unavailable


@dataclass(frozen=True, slots=True)
class DayGains:
    """What each holding gained on a day in base, its income less fees and taxes with it, and the capital of the day.

    The gains add up to the day's result less its capital. Holdings that gained nothing may be left out. `missing` is
    the code that says why, where a figure is UNKNOWN.
    """

    date: datetime.date
    capital: Decimal
    gains: Mapping[str, Decimal]
    missing: str = ""


@dataclass(frozen=True, slots=True)
class HoldingContribution:
    """The gain of a holding in base, and what it added to the return: a fraction."""

    holding: str
    gain: Figure
    contribution: Figure


@dataclass(frozen=True, slots=True)
class Contribution:
    """The return of the period and the holdings, by name, whose contributions add up to it."""

    time_weighted_return: Figure
    holdings: tuple[HoldingContribution, ...]


def contribution(days: Sequence[DayGains]) -> Contribution:
    """What the holdings added to the return of these days."""
    with exact():
        gains: dict[str, Decimal] = {}
        for day in days:
            _add(gains, day.gains.items())
        unknown = any(total.is_nan() for total in gains.values()) or any(day.capital.is_nan() for day in days)
        missing = next(day.missing or "MISSING_FX_RATE" for day in days if _unknown(day)) if unknown else ""
        parts = unavailable(missing) if missing else _linked_parts(days)
        if isinstance(parts, Unavailable):
            return Contribution(
                parts, tuple(HoldingContribution(name, _known(gains[name], missing), parts) for name in sorted(gains))
            )
        total, contributions = parts
        return Contribution(
            kept(total),
            tuple(
                HoldingContribution(name, gains[name], kept(contributions.get(name, ZERO))) for name in sorted(gains)
            ),
        )


def _linked_parts(days: Sequence[DayGains]) -> tuple[Decimal, dict[str, Decimal]] | Unavailable:
    if any(day.capital < 0 for day in days):
        return unavailable("NEGATIVE_CAPITAL")
    working = [day for day in days if day.capital]
    returns = [sum(day.gains.values(), ZERO) / day.capital for day in working]
    factors = carino_factors(returns)
    if isinstance(factors, Unavailable):
        return factors
    parts: dict[str, Decimal] = {}
    for day, factor in zip(working, factors, strict=True):
        weight = factor / day.capital
        _add(parts, ((name, gain * weight) for name, gain in day.gains.items()))
    return compounded(returns), parts


def _add(sums: dict[str, Decimal], amounts: Iterable[tuple[str, Decimal]]) -> None:
    for name, amount in amounts:
        sums[name] = sums.get(name, ZERO) + amount


def _unknown(day: DayGains) -> bool:
    return day.capital.is_nan() or any(gain.is_nan() for gain in day.gains.values())


def _known(gain: Decimal, missing: str) -> Figure:
    return unavailable(missing) if gain.is_nan() else gain
