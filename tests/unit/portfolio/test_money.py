"""Exact decimals: the one rounding rule, the one spelling, and what fits."""

from __future__ import annotations

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolio.money import (
    UNKNOWN,
    OutOfRange,
    allow_currencies,
    exact,
    fits,
    is_currency,
    plain,
    rounded,
)

D = Decimal
kept = st.decimals(D(-10) ** 17, D(10) ** 17, allow_nan=False, places=18)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("0.0000000000000000005", "0"),
        ("0.0000000000000000015", "0.000000000000000002"),
        ("0.0000000000000000025", "0.000000000000000002"),
        ("0.00000000000000000250000000001", "0.000000000000000003"),
        ("-0.0000000000000000015", "-0.000000000000000002"),
        ("150000000.00", "150000000"),
        ("1E+2", "100"),
    ],
)
def test_what_is_kept_is_rounded_half_even_at_18_decimals(number, expected):
    assert rounded(D(number)) == D(expected)


def test_rounding_needs_no_context_of_its_caller():
    with localcontext() as context:
        context.prec = 3
        assert rounded(D("123456.1234567890123456785")) == D("123456.123456789012345678")


def test_the_unknown_stays_unknown():
    assert rounded(UNKNOWN).is_nan()
    with exact():
        assert rounded(UNKNOWN * 0 + 5).is_nan()


def test_a_number_beyond_60_digits_is_an_error_that_says_so():
    assert rounded(D(10) ** 41) == D(10) ** 41
    with pytest.raises(OutOfRange, match=r"1\.000E\+42 has more than 60 digits at 18 decimals"):
        rounded(D(10) ** 42)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("1.50", "1.5"),
        ("0", "0"),
        ("-0.00", "0"),
        ("1E+3", "1000"),
        ("1200", "1200"),
        ("1E-18", "0.000000000000000001"),
        ("-3.0", "-3"),
        ("150000000.00", "150000000"),
    ],
)
def test_a_decimal_has_one_spelling(number, text):
    assert plain(D(number)) == text


@given(kept)
def test_the_spelling_is_the_number(number):
    assert D(plain(number)) == number
    assert "E" not in plain(number)


@pytest.mark.parametrize(
    ("number", "does"),
    [
        ("999999999999999999.999999999999999999", True),
        ("-999999999999999999.999999999999999999", True),
        ("1000000000000000000", False),
        ("0.0000000000000000001", False),
        ("0.10000000000000000000000000000000000000", True),
        ("1" + "0" * 17 + "." + "0" * 60 + "1", False),
        ("0e-400", False),
        ("0.000", True),
        ("1e17", True),
        ("1e18", False),
        ("1e-999999999", False),
        ("1e999999", False),
        ("NaN", False),
        ("sNaN", False),
        ("Infinity", False),
        ("-Infinity", False),
    ],
)
def test_18_digits_fit_before_the_point_and_18_after_it(number, does):
    assert fits(D(number)) is does


@given(kept)
def test_what_fits_is_kept_exactly(number):
    assert fits(number)
    assert rounded(number) == number


def test_the_arithmetic_carries_60_digits():
    with exact():
        assert len((D(1) / 3).as_tuple().digits) == 60
        assert D("999999999999999999.999999999999999999") * D("0.000000000000000001") * 10**18 == D(
            "999999999999999999.999999999999999999"
        )


def test_currencies_are_those_of_the_standard_old_ones_and_those_allowed(monkeypatch):
    monkeypatch.setattr("portfolio.money._currencies", {"EUR", "DEM"})
    assert is_currency("EUR")
    assert is_currency("DEM")
    assert not is_currency("QQQ7")
    allow_currencies(["QQQ7"])
    assert is_currency("QQQ7")
