"""Every root is found: against polynomials whose roots are known, and against the eigenvalues of others."""

from __future__ import annotations

import math
from random import Random

import numpy
import pytest

from positions.analytics import roots as rooms
from positions.analytics.roots import Term, real_roots


def polynomial(coefficients):
    """A polynomial in x = exp(-y / degree), ascending, as terms."""
    degree = len(coefficients) - 1
    return [Term(power / degree, c) for power, c in enumerate(coefficients) if c]


def with_roots(*roots):
    """The polynomial whose roots are these x."""
    return numpy.polynomial.polynomial.polyfromroots(roots).tolist()


def xs(terms, degree, **limits):
    """The roots as x, ascending."""
    return sorted(math.exp(-y / degree) for y in real_roots(terms, **limits))


@pytest.mark.parametrize(
    "roots",
    [
        [0.9],
        [0.5, 0.9, 1.3],
        [0.2, 0.21, 0.22, 5.0],
        [1e-4, 1.0, 1e4],
        [0.9, 0.900002],
        [1.0],
    ],
)
def test_the_roots_of_a_polynomial_made_of_them(roots):
    assert xs(polynomial(with_roots(*roots)), len(roots)) == pytest.approx(roots, rel=1e-8)


@pytest.mark.parametrize("roots", [[0.9, 0.9], [0.7, 0.7, 1.2], [1.0, 1.0]])
def test_a_curve_that_touches_zero_without_passing_has_a_root_there(roots):
    assert xs(polynomial(with_roots(*roots)), len(roots)) == pytest.approx(sorted(set(roots)), abs=1e-6)


@pytest.mark.parametrize("coefficients", [[1, -1.5, 1], [1, -1.999999, 1], [1, 2, 3], [-1, -1]])
def test_a_curve_that_only_comes_near_has_none(coefficients):
    assert real_roots(polynomial(coefficients)) == []


def test_what_is_beyond_the_limit_is_left_out():
    # x = 0.5 is y = 2 log 2, x = 2 is y = -2 log 2
    terms = polynomial(with_roots(0.5, 2.0))

    assert real_roots(terms, highest=0) == pytest.approx([-2 * math.log(2)])
    assert real_roots(terms, highest=-2) == []


def test_roots_far_out_on_the_line_are_found_without_overflow():
    # The last two flows are a day apart in thirty years, and of very different size.
    terms = [Term(0.0, 1.0), Term(1 - 1e-4, -1e12), Term(1.0, 1e-6)]

    found = real_roots(terms)

    # Far down, the last two are equal: 10^12 = 10^-6 * exp(-y * 10^-4); far up the first two: y = log(10^12).
    assert found == pytest.approx([-math.log(1e18) / 1e-4, math.log(1e12) / (1 - 1e-4)], rel=1e-6)


def test_random_polynomials_have_the_roots_that_their_companion_matrices_have():
    random = Random(20250117)
    compared = 0
    for _ in range(300):
        degree = random.randint(2, 24)
        coefficients = [random.choice([0.0, random.gauss(0, 1)]) for _ in range(degree + 1)]
        coefficients[0], coefficients[-1] = random.gauss(0, 1), random.gauss(0, 1)
        expected = [
            root.real
            for root in numpy.polynomial.polynomial.polyroots(coefficients)
            if abs(root.imag) < 1e-9 and 0.01 < root.real < 100
        ]
        found = [x for x in xs(polynomial(coefficients), degree) if 0.01 < x < 100]
        assert found == pytest.approx(sorted(expected), rel=1e-6)
        compared += len(found)
    assert compared > 250


@pytest.mark.parametrize("multiplicity", [4, 6, 8, 10, 14])
def test_a_sum_lost_in_rounding_over_a_long_way_is_one_root_and_ends(monkeypatch, multiplicity):
    # (1 - x)^14: within fourteen percent of 1 it is smaller than the rounding of its terms, 10^-16 of 2^14.
    looked_at = []
    judge = rooms.ExponentialSum.judge

    def counted(*piece):
        looked_at.append(piece)
        return judge(*piece)

    monkeypatch.setattr(rooms.ExponentialSum, "judge", counted)

    (found,) = xs(polynomial(with_roots(*[1.0] * multiplicity)), multiplicity)

    assert found == pytest.approx(1, abs=0.01)
    assert len(looked_at) <= 2 * rooms.MAX_PIECES
