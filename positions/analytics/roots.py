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
from itertools import pairwise
from operator import itemgetter, mul
from typing import NamedTuple

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

    times: Sequence[float]
    signs: Sequence[float]
    logs: Sequence[float]

    @classmethod
    def of(cls, terms: Iterable[Term]) -> ExponentialSum:
        in_order = sorted(terms, key=itemgetter(0))
        largest = max(abs(term.coefficient) for term in in_order)
        return cls(
            [term.time for term in in_order],
            [math.copysign(1.0, term.coefficient) for term in in_order],
            [math.log(abs(term.coefficient) / largest) for term in in_order],
        )

    def changes_of_sign(self) -> int:
        return sum(sign != after for sign, after in pairwise(self.signs))

    def bounds(self) -> tuple[float, float]:
        """Where all roots lie. Below, the last term is the largest by so much that the sum of the others, at most what
        it would be at the time of the last but one, is less; above, likewise the first.
        """
        to_last, to_first = _log_of_sum(self.logs[:-1]) - self.logs[-1], _log_of_sum(self.logs[1:]) - self.logs[0]
        low = -max(to_last, 0.0) / (self.times[-1] - self.times[-2])
        high = max(to_first, 0.0) / (self.times[1] - self.times[0])
        return low - _MARGIN, high + _MARGIN

    def sign(self, y: float, *, roundings: int = 1) -> float:
        """That of f(y): -1 or 1, and 0 where it is zero to within (so many times) rounding."""
        sizes = [log - y * time for log, time in zip(self.logs, self.times, strict=True)]
        largest = max(sizes)
        weights = [math.exp(size - largest) for size in sizes]
        value = math.fsum(map(mul, self.signs, weights))
        rounding = roundings * _EPSILON * (4 + abs(y)) * math.fsum(weights)
        return math.copysign(1.0, value) if abs(value) > rounding else 0.0

    def judge(self, low: float, high: float) -> Verdict:
        """What straight lines say of f between two points."""
        middle, half = (low + high) / 2, (high - low) / 2
        sizes = [log - middle * time for log, time in zip(self.logs, self.times, strict=True)]
        largest = max(sizes)
        weights = [math.exp(size - largest) for size in sizes]
        total = math.fsum(weights)
        tau = math.fsum(map(mul, weights, self.times)) / total
        delays = [time - tau for time in self.times]
        values = []
        for sign, size, weight, delay in zip(self.signs, sizes, weights, delays, strict=True):
            tilt = half * delay
            at_low = math.exp(min(size - largest + tilt, _LARGEST_EXPONENT))
            at_high = math.exp(min(size - largest - tilt, _LARGEST_EXPONENT))
            tangent = sign * weight
            values.append((tangent * (1 + tilt), tangent * (1 - tilt), sign * at_low, sign * at_high))
        rounding = 2 * _EPSILON * (4 + len(weights) + abs(middle) + half) * total
        least, most = _between_lines(values)
        if least > rounding or most < -rounding:
            return Verdict.NO_ROOT
        if least > -rounding and most < rounding:
            return Verdict.ZERO_TO_WITHIN_ROUNDING
        slopes = ((-d * a, -d * b, -d * c, -d * e) for d, (a, b, c, e) in zip(delays, values, strict=True))
        flattest, steepest = _between_lines(slopes)
        if flattest > rounding or steepest < -rounding:
            return Verdict.ONE_AT_MOST
        return Verdict.OPEN


def _between_lines(terms: Iterable[tuple[float, float, float, float]]) -> tuple[float, float]:
    """The least and the most that a sum can be on a piece, given each term's tangent and its chord at both ends."""
    least_low = least_high = most_low = most_high = 0.0
    for tangent_low, tangent_high, chord_low, chord_high in terms:
        # One of the two may have vanished for being so small.
        if chord_low > 0 or chord_high > 0:
            least_low += tangent_low
            least_high += tangent_high
            most_low += chord_low
            most_high += chord_high
        else:
            least_low += chord_low
            least_high += chord_high
            most_low += tangent_low
            most_high += tangent_high
    return min(least_low, least_high), max(most_low, most_high)


def _log_of_sum(logs: Sequence[float]) -> float:
    largest = max(logs)
    return largest + math.log(math.fsum(math.exp(log - largest) for log in logs))


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
    """The root on a piece where there is one at most, as precisely as rounding lets it be told."""
    at_low, at_high = present_value.sign(low), present_value.sign(high)
    if not at_low or not at_high:
        return [_Stretch(high if at_low else low, low if at_high else high)]
    if at_low == at_high:
        return []
    while low < (middle := (low + high) / 2) < high:
        at_middle = present_value.sign(middle)
        if not at_middle:
            return [_Stretch(middle, middle)]
        low, high = (middle, high) if at_middle == at_low else (low, middle)
    return [_Stretch(low, low)]


def _apart(present_value: ExponentialSum, found: Sequence[_Stretch]) -> list[float]:
    """The roots in ascending order; of neighbours that are one root the middle."""
    roots: list[_Stretch] = []
    for one in found:
        before = roots[-1] if roots else None
        if before and not present_value.sign((before.high + one.low) / 2, roundings=_HARDLY_MORE):
            roots[-1] = _Stretch(before.low, max(before.high, one.high))
        else:
            roots.append(one)
    return [(root.low + root.high) / 2 for root in roots]
