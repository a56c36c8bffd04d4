"""A figure that cannot be computed: the code that says so, and the sentence for the reader. It is never 0.

All codes but one say that something is missing. NO_VARIATION says that nothing is, and the figure has no value all the
same: a ratio by a deviation, a shortfall, a drawdown or a variance of zero, as the Sharpe ratio of returns that are all
the same. It is a code of its own, for neither more data nor a longer period would bring the figure.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

DETAILS = MappingProxyType(
    {
        "MISSING_PRICE": "no price on or before the day, neither of the market nor of an own trade",
        "MISSING_FX_RATE": "no exchange rate on or before the day leads from one currency to the other",
        "NO_ROOT": "no rate of return makes the discounted flows add up to zero",
        "NEGATIVE_CAPITAL": "a return is asked of capital below zero",
        "NO_CAPITAL": "there was no capital that a return or a weight could refer to",
        "TOO_FEW_RETURNS": "fewer than 20 daily returns are too few for statistics",
        "PERIOD_TOO_SHORT": "the period is too short for an annual figure",
        "NO_BENCHMARK": "there is no benchmark, or it has no figures for the period",
        "NO_VARIATION": "what the figure would be divided by is zero: nothing varied, fell short or was lost",
    }
)
"""The sentence of every code."""


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Stands in the place of a figure."""

    code: str
    detail: str


def unavailable(code: str, detail: str = "") -> Unavailable:
    """Why there is no figure; the code's own sentence where no better one is given. Raises KeyError for other codes."""
    return Unavailable(code, detail or DETAILS[code])
