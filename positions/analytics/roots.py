"""All real roots of a sum of exponentials `f(y) = sum of c * exp(-y t)`: the line is divided until all is decided.

A present value is such a sum, y being the logarithm of growth. Newton's method finds one of its roots, depending on
where it starts, and none of the others. Here no root is lost, as a piece of the line is given up only with a proof:

* Beyond certain bounds the first or the last term outweighs all others together; the search is between them.
* On a piece, f times exp(y tau) has the roots of f, for any tau. It is P - N, the terms with c > 0 less the others, and
  P and N, sums of positive exponentials, are convex: each lies above its tangent in the middle and below its chord. So
  the product lies between two straight lines; where these have one sign at both ends, there is no root between.
* The derivative of the product is a sum of exponentials too. Where the same test gives it one sign there is one root at
  most, and the signs of f at the ends say whether; it is found by bisection. One change of sign among the coefficients,
  in order of time, also means one root at most (Descartes' rule, which holds for real exponents).
* Else the piece is halved. tau is the mean time of the terms, weighted by what they are in the middle, which keeps the
  lines flat. Tangent and chord come together with the square of the length, so this ends soon, except where the curve
  touches zero without passing: there f is zero to within rounding all over a piece, or the piece becomes too short.

Such a piece counts as a root, and neighbours between which f is hardly above rounding count as one. Two roots whose y,
with times in [0, 1] the growth over the whole span, are a millionth apart are still told apart.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from operator import itemgetter
from typing import NamedTuple

import numpy
from numpy.typing import NDArray

Numbers = NDArray[numpy.float64]
TOO_SHORT = 1e-9
MAX_PIECES = 5_000
"""How many pieces are judged; of what is open then the signs at the ends must do. Usual are a few dozen, and only sums
that are rounding noise over a long way come to so many."""

_LARGEST_EXPONENT = 600.0
_EPSILON = 2.0**-52
_HARDLY_MORE = 64
_MARGIN = 1e-6


class Term(NamedTuple):
    """`coefficient * exp(-y * time)`; the time lies in [0, 1], the coefficient is not 0."""

    time: float
    coefficient: float


class _Stretch(NamedTuple):
    """Where f is zero: one point, or from one to another as far as rounding lets it be told."""

    low: float
    high: float


class Verdict(Enum):
    """What is known of a piece of the line."""

    NO_ROOT = auto()
    ONE_AT_MOST = auto()
    ZERO_TO_WITHIN_ROUNDING = auto()
    OPEN = auto()


@dataclass(frozen=True, slots=True)
class ExponentialSum:
    """Terms in order of time, no two at one time: of each its time, sign and logarithm, so that nothing overflows."""

    times: Numbers
    signs: Numbers
    logs: Numbers

    @classmethod
    def of(cls, terms: Iterable[Term]) -> ExponentialSum:
        in_order = numpy.array(sorted(terms, key=itemgetter(0)), dtype=numpy.float64)
        times, coefficients = in_order[:, 0], in_order[:, 1]
        sizes = numpy.abs(coefficients)
        return cls(times, numpy.sign(coefficients), numpy.log(sizes / sizes.max()))

    def changes_of_sign(self) -> int:
        return int(numpy.count_nonzero(self.signs[1:] != self.signs[:-1]))

    def bounds(self) -> tuple[float, float]:
        """Where all roots lie. Below, the last term is the largest by so much that the sum of the others, at most what
        it would be at the time of the last but one, is less; above, likewise the first.
        """
        to_last, to_first = _log_of_sum(self.logs[:-1]) - self.logs[-1], _log_of_sum(self.logs[1:]) - self.logs[0]
        low = -max(to_last, 0.0) / (self.times[-1] - self.times[-2])
        high = max(to_first, 0.0) / (self.times[1] - self.times[0])
        return float(low) - _MARGIN, float(high) + _MARGIN

    def value(self, y: float, *, roundings: int = 1) -> float:
        """f(y) over its largest term, and 0 where it is zero to within (so many times) rounding."""
        sizes = self.logs - y * self.times
        weights = numpy.exp(sizes - sizes.max())
        value = _sum(self.signs * weights)
        rounding = roundings * _EPSILON * (4 + abs(y)) * _sum(weights)
        return value if abs(value) > rounding else 0.0

    def judge(self, low: float, high: float) -> Verdict:
        """What straight lines say of f between two points."""
        middle, half = (low + high) / 2, (high - low) / 2
        sizes = self.logs - middle * self.times
        sizes -= sizes.max()
        weights = numpy.exp(sizes)
        total = _sum(weights)
        after = self.times - _sum(weights * self.times) / total
        tilt, at_middle = half * after, self.signs * weights
        at_low = self.signs * numpy.exp(numpy.minimum(sizes + tilt, _LARGEST_EXPONENT))
        at_high = self.signs * numpy.exp(numpy.minimum(sizes - tilt, _LARGEST_EXPONENT))
        of_value = (at_middle * (1 + tilt), at_middle * (1 - tilt), at_low, at_high)
        rounding = 2 * _EPSILON * (4 + len(weights) + abs(middle) + half) * total
        least, most = _between_lines(*of_value)
        if least > rounding or most < -rounding:
            return Verdict.NO_ROOT
        if least > -rounding and most < rounding:
            return Verdict.ZERO_TO_WITHIN_ROUNDING
        flattest, steepest = _between_lines(*(-after * value for value in of_value))
        if flattest > rounding or steepest < -rounding:
            return Verdict.ONE_AT_MOST
        return Verdict.OPEN


def _between_lines(
    tangents_low: Numbers, tangents_high: Numbers, chords_low: Numbers, chords_high: Numbers
) -> tuple[float, float]:
    """The least and the most that a sum can be on a piece, given its terms' tangents and chords at both ends."""
    # One of the two may have vanished for being so small.
    positive = (chords_low > 0) | (chords_high > 0)
    least_low = numpy.where(positive, tangents_low, chords_low).sum()
    least_high = numpy.where(positive, tangents_high, chords_high).sum()
    most_low = numpy.where(positive, chords_low, tangents_low).sum()
    most_high = numpy.where(positive, chords_high, tangents_high).sum()
    return float(min(least_low, least_high)), float(max(most_low, most_high))


