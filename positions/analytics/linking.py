"""Linking by Cariño: parts of the returns of single periods, scaled so that they add up to the return of them all.

Returns are linked by multiplication and parts by addition. D. R. Cariño, "Combining Attribution Effects Over Time",
Journal of Performance Measurement 3 (1999), multiplies the parts of period t by k_t / k, where k_t is the difference of
the logarithms of growth over the difference of the returns, of portfolio and benchmark, and k the same of the whole:

    k_t = (log(1 + R_t) - log(1 + B_t)) / (R_t - B_t)        and 1 / (1 + R_t) where the two are equal.

Contribution is attribution against a benchmark that returns nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from portfolio.money import ONE, ZERO, exact
from positions.analytics.unavailable import Unavailable, unavailable

_SMALL = Decimal("1e-25")
"""Below this, log(1 + x) / x is taken from its series, the logarithm having too few digits left; x^3 is beyond them."""


def compounded(returns: Sequence[Decimal]) -> Decimal:
    """The return of them all, one after the other."""
    with exact():
        growth = ONE
        for one in returns:
            growth *= ONE + one
        return growth - ONE


def carino_factors(
    returns: Sequence[Decimal], benchmark: Sequence[Decimal] | None = None
) -> list[Decimal] | Unavailable:
    """What to multiply the parts of each period by: the sum of `factor * (R_t - B_t)` is R - B.

    Where the portfolio lost all of its capital, in one period or in several, these alone count, equally: the limit as
    what is left goes to nothing. NEGATIVE_CAPITAL where it lost more than that, or the benchmark as much.
    """
    compared = benchmark or [ZERO] * len(returns)
    with exact():
        pairs = [(ONE + ours, ONE + theirs) for ours, theirs in zip(returns, compared, strict=True)]
        if any(ours < 0 or theirs <= 0 for ours, theirs in pairs):
            return unavailable("NEGATIVE_CAPITAL")
        growth, growth_of_benchmark = ONE + compounded(returns), ONE + compounded(compared)
        if not growth:
            losses = sum(not ours for ours, _ in pairs)
            return [ZERO if ours else growth_of_benchmark / theirs / losses for ours, theirs in pairs]
        whole = _log_quotient(growth, growth_of_benchmark)
        return [_log_quotient(ours, theirs) / whole for ours, theirs in pairs]


def _log_quotient(a: Decimal, b: Decimal) -> Decimal:
    """`(log a - log b) / (a - b)`, and its limit 1/a where they are equal."""
    x = (a - b) / b
    if abs(x) < _SMALL:
        return (ONE - x / 2 + x * x / 3) / b
    return (ONE + x).ln() / x / b
