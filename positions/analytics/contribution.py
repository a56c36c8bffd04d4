"""Contribution: what each holding added to the time-weighted return of a period (FINANCE.md 7).

The gain of a holding over the portfolio's capital of the day is its part of the day's return; days are linked by
Cariño. A gain on a day without capital is in no return, and so in no contribution either.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from operator import mul

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
    gains: dict[str, list[Decimal]] = {}
    for number, day in enumerate(days):
        for name, gain in day.gains.items():
            gains.setdefault(name, [ZERO] * len(days))[number] = gain
    return contribution_of(gains, [day.capital for day in days], missing=[day.missing for day in days])


def contribution_of(
    gains: Mapping[str, Sequence[Decimal]], capital: Sequence[Decimal], *, missing: Sequence[str]
) -> Contribution:
    """The same of every holding's gains day by day, the capital of the days, and why something of a day is UNKNOWN."""
    with exact():
        totals = {name: sum(gains[name], ZERO) for name in sorted(gains)}
        unknown = any(total.is_nan() for total in totals.values()) or any(one.is_nan() for one in capital)
        why = _why_unknown(gains, capital, missing) if unknown else ""
        parts = unavailable(why) if unknown else _linked_parts(gains, capital)
        if isinstance(parts, Unavailable):
            return Contribution(
                parts, tuple(HoldingContribution(name, _known(total, why), parts) for name, total in totals.items())
            )
        total_return, contributions = parts
        return Contribution(
            kept(total_return),
            tuple(HoldingContribution(name, total, kept(contributions[name])) for name, total in totals.items()),
        )


def _linked_parts(
    gains: Mapping[str, Sequence[Decimal]], capital: Sequence[Decimal]
) -> tuple[Decimal, dict[str, Decimal]] | Unavailable:
    if any(one < 0 for one in capital):
        return unavailable("NEGATIVE_CAPITAL")
    results = [sum(of_day, ZERO) for of_day in zip(*gains.values(), strict=True)] or [ZERO] * len(capital)
    returns = [result / one for result, one in zip(results, capital, strict=True) if one]
    factors = carino_factors(returns)
    if isinstance(factors, Unavailable):
        return factors
    of_working_days = iter(factors)
    weights = [next(of_working_days) / one if one else ZERO for one in capital]
    # A product of what is mostly nothing, a hundred holdings times ten years: `map` stays out of the interpreter.
    parts = {name: sum(map(mul, of_holding, weights), ZERO) for name, of_holding in gains.items()}
    return compounded(returns), parts


def _why_unknown(gains: Mapping[str, Sequence[Decimal]], capital: Sequence[Decimal], missing: Sequence[str]) -> str:
    """The reason of the first day of which something is unknown."""
    for number, (one, why) in enumerate(zip(capital, missing, strict=True)):
        if one.is_nan() or any(of_holding[number].is_nan() for of_holding in gains.values()):
            return why or "MISSING_FX_RATE"
    raise AssertionError("unreachable: something is unknown")


def _known(gain: Decimal, missing: str) -> Figure:
    return unavailable(missing) if gain.is_nan() else gain