def _log_of_sum(logs: Numbers) -> float:
    largest = float(logs.max())
    return largest + math.log(_sum(numpy.exp(logs - largest)))


def _sum(numbers: Numbers) -> float:
    """Without any rounding on the way."""
    return math.fsum(numbers.tolist())


def real_roots(terms: Iterable[Term], *, highest: float = math.inf) -> list[float]:
    """Every root not above `highest`, in ascending order."""
    present_value = ExponentialSum.of(terms)
    changes = present_value.changes_of_sign()
    if not changes:
        return []
    low, high = present_value.bounds()
    high = min(high, highest)
    if low >= high:
        return []
    found = _crossing(present_value, low, high) if changes == 1 else _search(present_value, low, high)
    return _apart(present_value, sorted(found))


def _search(present_value: ExponentialSum, low: float, high: float) -> list[_Stretch]:
    roots: list[_Stretch] = []
    pieces, looked_at = deque([(low, high)]), 0
    while pieces:
        low, high = pieces.popleft()
        looked_at += 1
        verdict = present_value.judge(low, high)
        if verdict is Verdict.NO_ROOT:
            continue
        middle = (low + high) / 2
        if verdict is Verdict.ONE_AT_MOST or looked_at > MAX_PIECES:
            roots += _crossing(present_value, low, high)
        elif verdict is Verdict.ZERO_TO_WITHIN_ROUNDING or high - low < TOO_SHORT * max(1.0, abs(middle)):
            roots.append(_Stretch(low, high))
        else:
            pieces += ((low, middle), (middle, high))
    return roots


def _crossing(present_value: ExponentialSum, low: float, high: float) -> list[_Stretch]:
    """The root on a piece where there is one at most, as precisely as rounding lets it be told.

    By turns it is looked for where the chord crosses zero, which closes in quickly, and half way, which does so surely.
    """
    at_low, at_high = present_value.value(low), present_value.value(high)
    if not at_low or not at_high:
        return [_Stretch(high if at_low else low, low if at_high else high)]
    if (at_low > 0) == (at_high > 0):
        return []
    by_chord = False
    while low < (middle := (low + high) / 2) < high:
        by_chord = not by_chord
        chord = low + (high - low) * at_low / (at_low - at_high)
        here = chord if by_chord and low < chord < high else middle
        value = present_value.value(here)
        if not value:
            return [_Stretch(here, here)]
        if (value > 0) == (at_low > 0):
            low, at_low = here, value
        else:
            high, at_high = here, value
    return [_Stretch(low, low)]


def _apart(present_value: ExponentialSum, found: Sequence[_Stretch]) -> list[float]:
    """The roots in ascending order; of neighbours that are one root the middle."""
    roots: list[_Stretch] = []
    for one in found:
        before = roots[-1] if roots else None
        if before and not present_value.value((before.high + one.low) / 2, roundings=_HARDLY_MORE):
            roots[-1] = _Stretch(before.low, max(before.high, one.high))
        else:
            roots.append(one)
    return [(root.low + root.high) / 2 for root in roots]
